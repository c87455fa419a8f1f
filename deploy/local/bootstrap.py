"""From a bare checkout, python3 and a network to `.venv`, `node_modules` and Kafka's jars; a second run only compares hashes.

Standard library only, and a grammar that old interpreters can still read, so that they can say that they are too old.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
PACKAGES = ["libs/events", "libs/runtime", "libs/channels", "libs/web"]
PACKAGES += [
    f"services/{service}" for service in ("accounts", "ingest", "escalator", "notifier", "connectors", "statuspage")
]
PACKAGES += ["deploy/local"]
ATTEMPTS = 4

# What belongs to a developer's other projects and would change what is installed or run here.
FOREIGN = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
]
FOREIGN += [
    "PIP_REQUIRE_VIRTUALENV",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_CONFIG_FILE",
    "UV_TARGET",
]
FOREIGN += ["UV_PREFIX", "UV_CONSTRAINT", "UV_OVERRIDE", "NODE_OPTIONS", "NODE_PATH", "NODE_ENV", "npm_config_prefix"]


def say(text: str) -> None:
    sys.stderr.write("  " + text + "\n")
    sys.stderr.flush()


def give_up(text: str) -> NoReturn:
    sys.stderr.write("\nalarum: " + text + "\n")
    sys.exit(1)


def check_python() -> None:
    if sys.version_info < (3, 11):
        give_up(
            "python3 is %d.%d here, and 3.11 or newer is needed. Install it and run `make PYTHON=python3.11 …`."
            % sys.version_info[:2]
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        give_up("this python3 cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")


def environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    env["PYTHONNOUSERSITE"] = "1"
    env["UV_PYTHON_DOWNLOADS"] = "never"
    env["UV_NO_PROGRESS"] = "1"
    if "PIP_INDEX_URL" in env:
        env.setdefault("UV_DEFAULT_INDEX", env["PIP_INDEX_URL"])  # one mirror setting is enough
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    env["PATH"] = str(VENV / "bin") + os.pathsep + env.get("PATH", os.defpath)  # npm looks for node on it
    return env


def fingerprint(paths: list[Path]) -> str:
    """One hash of where the checkout is, which Python runs, and what the files say."""
    digest = hashlib.sha256(("%s %s " % (ROOT, sys.version)).encode())
    for path in paths:
        digest.update(str(path).encode())
        digest.update(Path(path).read_bytes() if Path(path).exists() else b"-")
    return digest.hexdigest()


def is_done(stamp: Path, made_of: list[Path], result: Path) -> bool:
    return result.exists() and stamp.exists() and stamp.read_text() == fingerprint(made_of)


def run(what: str, command: list[str], download: bool = False) -> None:
    """Run quietly; a download is tried again; on failure show the last words and what may help."""
    started = time.monotonic()
    said = ""
    for attempt in range(1, (ATTEMPTS if download else 1) + 1):
        done = subprocess.run(
            command, check=False, cwd=str(ROOT), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            say("%s (%.1f s)" % (what, time.monotonic() - started))
            return
        if download and attempt < ATTEMPTS:
            say("%s: no luck, trying again (%d of %d)" % (what, attempt + 1, ATTEMPTS))
            time.sleep(3 * attempt)
    sys.stderr.write("\n".join("    | " + line for line in said.splitlines()[-15:]) + "\n")
    hint = (
        " Is there a network? Behind a proxy set https_proxy; for a mirror set PIP_INDEX_URL (Python),"
        " npm_config_registry (JavaScript), MAVEN_URL (Kafka's jars). What was downloaded is kept: run make again."
    )
    give_up("%s failed." % what + (hint if download else ""))


def uv_requirement() -> str:
    """The lines of the lock that pin uv itself, for pip to check."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("uv=="))
    block = [lines[start]]
    for line in lines[start + 1 :]:
        if not line.startswith("    --hash"):
            break
        block.append(line)
    return "\n".join(block) + "\n"


