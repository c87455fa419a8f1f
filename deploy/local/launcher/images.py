"""`make check-images`: builds the image with buildah where that can run, and asks the image for its roles.

No engine and no registry are needed: where the base image cannot be fetched, one is made of this system's own packages by
debootstrap, which proves our recipe, if not the official base. 0 when the image works, or when nothing here can build one
(it says why); 1 when it could be built and was not, or does not work.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runtime.host import ROUTER, known_roles

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "deploy" / "images" / "Dockerfile"
BASE, IMAGE = "docker.io/library/python:3.11-slim", "localhost/alarum:check"
STAND_IN = "localhost/alarum-base:debian"
PACKAGES = "python3,python3-venv,ca-certificates"
# The build's `pip`, `uv` and `npm` reach the network as this machine does.
PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class CannotBuild(Exception):
    """This machine has not what a build needs; the message says what."""


class Failed(Exception):
    """It could be built here, and was not, or does not work."""


def say(text: str) -> None:
    sys.stdout.write(f"check-images: {text}\n")
    sys.stdout.flush()


def check() -> None:
    """Raises CannotBuild, Failed."""
    if shutil.which("buildah") is None:
        raise CannotBuild("there is no buildah. On Debian: apt-get install buildah debootstrap")
    with tempfile.TemporaryDirectory(prefix="alarum-images-") as folder:
        store = _Store(Path(folder))
        try:
            _check(store)
        finally:
            store.remove()


def _check(store: "_Store") -> None:
    base = _base(store)
    say(f"building on {base}")
    store.run("the build", "bud", "--pull-never", *_network(), "--build-arg", f"BASE={base}", *_what())
    container = store.run("a container of it", "from", "--pull-never", IMAGE).strip()
    said = store.run("asking it for its roles", "run", "--isolation", "chroot", container, "--", *_help())
    missing = [role for role in (ROUTER, *known_roles()) if role not in said]
    if missing:
        raise Failed(f"the image lacks {', '.join(missing)}; it said:\n{said}")
    store.run("looking for the browser's files", "run", "--isolation", "chroot", container, "--", *_assets())


def _what() -> tuple[str, ...]:
    return ("--isolation", "chroot", "--file", str(DOCKERFILE), "--tag", IMAGE, str(ROOT))


def _help() -> tuple[str, ...]:
    return ("/opt/alarum/bin/python", "-m", "runtime.host", "--help")


def _assets() -> tuple[str, ...]:
    return ("/opt/alarum/bin/python", "-c", "from web.assets import asset; asset('app.css'); asset('vendor/htmx.js')")


def _network() -> list[str]:
    """Proxies, and whom this machine trusts: behind a proxy that signs anew, the base image's own list does not do."""
    given = [word for name in PASSED if os.environ.get(name) for word in ("--build-arg", f"{name}={os.environ[name]}")]
    if AUTHORITIES.exists():
        given += ["--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro"]
    return given


def _base(store: "_Store") -> str:
    """The official image, or the stand-in."""
    try:
        store.run("fetching the base image", "pull", "--policy", "missing", "--quiet", BASE)
    except Failed as error:
        say(f"{BASE} cannot be fetched here ({str(error).splitlines()[-1].strip()}); making a stand-in by debootstrap")
        _stand_in(store)
        return STAND_IN
    return BASE


def _stand_in(store: "_Store") -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise CannotBuild("the base image cannot be fetched, and making one needs root and debootstrap")
    root = store.folder / "root"
    made = _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)])
    if made.returncode:
        raise CannotBuild(f"debootstrap did not make a base:\n{_tail(made.stdout)}")
    container = store.run("an empty container", "from", "scratch").strip()
    store.run("filling it", "add", "--quiet", container, str(root), "/")
    shutil.rmtree(root)
    store.run("keeping it", "commit", "--quiet", container, STAND_IN)
    store.run("clearing up", "rm", container)


class _Store:
    """buildah with a storage of its own, which is removed afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = ["--storage-driver", "vfs", "--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def run(self, what: str, *arguments: str) -> str:
        """What it printed. Raises Failed."""
        done = _run(["buildah", *self._options, *arguments])
        if done.returncode:
            raise Failed(f"{what} failed:\n{_tail(done.stdout)}")
        return done.stdout

    def remove(self) -> None:
        _run(["buildah", *self._options, "rm", "--all"])
        _run(["buildah", *self._options, "rmi", "--all", "--force"])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )


def _tail(output: str) -> str:
    return "\n".join(f"    | {line}" for line in output.splitlines()[-15:])


def main() -> int:
    try:
        check()
    except CannotBuild as reason:
        say(f"NOT CHECKED: no image was built, for {reason}")
        return 0
    except Failed as failure:
        say(str(failure))
        return 1
    say("the image is built and knows every role")
    return 0


if __name__ == "__main__":
    sys.exit(main())
