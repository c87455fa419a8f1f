"""The supervisor with real servers and toy processes: order, restarts, an end that leaves nothing."""

import asyncio
import contextlib
import ssl
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from events.topics import TRAFFIC_PARTITIONS
from launcher.external import Listener
from launcher.processes import free_port
from launcher.server import ServerFailed, is_listening
from launcher.suite import FRONT, Suite, read_env, secrets_of
from launcher.supervisor import Programs, Supervisor
from tests.authority import Authority

TOY = str(Path(__file__).with_name("toy_host.py"))


async def plant(_url: str, api_key: str) -> dict[str, str]:
    assert api_key
    return {"INTEGRATION_KEY": "planted"}


TOYS = Programs(host=(TOY,), topics=("-c", "pass"), migrate=("-c", "pass"), plant=plant)


def suite_in(tmp_path: Path, **wishes: Any) -> Suite:
    return Suite(data_dir=tmp_path / "data", port=free_port(), **wishes)


@contextlib.asynccontextmanager
async def running(suite: Suite, programs: Programs = TOYS) -> AsyncIterator[list[str]]:
    said: list[str] = []
    supervisor = Supervisor(suite, said.append, programs)
    try:
        await supervisor.start()
        watching = asyncio.create_task(supervisor.watch())
        yield said
        watching.cancel()
    finally:
        await supervisor.stop()


async def ask(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as http:
        return dict((await http.get(url)).json())


def live_processes(data_dir: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = " ".join(process.info["cmdline"] or []) + str(
            (process.info["environ"] or {}).get("KAFKA_BOOTSTRAP", "")
        )
        if str(data_dir) in words:
            found.append(words)
    return found


class Running(NamedTuple):
    suite: Suite
    said: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One suite for those tests that may share it: a start costs seconds."""
    suite = suite_in(tmp_path_factory.mktemp("shared"), passed_on={"MINUTE_S": "2"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", "postgresql://elsewhere")
        patch.setenv("PYTHONPATH", "/elsewhere")
        async with running(suite) as said:
            yield Running(suite, said)


@pytest.mark.asyncio(loop_scope="module")
class TestStart:
    async def test_front_and_core_share_out_the_roles_and_only_the_front_is_public(self, started: Running) -> None:
        front = await ask(started.suite.url)
        assert front["roles"] == list(FRONT)
        upstreams = dict(pair.split("=", 1) for pair in front["env"]["UPSTREAMS"].split(","))
        core = await ask(upstreams["ingest.web"])
        assert set(core["roles"]) == set(upstreams)
        assert core["pid"] != front["pid"]

    async def test_processes_inherit_nothing_of_other_projects(self, started: Running) -> None:
        env = (await ask(started.suite.url))["env"]
        assert "PYTHONPATH" not in env
        assert "elsewhere" not in env["DATABASE_URL"]
        assert env["DATABASE_URL"].endswith("/{service}")
        assert env["MINUTE_S"] == "2"

    async def test_dev_env_is_private_and_says_what_scripts_need(self, started: Running) -> None:
        file = started.suite.data_dir / "dev.env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        known = read_env(file)
        assert known["URL"] == started.suite.url
        assert known["INTEGRATION_KEY"] == "planted"
        assert known["API_KEY"] == secrets_of(started.suite.data_dir)["FIRST_ADMIN_KEY"]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{known['MAIL_URL']}/api/messages")).json() == []

    async def test_a_process_that_dies_is_started_again_with_the_same_address(self, started: Running) -> None:
        url = started.suite.url
        first = (await ask(url))["pid"]
        with pytest.raises(httpx.TransportError):
            await ask(f"{url}/die")
        async with asyncio.timeout(30):
            while (again := await pid_at(url)) is None:
                await asyncio.sleep(0.1)
        assert again != first
        assert any("front ended" in line for line in started.said)

    async def test_a_killed_postgres_is_started_again_at_its_address(self, started: Running) -> None:
        port = urlsplit(read_env(started.suite.data_dir / "dev.env")["DATABASE_URL"]).port
        [postmaster] = [c.pid for c in psutil.net_connections("tcp") if c.laddr[1] == port and c.status == "LISTEN"]
        assert postmaster is not None
        psutil.Process(postmaster).kill()
        async with asyncio.timeout(30):
            while "postgres is back" not in started.said:
                await asyncio.sleep(0.1)
        assert await is_listening(port or 0)


class TestAgain:
    async def test_a_second_start_plants_nothing_keeps_keys_and_ports_and_an_end_leaves_nothing_running(
        self, tmp_path: Path
    ) -> None:
        suite = suite_in(tmp_path)
        async with running(suite):
            before = read_env(suite.data_dir / "dev.env")
            assert live_processes(suite.data_dir) != []
        assert live_processes(suite.data_dir) == []

        async def never(_url: str, _key: str) -> dict[str, str]:
            raise AssertionError("planted twice")

        async with running(suite, replace(TOYS, plant=never)):
            assert read_env(suite.data_dir / "dev.env") == before


class TestWishes:
    async def test_a_process_for_each_role_and_a_mail_server_of_ones_own(self, tmp_path: Path) -> None:
        suite = suite_in(tmp_path, layout="roles", smtp_url="smtp://mail.example.org:25")
        async with running(suite):
            front = await ask(suite.url)
            assert front["roles"] == ["router"]
            assert front["env"]["SMTP_URL"] == "smtp://mail.example.org:25"
            assert read_env(suite.data_dir / "dev.env")["MAIL_URL"] == ""
            for pair in front["env"]["UPSTREAMS"].split(","):
                role, _, url = pair.partition("=")
                assert (await ask(url))["roles"] == [role]


class TestTrouble:
    async def test_a_process_that_ends_while_starting_shows_its_last_words_and_nothing_is_left(
        self, tmp_path: Path
    ) -> None:
        suite = suite_in(tmp_path, passed_on={"MAIL_FROM": "crash-at-start"})
        with pytest.raises(ServerFailed, match="the toy was told to crash"):
            async with running(suite):
                raise AssertionError("it started")
        assert live_processes(suite.data_dir) == []

    async def test_a_step_that_fails_shows_its_last_words(self, tmp_path: Path) -> None:
        suite = suite_in(tmp_path)
        with pytest.raises(ServerFailed, match="no room for topics"):
            async with running(suite, replace(TOYS, topics=("-c", "import sys; sys.exit('no room for topics')"))):
                raise AssertionError("it started")
        assert live_processes(suite.data_dir) == []


async def pid_at(url: str) -> int | None:
    with contextlib.suppress(httpx.TransportError):
        return int((await ask(url))["pid"])
    return None


async def test_a_suite_with_a_door_is_ready_when_others_may_read(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority(tmp_path)
    door = Listener("127.0.0.1", port, str(authority.certificate("127.0.0.1")), "dashboard", "what-they-know")
    made = replace(TOYS, topics=("-m", "runtime.topics"))
    async with running(suite_in(tmp_path, door=door), made) as said:
        assert f"others read the event stream at 127.0.0.1:{port}" in said
        consumer = AIOKafkaConsumer(
            "alerts.v1",
            bootstrap_servers=f"127.0.0.1:{port}",
            security_protocol="SASL_SSL",
            ssl_context=ssl.create_default_context(cafile=authority.file),
            sasl_mechanism="PLAIN",
            sasl_plain_username="dashboard",
            sasl_plain_password="what-they-know",
        )
        async with consumer:
            assert len(consumer.assignment()) == TRAFFIC_PARTITIONS
