"""`make up BACKEND=docker` against a docker client that writes down what it is asked and answers as the real one does."""

import json
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import containers
from launcher.external import Listener
from launcher.suite import Suite, read_env, suite_of

CLIENT = f"""#!{sys.executable}
import json, os, pathlib, sys

here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "asked").open("a") as asked:
    asked.write(json.dumps([words, sorted(os.environ)]) + "\\n")
if words[0] == "compose" and words[1] != "version":
    words = ["compose", next(word for word in words if word in ("up", "down", "ps"))]
told = here / "-".join(words[:2])
if told.exists():
    lines = told.read_text().splitlines()
    code, said = lines[0], "\\n".join(lines[1:])
    print(said, file=sys.stdout if code == "0" else sys.stderr)
    sys.exit(int(code))
"""

Told = Callable[..., None]


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(containers, "LOOK_S", 0.01)
    return folder


@pytest.fixture
def client(bin_folder: Path) -> Told:
    """Put the client there; `client("compose-ps", 0, "…")` says what it answers from now on."""
    program = bin_folder / "docker"
    program.write_text(CLIENT)
    program.chmod(0o755)

    def told(command: str, code: int = 0, said: str = "") -> None:
        (bin_folder / command).write_text(f"{code}\n{said}")

    told("compose-ps", said=listed(container("router")))
    return told


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return suite_of({"BACKEND": "docker", "DATA_DIR": str(tmp_path / "data"), "PORT": "9000"})


def container(service: str, state: str = "running", health: str = "healthy", code: int = 0) -> dict[str, object]:
    return {"Service": service, "State": state, "Health": health, "ExitCode": code}


def listed(*found: dict[str, object]) -> str:
    return "\n".join(json.dumps(one) for one in found)


def asked(bin_folder: Path) -> list[list[str]]:
    return [json.loads(line)[0] for line in (bin_folder / "asked").read_text().splitlines()]


