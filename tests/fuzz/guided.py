"""Bytes led by coverage: libFuzzer (atheris) changes the seeds of one target, and keeps what reaches new lines of ours.

`python -m tests.fuzz.guided [--seconds N] [TARGET…]` runs each target in a process of its own, for N seconds. Whatever it
finds is left in `reports/fuzz/<target>`, with the command that shows it again; the exit code then is 1.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
REPORTS: Final = ROOT / "reports" / "fuzz"
OURS: Final = ("events", "web", "ingest", "connectors", "runtime", "channels", "statuspage")
HANGS_AFTER_S: Final = 5
LONGEST: Final = 65_536
MEMORY_MB: Final = 2048


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--alone", action="store_true", help="this one target, in this process")
    parser.add_argument("--show", type=Path, help="only read this file's bytes, as the one target would")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    given = parser.parse_args(arguments)
    if find_spec("atheris") is None:
        sys.stderr.write("atheris has no wheel for this Python and machine; tests/fuzz/test_parsers.py does without\n")
        return 0
    if given.show is not None:
        _targets()[given.targets[0]](given.show.read_bytes())
        return 0
    if given.alone:
        _fuzz(given.targets[0], given.seconds)
        return 0
    names = given.targets or _names()
    found = [name for name in names if not _is_clean(name, given.seconds)]
    for name in found:
        sys.stderr.write(f"{name}: see {REPORTS / name}\n")
    return 1 if found else 0


def _names() -> Sequence[str]:
    return list(_targets())


def _targets() -> Any:
    from tests.fuzz.targets import TARGETS

    return TARGETS


def _is_clean(name: str, seconds: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz.guided", "--alone", "--seconds", str(seconds), name]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    last = [line for line in done.stdout.splitlines() if line.startswith(("#", "DONE", "==", "Done"))][-1:]
    sys.stdout.write(f"{name:16} {'clean' if done.returncode == 0 else 'FOUND'}  {' '.join(last)}\n")
    sys.stdout.flush()
    if done.returncode != 0:
        (REPORTS / name / "output.txt").write_text(f"{' '.join(command)}\n{done.stdout[-20_000:]}")
    return done.returncode == 0


def _fuzz(name: str, seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=[*OURS, "json", "urllib.parse"]):
        target = _targets()[name]
    folder = REPORTS / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    from tests.fuzz.nasty import SPLICES
    from tests.fuzz.seeds import SEEDS

    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in SPLICES if len(word) < 64))
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-timeout={HANGS_AFTER_S}",
            f"-max_len={LONGEST}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={folder}/",
            f"-dict={words}",
            str(corpus),
        ],
        target,
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
