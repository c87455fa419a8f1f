"""From `jars.lock` (group:artifact:version sha256) to a folder in the user's cache with exactly these jars."""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext

LOCK = Path(__file__).resolve().parent.parent / "jars.lock"
ATTEMPTS = 4


class JarsUnavailable(Exception):
    """Kafka could not be fetched, or what came is not what the lock says."""


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    return tuple(_parse(line) for line in lock.read_text().splitlines() if line.strip())


def _parse(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def cache_folder() -> Path:
    """Where this user's downloads for Alarum are kept, shared by all checkouts."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return home / "alarum"


def jars_folder(lock: Path = LOCK) -> Path:
    """The folder of this very lock: another list of jars gets another folder, and no class path mixes two."""
    return cache_folder() / f"kafka-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def ensure(lock: Path = LOCK) -> Path:
    """Fetch what is missing; return the folder. Raises JarsUnavailable with what to do.

    A jar enters the folder only under its right hash and by rename, so that an interrupted or concurrent run leaves
    nothing half.
    """
    folder = jars_folder(lock)
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in read_lock(lock) if _digest(folder / jar.filename) != jar.sha256]
    with _scratch(folder) as scratch, ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda jar: _fetch(jar, folder, scratch / jar.artifact), missing):
            pass
    (folder / "complete").touch()
    return folder


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir=folder, prefix="partial-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _fetch(jar: Jar, folder: Path, scratch: Path) -> None:
    reason = ""
    for attempt in range(ATTEMPTS):
        # jgo takes whatever lies in its cache for whole: each attempt gets an empty one
        cache = scratch / str(attempt)
        try:
            got = _download(jar, cache)
        except Exception as error:  # noqa: BLE001 - jgo raises RuntimeError, AssertionError and what requests raises
            reason = f"{type(error).__name__}: {error}"
        else:
            if (digest := _digest(got)) == jar.sha256:
                got.replace(folder / jar.filename)
                return
            reason = f"its sha256 is {digest}, the lock says {jar.sha256}"
        time.sleep(attempt)
    raise JarsUnavailable(
        f"{jar.filename}: {reason}\nIs Maven Central reachable? For a mirror set MAVEN_URL; behind a proxy, https_proxy."
    )


def _download(jar: Jar, cache: Path) -> Path:
    mirror = os.environ.get("MAVEN_URL", "").rstrip("/")
    context = MavenContext(repo_cache=cache, remote_repos={"mirror": mirror} if mirror else None, timeout=60)
    resolved = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return Path(resolved)


def _digest(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    options = argparse.ArgumentParser(prog="launcher.jars", description=__doc__)
    options.add_argument("--where", action="store_true", help="only say the folder")
    if options.parse_args().where:
        sys.stdout.write(f"{jars_folder()}\n")
        return 0
    try:
        ensure()
    except JarsUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