class Planted:
    """The demo's people, as far as this side is concerned."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self, url: str, api_key: str) -> dict[str, str]:
        self.times += 1
        assert url == "http://127.0.0.1:9000"
        assert api_key
        return {"INTEGRATION_KEY": "il1-key"}


class TestWithoutAnEngine:
    async def test_no_client(self, bin_folder: Path, suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
        assert await containers.up(suite) == 1
        assert "needs docker, which is not on the PATH" in capsys.readouterr().err
        assert not suite.data_dir.exists()

    @pytest.mark.parametrize(
        ("command", "words"),
        [("compose-version", "no «docker compose»"), ("version---format", "no Docker engine answers")],
    )
    async def test_no_plugin_and_no_engine(
        self, client: Told, suite: Suite, capsys: pytest.CaptureFixture[str], command: str, words: str
    ) -> None:
        client(command, 1, "Cannot connect to the Docker daemon")
        assert await containers.up(suite) == 1
        assert words in capsys.readouterr().err
        assert not suite.data_dir.exists()

    async def test_down_of_nothing_asks_nobody(self, bin_folder: Path, suite: Suite) -> None:
        assert await containers.down(suite) == 0
        assert not (bin_folder / "asked").exists()


class TestUp:
    async def test_it_builds_starts_waits_plants_once_and_greets(
        self, client: Told, bin_folder: Path, suite: Suite, capsys: pytest.CaptureFixture[str]
    ) -> None:
        planted = Planted()
        for _ in range(2):
            assert await containers.up(suite, planted) == 0
        assert planted.times == 1
        greeting = capsys.readouterr().out
        assert "Alarum is ready at http://127.0.0.1:9000" in greeting
        assert f"make down BACKEND=docker DATA_DIR={suite.data_dir}" in greeting
        (first, *_) = [words for words in asked(bin_folder) if "up" in words]
        assert first[-3:] == ["--detach", "--build", "--remove-orphans"]
        assert first[first.index("--env-file") + 1] == str(suite.data_dir / "docker" / "compose.env")
        assert first.count("--file") == 1

    async def test_what_is_handed_over_is_private_whole_and_the_same_again(self, client: Told, suite: Suite) -> None:
        file = suite.data_dir / "docker" / "compose.env"
        await containers.up(suite, Planted())
        first = read_env(file)
        await containers.up(suite, Planted())
        assert read_env(file) == first
        assert {"SECRET_KEY", "VAULT_KEYS", "PEOPLE_KEYS", "POSTGRES_PASSWORD", "FIRST_ADMIN_KEY"} <= set(first)
        assert (first["PORT"], first["PUBLIC_URL"]) == ("'9000'", "'http://127.0.0.1:9000'")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    async def test_others_settings_do_not_reach_compose(
        self, client: Told, bin_folder: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET_KEY", "another project's")  # it would win over what we give
        monkeypatch.setenv("DOCKER_HOST", "unix:///run/mine.sock")
        await containers.up(suite, Planted())
        for line in (bin_folder / "asked").read_text().splitlines():
            assert "SECRET_KEY" not in json.loads(line)[1]
            assert "DOCKER_HOST" in json.loads(line)[1]

    async def test_a_door_brings_its_own_file(self, client: Told, bin_folder: Path, suite: Suite) -> None:
        door = Listener("kafka.example.org", 9094, "/etc/kafka.pem", "dashboard", "a-long-password")
        await containers.up(replace(suite, door=door), Planted())
        (first, *_) = [words for words in asked(bin_folder) if "up" in words]
        assert [Path(first[n + 1]).name for n, word in enumerate(first) if word == "--file"] == [
            "docker-compose.yml",
            "external.yml",
        ]
        assert read_env(suite.data_dir / "docker" / "compose.env")["EXTERNAL_HOST"] == "'kafka.example.org'"

    async def test_a_value_that_cannot_be_quoted_is_named(
        self, client: Told, suite: Suite, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert await containers.up(replace(suite, smtp_url="smtp://o'brien@mail"), Planted()) == 1
        assert "SMTP_URL" in capsys.readouterr().err

    async def test_volumes_without_their_keys_are_not_opened_with_others(
        self, client: Told, suite: Suite, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client("volume-ls", said="alarum_kafka")
        assert await containers.up(suite, Planted()) == 1
        assert "secrets.env is gone" in capsys.readouterr().err
        assert not (suite.data_dir / "docker" / "secrets.env").exists()

    async def test_a_build_that_fails_is_told_in_its_own_words(
        self, client: Told, suite: Suite, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client("compose-up", 1, "failed to solve: python:3.11-slim")
        assert await containers.up(suite, Planted()) == 1
        assert "failed to solve: python:3.11-slim" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "waits",
        [
            container("ingest-web", health="starting"),
            container("ingest-web", health="unhealthy"),
            container("ingest-web", state="restarting", health=""),
            container("ingest-web", state="exited", health="", code=1),
        ],
    )
    async def test_who_is_not_ready_is_named(
        self,
        client: Told,
        suite: Suite,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        waits: dict[str, object],
    ) -> None:
        monkeypatch.setattr(containers, "READY_WITHIN_S", 0.5)
        client("compose-ps", said=listed(container("topics", "exited", "", 0), waits))
        assert await containers.up(suite, Planted()) == 1
        assert "these are not ready: ingest-web." in capsys.readouterr().err

    async def test_an_older_compose_lists_in_one_array(self, client: Told, suite: Suite) -> None:
        client("compose-ps", said=json.dumps([container("router"), container("kafka", health="")]))
        assert await containers.up(suite, Planted()) == 0


async def test_down_stops_what_was_started_and_keeps_volumes(client: Told, bin_folder: Path, suite: Suite) -> None:
    await containers.up(suite, Planted())
    assert await containers.down(suite) == 0
    assert asked(bin_folder)[-1][-2:] == ["down", "--remove-orphans"]  # without --volumes
    up = next(words for words in asked(bin_folder) if "up" in words)
    assert (
        up[up.index("--project-name") + 1] == asked(bin_folder)[-1][asked(bin_folder)[-1].index("--project-name") + 1]
    )


def test_two_folders_are_two_projects(tmp_path: Path) -> None:
    one, other = (containers.Compose(suite_of({"DATA_DIR": str(tmp_path / name)})) for name in ("one", "other"))
    assert one.project != other.project
