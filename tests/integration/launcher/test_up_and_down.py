"""`make up` and `make down` at their edges: taken ports, bad folders, nothing to stop, what a crash left over."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.down import down
from launcher.native import Postgres
from launcher.processes import family, free_port, identify, is_alive, recall, remember, signal_all, spawn, wait_until
from launcher.suite import Suite
from launcher.up import up

TOYS = [str(Path(__file__).with_name("toy_supervisor.py"))]


def launcher(what: str, data_dir: Path, port: int = 8080) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), "PORT": str(port)}
    command = [sys.executable, "-m", "launcher", what]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


class TestUp:
    def test_a_port_that_is_in_use_is_named_and_nothing_is_started(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = launcher("up", tmp_path / "data", port)
        assert done.returncode == 1
        assert f"port {port} is in use" in done.stderr
        assert f"make up PORT={port + 1}" in done.stderr
        assert not (tmp_path / "data" / "kafka").exists()

    def test_a_folder_that_cannot_be_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = launcher("up", tmp_path / "file" / "data")
        assert done.returncode == 1
        assert f"DATA_DIR={tmp_path}/file/data cannot be written" in done.stderr


class TestLife:
    async def test_up_leaves_a_suite_that_a_second_up_finds_and_down_ends(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        suite = Suite(tmp_path / "data", free_port())
        assert await up(suite, daemon=TOYS) == 0
        first = capsys.readouterr().out
        supervisor = recall(suite.data_dir / "run" / "supervisor.json")
        assert supervisor is not None
        assert "Kafka ready" in first
        assert f"Alarum is ready at {suite.url}" in first
        assert re.search(rf"^curl -sS {suite.url}/api/events .*planted", first, re.MULTILINE)
        members = family(supervisor)
        try:
            assert await up(suite, daemon=TOYS) == 0
            again = capsys.readouterr().out
            assert f"Alarum is already running at {suite.url}" in again
            assert "ready (" not in again
            assert family(supervisor) == members
        finally:
            assert await down(suite) == 0
        assert "Stopped. The data stays" in capsys.readouterr().out
        assert not any(map(is_alive, members))

    async def test_a_killed_supervisor_is_cleaned_up_by_the_next_start(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        suite = Suite(tmp_path / "data", free_port())
        assert await up(suite, daemon=TOYS) == 0
        supervisor = recall(suite.data_dir / "run" / "supervisor.json")
        assert supervisor is not None
        orphans = family(supervisor)[1:]
        signal_all([supervisor], signal.SIGKILL)
        try:
            assert await wait_until(lambda: not is_alive(supervisor), 10)
            capsys.readouterr()
            assert await up(suite, daemon=TOYS) == 0
            assert "Alarum is ready at" in capsys.readouterr().out
            assert not any(map(is_alive, orphans))
        finally:
            await down(suite)

    async def test_a_start_that_fails_says_why_and_leaves_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        suite = Suite(tmp_path / "data", free_port(), passed_on={"MAIL_FROM": "crash-at-start"})
        assert await up(suite, daemon=TOYS) == 1
        assert "the toy was told to crash" in capsys.readouterr().err
        await down(suite)
        assert "Nothing runs" in capsys.readouterr().out


class TestDown:
    def test_where_nothing_runs_it_says_so(self, tmp_path: Path) -> None:
        done = launcher("down", tmp_path)
        assert (done.returncode, done.stdout) == (0, f"Nothing runs from {tmp_path}.\n")

    async def test_what_a_crash_left_over_is_ended(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        left = Postgres(tmp_path)
        await left.start()
        pid = left.pid
        assert await down(Suite(tmp_path)) == 0
        assert identify(pid) is None
        assert "1 left over from a crash" in capsys.readouterr().out

    async def test_a_stranger_with_a_recorded_pid_is_left_alone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stranger = spawn([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "stranger.log")
        now = identify(stranger.pid)
        assert now is not None
        remember(tmp_path / "run" / "supervisor.json", type(now)(now.pid, now.started - 3600))
        try:
            assert await down(Suite(tmp_path)) == 0
            assert identify(stranger.pid) == now
            assert "Nothing runs" in capsys.readouterr().out
        finally:
            stranger.send_signal(signal.SIGKILL)
            stranger.wait()
