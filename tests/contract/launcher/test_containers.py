"""docker-compose.yml and the Dockerfile are what the code says, and what compose and hadolint say of them can be said."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher import compose
from launcher.suite import LAYOUTS, secrets_of
from runtime.host import ROUTER, known_roles
from runtime.settings import Settings
from web.paths import TABLE
from web.router import upstreams_of

ROOT = Path(__file__).parents[3]
FILES = [ROOT / path for path in compose.documents()]
DOCKERFILE = ROOT / "deploy" / "images" / "Dockerfile"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILES[0].read_text())["services"]
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def schema_check(*files: Path) -> subprocess.CompletedProcess[str]:
    return run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


class TestWritten:
    def test_it_regenerates_without_a_difference(self) -> None:
        assert compose.differences(ROOT) == [], "run: make docs"

    def test_a_difference_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert compose.main(["--check", str(tmp_path)]) == 1
        assert "docker-compose.yml is not what `make docs` would write" in capsys.readouterr().err
        assert compose.main([str(tmp_path)]) == compose.main(["--check", str(tmp_path)]) == 0

    def test_it_names_no_machine(self) -> None:
        for file in FILES:
            assert str(ROOT) not in file.read_text()

    def test_the_schema_holds_and_can_be_broken(self, tmp_path: Path) -> None:
        assert schema_check(*FILES).returncode == 0
        broken = tmp_path / "docker-compose.yml"
        broken.write_text(FILES[0].read_text().replace("depends_on:", "depend_on:"))
        done = schema_check(broken)
        assert done.returncode == 1
        assert "depend_on" in done.stdout

    def test_the_dockerfile_is_linted_and_a_bad_one_is_refused(self, tmp_path: Path) -> None:
        done = run(BIN / "hadolint", DOCKERFILE)
        assert done.returncode == 0, done.stdout
        bad = tmp_path / "Dockerfile"
        bad.write_text(DOCKERFILE.read_text() + "RUN cd /tmp && sudo true\n")
        assert run(BIN / "hadolint", bad).returncode == 1


class TestRoles:
    def test_there_is_a_container_for_each_role_and_each_runs_one(self, services: dict[str, Any]) -> None:
        hosted = [one["command"][1:] for one in services.values() if one.get("command", [""])[0] == "runtime.host"]
        assert sorted(hosted) == sorted([role] for role in (ROUTER, *known_roles()))

    def test_they_are_those_of_make_up(self) -> None:
        assert {role for plan in LAYOUTS["roles"] for role in plan.roles} == {ROUTER, *known_roles()}

    def test_the_router_finds_every_role_of_the_path_table(self, services: dict[str, Any]) -> None:
        upstreams = upstreams_of(services["router"]["environment"]["UPSTREAMS"])
        assert set(upstreams) == {role for _, role in TABLE}
        for role, url in upstreams.items():
            container = services[url.removeprefix("http://").removesuffix(":8080")]
            assert container["command"] == ["runtime.host", role]

    def test_events_are_taken_and_pages_read_without_a_database(self, services: dict[str, Any]) -> None:
        assert set(services["ingest-gateway"]["depends_on"]) == {"topics"}
        assert "depends_on" not in services["statuspage-reader"]
        assert "depends_on" not in services["router"]

    def test_what_containers_refer_to_is_there(self, services: dict[str, Any]) -> None:
        whole = yaml.safe_load(FILES[0].read_text())
        waited_for = {name for one in services.values() for name in one.get("depends_on", {})}
        mounted = {mount.partition(":")[0] for one in services.values() for mount in one.get("volumes", ())}
        assert waited_for <= set(services)
        assert mounted == set(whole["volumes"])

    def test_whoever_decides_waits_for_topics_and_tables(self, services: dict[str, Any]) -> None:
        for role in known_roles():
            if role.endswith((".worker", ".web")):
                waits = services[compose.container_of(role)]["depends_on"]
                assert set(waits) == {"topics", "migrate"}
                assert {one["condition"] for one in waits.values()} == {"service_completed_successfully"}

    def test_only_the_writer_of_status_pages_may_change_them(self, services: dict[str, Any]) -> None:
        mounts = {name: one["volumes"] for name, one in services.items() if "pages:" in str(one.get("volumes"))}
        assert mounts.pop("statuspage-reader") == [f"pages:{compose.PAGES}:ro"]
        assert all(found == [f"pages:{compose.PAGES}"] for found in mounts.values())
        assert "statuspage-worker" in mounts

    def test_nothing_but_the_router_and_the_mail_viewer_is_reached_from_outside(self, services: dict[str, Any]) -> None:
        assert {name for name, one in services.items() if "ports" in one} == {"router", "mail"}
        assert all("127.0.0.1" in port for name in ("router", "mail") for port in services[name]["ports"])

    def test_ours_may_write_nothing_but_their_volumes(self, services: dict[str, Any]) -> None:
        for name in set(services) - {"kafka", "postgres"}:
            assert services[name]["read_only"] is True
            assert services[name]["cap_drop"] == ["ALL"]


class TestSettings:
    def test_every_setting_of_a_process_can_be_given_and_no_other_is(self, services: dict[str, Any]) -> None:
        known = {name.upper() for name in Settings.model_fields}
        assert set(services["ingest-worker"]["environment"]) == known - {"UPSTREAMS"}
        assert set(services["router"]["environment"]) == known

    def test_a_suite_without_secrets_does_not_begin(self, services: dict[str, Any]) -> None:
        given = services["ingest-worker"]["environment"]
        assert all(given[name].startswith(f"${{{name}:?") for name in ("SECRET_KEY", "VAULT_KEYS", "PEOPLE_KEYS"))
        assert "${POSTGRES_PASSWORD:?" in given["DATABASE_URL"]

    def test_what_make_up_makes_is_what_it_asks_for(self, tmp_path: Path) -> None:
        assert set(compose.SECRETS) <= {*secrets_of(tmp_path), "POSTGRES_PASSWORD"}

    def test_the_broker_is_told_what_the_native_one_is(self, services: dict[str, Any]) -> None:
        from launcher.native import BROKER_SETTINGS

        told = services["kafka"]["environment"]
        for name, value in BROKER_SETTINGS.items():
            assert told["KAFKA_" + name.upper().replace(".", "_")] == value


class TestForOthers:
    def test_the_listener_keeps_the_brokers_own_and_adds_one_with_tls(self, services: dict[str, Any]) -> None:
        own, told = services["kafka"]["environment"], yaml.safe_load(FILES[1].read_text())["services"]["kafka"]
        given = told["environment"]
        assert given["KAFKA_LISTENERS"] == own["KAFKA_LISTENERS"] + ",EXTERNAL://:9094"
        assert given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].endswith(",EXTERNAL:SASL_SSL")
        assert given["KAFKA_SUPER_USERS"] == "User:ANONYMOUS"
        login = given["KAFKA_LISTENER_NAME_EXTERNAL_PLAIN_SASL_JAAS_CONFIG"]
        assert login.endswith(
            'required user_${EXTERNAL_USER:?a word of a-z and 0-9}="${EXTERNAL_PASSWORD:?a long one}";'
        )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_what_it_copies_and_mounts_exists(file: Path) -> None:
    for one in yaml.safe_load(file.read_text())["services"].values():
        if "build" in one:
            assert (ROOT / one["build"]["dockerfile"]).is_file()
    copied = [
        line.split()[1] for line in DOCKERFILE.read_text().splitlines() if line.startswith("COPY ") and "--" not in line
    ]
    assert all((ROOT / path).exists() for path in copied)
    kept = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert all(any(path == one or path.startswith(one + "/") for one in kept) for path in copied)