def install_uv() -> None:
    python, stamp = TOOLS / "bin" / "python", TOOLS / "uv.txt.done"
    wanted = uv_requirement()
    if (TOOLS / "bin" / "uv").exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if not works(python):
        run("make .tools", [sys.executable, "-m", "venv", "--clear", str(TOOLS)])
    (TOOLS / "uv.txt").write_text(wanted)
    pip = [str(python), "-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(TOOLS / "uv.txt")]
    run("fetch uv, the installer", pip, download=True)
    stamp.write_text(wanted)


def works(python: Path) -> bool:
    """Whether this interpreter starts: a moved checkout or an upgraded system leaves a dead one."""
    try:
        return subprocess.call([str(python), "-c", "import sys"], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def install_python_packages() -> None:
    made_of, stamp = [ROOT / "requirements.lock"], VENV / "locked.done"
    if is_done(stamp, made_of, VENV / "bin" / "python"):
        return
    uv = str(TOOLS / "bin" / "uv")
    if not works(VENV / "bin" / "python"):
        run("make .venv", [uv, "venv", "-q", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
    (VENV / "own.done").unlink(missing_ok=True)  # the next line removes them
    sync = [uv, "pip", "sync", "-q", "--require-hashes", "--python", str(VENV / "bin" / "python"), "requirements.lock"]
    run("fetch Python packages, Java, Postgres and Node (about 250 MB the first time)", sync, download=True)
    stamp.write_text(fingerprint(made_of))


def install_own_packages() -> None:
    made_of, stamp = [ROOT / package / "pyproject.toml" for package in PACKAGES], VENV / "own.done"
    if is_done(stamp, made_of, VENV / "bin" / "python"):
        return
    command = [str(TOOLS / "bin" / "uv"), "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    command += ["--python", str(VENV / "bin" / "python")]
    for package in PACKAGES:
        command += ["-e", str(ROOT / package)]
    run("install our own packages", command)
    stamp.write_text(fingerprint(made_of))


def install_browser_assets() -> None:
    made_of, stamp = [ROOT / "package-lock.json", ROOT / ".npmrc"], ROOT / "node_modules" / "npm.done"
    if is_done(stamp, made_of, ROOT / "node_modules"):
        return
    run("fetch what browsers need", [str(VENV / "bin" / "npm"), "ci", "--loglevel=error"], download=True)
    stamp.write_text(fingerprint(made_of))


def build_browser_assets() -> None:
    web = ROOT / "libs" / "web" / "web"
    made_of = [ROOT / "package-lock.json", web / "assets.py", *sorted((web / "static" / "src").rglob("*"))]
    made_of, stamp = [path for path in made_of if path.is_file()], ROOT / "node_modules" / "build.done"
    if is_done(stamp, made_of, web / "static" / "build"):
        return
    run("build the browser's files", [str(VENV / "bin" / "python"), "-m", "web.assets"])
    stamp.write_text(fingerprint(made_of))


def fetch_kafka() -> None:
    made_of, stamp = [ROOT / "deploy" / "local" / "jars.lock"], VENV / "jars.done"
    jars = stamp.read_text().splitlines() if stamp.exists() else []
    if len(jars) == 2 and jars[0] == fingerprint(made_of) and Path(jars[1]).is_dir():
        return
    where = subprocess.check_output([str(VENV / "bin" / "python"), "-m", "launcher.jars", "--where"], env=environment())
    run("fetch Kafka (45 jars, 43 MB)", [str(VENV / "bin" / "python"), "-m", "launcher.jars"], download=True)
    run("prepare Kafka for quick starts", [str(VENV / "bin" / "python"), "-m", "launcher.warm"])
    stamp.write_text(fingerprint(made_of) + "\n" + where.decode().strip())


def main() -> None:
    check_python()
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two makes in one checkout take turns
        install_uv()
        install_python_packages()
        install_own_packages()
        install_browser_assets()
        build_browser_assets()
        fetch_kafka()


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        if error.errno == 28 or shutil.disk_usage(str(ROOT)).free < 50_000_000:
            give_up("the disk is full: about 1 GB is needed in %s and the user's cache folder" % ROOT)
        give_up("%s. Can you write to %s?" % (error, ROOT))
    except KeyboardInterrupt:
        give_up("stopped. What was downloaded is kept.")
