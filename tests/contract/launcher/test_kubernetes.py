"""deploy/k8s is what the code says, and what Kubernetes' own schemas, strictly read, let be said."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from pydantic import SecretStr

from launcher import kubernetes
from launcher.compose import container_of
from launcher.kubernetes import BASE, NEEDS, STEPS, Need
from runtime.host import ROUTER, known_roles
from runtime.positions import readers
from runtime.settings import Settings
from web.paths import TABLE, is_event_path, role_of
from web.router import upstreams_of

ROOT = Path(__file__).parents[3]
BASE_DIR = ROOT / BASE
EXAMPLE = ROOT / "deploy" / "k8s" / "example" / "kustomization.yaml"
OPERATIONS = ROOT / "docs" / "operations.md"
GUIDE = ROOT / "docs" / "kubernetes.md"
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
WORKLOADS = ("Deployment", "StatefulSet")
DEFAULTS = Settings.model_fields

Resource = dict[str, Any]


def listed() -> list[str]:
    found: list[str] = yaml.safe_load((BASE_DIR / "kustomization.yaml").read_text())["resources"]
    return found


def resources() -> list[Resource]:
    """What kustomize would hand over, but for what it generates."""
    return [one for name in listed() for one in yaml.safe_load_all((BASE_DIR / name).read_text())]


ALL = resources()


def kind(name: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in ALL if one["kind"] == name}


def workloads() -> dict[str, Resource]:
    """By role."""
    found = {name: one for kind_ in WORKLOADS for name, one in kind(kind_).items()}
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in found.values()}


def pod(resource: Resource) -> Resource:
    found: Resource = resource["spec"]["template"]["spec"]
    return found


def container(resource: Resource) -> Resource:
    (only,) = pod(resource)["containers"]
    found: Resource = only
    return found


def environment(resource: Resource) -> dict[str, Resource]:
    return {one["name"]: one for one in container(resource).get("env", ())}


def secrets(resource: Resource) -> set[str]:
    return {name for name, one in environment(resource).items() if "secretKeyRef" in one.get("valueFrom", {})}


def given() -> dict[str, str]:
    lines = (BASE_DIR / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def images(value: Any) -> Iterator[str]:
    match value:
        case {"image": str(image), **rest}:
            yield image
            yield from images(rest)
        case dict():
            for one in value.values():
                yield from images(one)
        case list():
            for one in value:
                yield from images(one)


def selected(policy: Resource, labels: dict[str, str]) -> bool:
    """Whether a pod with these labels is meant; what the schema allows beyond this is not used here."""
    return matches(policy["spec"]["podSelector"], labels)


def matches(selector: Resource, labels: dict[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    rules = selector.get("matchExpressions", ())
    assert {rule["operator"] for rule in rules} <= {"In"}
    return exact and all(labels.get(rule["key"]) in rule["values"] for rule in rules)


PODS = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in workloads().items()} | {
    name: one["spec"]["template"]["metadata"]["labels"] for name, one in kind("Job").items()
}


def opened(direction: str, role: str) -> list[Resource]:
    """The rules that let this pod's traffic through."""
    found = [one for one in kind("NetworkPolicy").values() if selected(one, PODS[role])]
    return [rule for one in found for rule in one["spec"].get(direction, ())]


def may_talk(sender: str, receiver: str, port: int) -> bool:
    """Both sides must allow it."""

    def through(rules: list[Resource], side: str, other: str) -> bool:
        return any(
            ("ports" not in rule or any(one["port"] == port for one in rule["ports"]))
            and any("podSelector" in peer and matches(peer["podSelector"], PODS[other]) for peer in rule.get(side, ()))
            for rule in rules
        )

    return through(opened("egress", sender), "to", receiver) and through(opened("ingress", receiver), "from", sender)


class TestWritten:
    def test_it_regenerates_without_a_difference(self) -> None:
        assert kubernetes.differences(ROOT) == [], "run: make docs"

    def test_a_difference_a_gap_and_a_stranger_are_told_and_mended(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert kubernetes.main([str(tmp_path)]) == 0
        (tmp_path / BASE / "steps.yaml").unlink()
        (tmp_path / BASE / "roles" / "stranger.yaml").write_text("kind: Secret\n")
        assert kubernetes.main(["--check", str(tmp_path)]) == 1
        told = capsys.readouterr().err
        assert "base/steps.yaml" in told
        assert "roles/stranger.yaml" in told
        assert kubernetes.main([str(tmp_path)]) == kubernetes.main(["--check", str(tmp_path)]) == 0

    def test_a_role_whose_needs_nobody_said_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kubernetes, "NEEDS", {name: need for name, need in NEEDS.items() if name != "ingest.web"})
        with pytest.raises(LookupError, match=r"what ingest\.web needs"):
            kubernetes.pods()

    def test_every_file_is_listed_and_every_listed_file_is_there(self) -> None:
        there = {file.relative_to(BASE_DIR).as_posix() for file in BASE_DIR.rglob("*.yaml")}
        assert set(listed()) == there - {"kustomization.yaml"}
        assert len(listed()) == len(set(listed()))


@pytest.fixture(scope="module")
def _schemas_read_once() -> Iterator[None]:
    """The validator reads a megabyte of definitions for each resource."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


@pytest.mark.usefixtures("_schemas_read_once")
class TestSchema:
    @pytest.mark.parametrize("version", [OLDEST, NEWEST])
    @pytest.mark.parametrize("resource", ALL, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
    def test_it_is_what_kubernetes_takes_and_nothing_besides(self, resource: Resource, version: str) -> None:
        kubernetes_validate.validate(resource, version, strict=True)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("readinessProbe:", "readyProbe:"),
            ("failureThreshold: 6", "failureThreshold: often"),
            ("apps/v1", "apps/v2"),
        ],
    )
    def test_a_slip_is_refused(self, old: str, new: str) -> None:
        text = (BASE_DIR / "roles" / "ingest-gateway.yaml").read_text()
        broken = next(yaml.safe_load_all(text.replace(old, new, 1)))
        with pytest.raises((kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)):
            kubernetes_validate.validate(broken, NEWEST, strict=True)

    def test_no_name_is_given_twice(self) -> None:
        names = [(one["kind"], one["metadata"]["name"]) for one in ALL]
        assert len(names) == len(set(names))

    def test_the_guide_says_from_which_version_on(self) -> None:
        assert f"Kubernetes {OLDEST} or newer" in GUIDE.read_text()


class TestRoles:
    def test_there_is_a_workload_for_each_role_and_each_runs_one(self) -> None:
        hosted = sorted(container(one)["args"] for one in workloads().values())
        assert hosted == sorted(["runtime.host", role] for role in (ROUTER, *known_roles()))
        assert all(one["metadata"]["name"] == container_of(role) for role, one in workloads().items())

    def test_whoever_reads_in_a_group_keeps_its_name(self) -> None:
        key = SecretStr("k1:" + "A" * 43 + "=")
        known = readers(Settings(secret_key=key, vault_keys=key, people_keys=key))
        roles = {role for role, one in workloads().items() if one["kind"] == "StatefulSet"}
        assert {reader for reader in known if reader in known_roles()} == roles
        for one in workloads().values():
            assert environment(one)["REPLICA"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
            assert one["spec"].get("serviceName", "pods") in kind("Service")

    def test_what_a_role_needs_is_what_the_table_says(self) -> None:
        table = OPERATIONS.read_text().partition("## Settings")[0]
        rows = re.findall(r"^\| `([\w.]+)` \| .+ \| (.+) \|$", table, re.MULTILINE)
        said = {role: {Need(word) for word in needs.removesuffix(" only").split(", ")} for role, needs in rows}
        assert said == NEEDS

    def test_whoever_serves_paths_has_a_door(self) -> None:
        served = {container_of(role) for _, role in TABLE} | {ROUTER}
        assert {name for name in kind("Service") if name != "pods"} == served
        for role, one in workloads().items():
            ports = {port["name"]: port["containerPort"] for port in container(one)["ports"]}
            expected = {"ops": int(given()["OPS_PORT"])}
            if container_of(role) in served:
                expected["http"] = int(given()["HTTP_PORT"])
            assert ports == expected

    def test_the_router_finds_every_role_of_the_path_table(self) -> None:
        upstreams = upstreams_of(environment(workloads()[ROUTER])["UPSTREAMS"]["value"])
        assert set(upstreams) == {role for _, role in TABLE}
        for role, url in upstreams.items():
            service = kind("Service")[url.removeprefix("http://").removesuffix(f":{given()['HTTP_PORT']}")]
            assert service["spec"]["selector"].items() <= PODS[role].items()
            assert service["spec"]["ports"][0]["port"] == int(given()["HTTP_PORT"])

    def test_what_tools_send_passes_the_router_by_and_nothing_else_does(self) -> None:
        (rule,) = kind("Ingress")["alarum"]["spec"]["rules"]
        doors = [(one["path"], one["pathType"], one["backend"]["service"]["name"]) for one in rule["http"]["paths"]]
        assert doors.pop() == ("/", "Prefix", ROUTER)
        assert {name for _, _, name in doors} == {"ingest-gateway"}
        assert all(is_event_path(path) and role_of(path) == "ingest.gateway" for path, _, _ in doors)
        below = [pattern for pattern, role in TABLE if role == "ingest.gateway"]
        assert len(doors) == len(below)
        assert {path for path, how, _ in doors if how == "Prefix"} == {
            pattern.removesuffix("/**") for pattern in below if pattern.endswith("/**")
        }

    def test_two_of_each_and_one_at_a_time_is_taken_away(self) -> None:
        scaled = {
            one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in kind("HorizontalPodAutoscaler").values()
        }
        assert "ingest-gateway" in scaled
        for role, one in workloads().items():
            name = one["metadata"]["name"]
            assert (name in scaled) == ("replicas" not in one["spec"]), "who scales it is one"
            assert (scaled[name]["minReplicas"] if name in scaled else one["spec"]["replicas"]) >= 2
            budget = kind("PodDisruptionBudget")[name]["spec"]
            assert budget["maxUnavailable"] == 1
            assert matches(budget["selector"], PODS[role])
            assert matches(one["spec"]["selector"], PODS[role])

    def test_only_who_holds_nothing_is_scaled(self) -> None:
        for one in kind("HorizontalPodAutoscaler").values():
            target = one["spec"]["scaleTargetRef"]
            assert target["kind"] == "Deployment"
            assert (
                Need.POSTGRES
                not in NEEDS[kind("Deployment")[target["name"]]["metadata"]["labels"]["app.kubernetes.io/component"]]
            )


class TestProbes:
    def test_they_ask_what_is_told(self) -> None:
        from runtime import health

        told = {route.path for route in health.app([]).routes}  # type: ignore[attr-defined]
        for one in workloads().values():
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container(one)[probe]["httpGet"]
                assert asked["path"] in told
                assert asked["port"] == "ops"
        assert given()["OPS_HOST"] == given()["HTTP_HOST"] == "0.0.0.0"

    def test_nobody_is_killed_for_waiting(self) -> None:
        for one in workloads().values():
            assert container(one)["livenessProbe"]["httpGet"]["path"] == "/healthz"
            started = container(one)["startupProbe"]
            if started["httpGet"]["path"] == "/readyz":
                assert started["failureThreshold"] * started["periodSeconds"] >= 86_400

    def test_nobody_is_sent_anything_before_it_was_ready_once(self) -> None:
        for role, one in workloads().items():
            asked = {container(one)[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")}
            assert "/readyz" in asked, role

    def test_web_roles_answer_while_what_they_need_is_away(self) -> None:
        for role, one in workloads().items():
            answers = container(one)["readinessProbe"]["httpGet"]["path"] == "/healthz"
            assert answers == role.endswith(".web")

    def test_there_is_time_to_end(self) -> None:
        ends_within_s = 5
        for one in workloads().values():
            first = container(one).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            assert pod(one)["terminationGracePeriodSeconds"] >= first + ends_within_s


class TestSettings:
    def test_every_setting_is_given_from_one_place(self) -> None:
        secret, own = kubernetes.secret_names(), kubernetes.OF_A_POD
        plain = set(given())
        assert plain | secret | own == {name.upper() for name in DEFAULTS}
        assert not plain & secret
        assert not plain & own
        for one in (*workloads().values(), *kind("Job").values()):
            assert container(one)["envFrom"] == [{"configMapRef": {"name": kubernetes.SETTINGS}}]

    def test_no_secret_is_in_the_open(self) -> None:
        private = {name.upper() for name, field in DEFAULTS.items() if field.annotation is SecretStr}
        assert private | {"DATABASE_URL"} <= kubernetes.secret_names()
        assert {one["kind"] for one in ALL} & {"Secret", "ConfigMap"} == set()

    def test_what_is_given_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in DEFAULTS:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in given().items():
            monkeypatch.setenv(name, value)
        settings = Settings()
        assert settings.public_url.startswith("https://")
        assert settings.minute_s == DEFAULTS["minute_s"].default

    def test_a_secret_reaches_only_who_reads_it(self) -> None:
        keys = {"SECRET_KEY", "VAULT_KEYS", "PEOPLE_KEYS", "DATABASE_URL"}
        for role, one in workloads().items():
            found = secrets(one)
            assert (keys <= found) == (Need.POSTGRES in NEEDS[role])
            assert ("KAFKA_PASSWORD" in found) == (Need.KAFKA in NEEDS[role])
            assert ("SMTP_URL" in found) == (Need.MAIL in NEEDS[role])
        assert secrets(workloads()["ingest.gateway"]) == {"KAFKA_PASSWORD", "SECRET_KEY"}
        assert secrets(workloads()[ROUTER]) == secrets(workloads()["statuspage.reader"]) == set()
        assert {role for role, one in workloads().items() if "FIRST_ADMIN_KEY" in secrets(one)} == {"accounts.web"}
        assert set.union(*map(secrets, workloads().values())) == kubernetes.secret_names()

    def test_a_suite_without_keys_does_not_begin(self) -> None:
        for one in workloads().values():
            for name in secrets(one) & {"SECRET_KEY", "VAULT_KEYS", "PEOPLE_KEYS", "DATABASE_URL"}:
                assert environment(one)[name]["valueFrom"]["secretKeyRef"]["optional"] is False

    def test_a_role_can_be_made_of_what_it_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        values = {"VAULT_KEYS": "k1:" + "A" * 43 + "=", "PEOPLE_KEYS": "k1:" + "A" * 43 + "=", "SECRET_KEY": "k" * 32}
        for role, entry in known_roles().items():
            for name in DEFAULTS:
                monkeypatch.delenv(name.upper(), raising=False)
            for name in secrets(workloads()[role]) & values.keys():
                monkeypatch.setenv(name, values[name])
            assert entry.load()(Settings()).name == role

    def test_the_kafka_authority_is_where_the_example_looks(self) -> None:
        (example,) = yaml.safe_load(EXAMPLE.read_text())["configMapGenerator"]
        file = next(word.partition("=")[2] for word in example["literals"] if word.startswith("KAFKA_CA_FILE="))
        for role, one in workloads().items():
            mounts = {mount["name"]: mount["mountPath"] for mount in container(one)["volumeMounts"]}
            assert mounts.get("kafka-ca") == (str(Path(file).parent) if Need.KAFKA in NEEDS[role] else None)
        assert f"--from-file={Path(file).name}" in GUIDE.read_text()


class TestSafety:
    @pytest.mark.parametrize(
        "resource", [*workloads().values(), *kind("Job").values()], ids=lambda one: one["metadata"]["name"]
    )
    def test_a_pod_may_do_nothing_but_its_work(self, resource: Resource) -> None:
        one, whole = container(resource), pod(resource)
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert whole["securityContext"]["runAsNonRoot"] is True
        assert whole["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert whole["automountServiceAccountToken"] is whole["enableServiceLinks"] is False
        assert {"cpu", "memory"} <= one["resources"]["requests"].keys()
        assert "memory" in one["resources"]["limits"]

    def test_it_runs_as_who_owns_the_images_folders(self) -> None:
        dockerfile = (ROOT / "deploy" / "images" / "Dockerfile").read_text()
        (user,) = re.findall(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)
        for one in workloads().values():
            assert str(pod(one)["securityContext"]["runAsUser"]) == user

    def test_every_image_is_the_same_and_has_a_version(self) -> None:
        (image,) = set(images(ALL))
        assert re.fullmatch(r"alarum:\d+\.\d+\.\d+", image)
        (example,) = yaml.safe_load(EXAMPLE.read_text())["images"]
        assert example["name"] == image.partition(":")[0]
        assert re.fullmatch(r"\d+\.\d+\.\d+", str(example["newTag"]))

    def test_only_the_writer_of_status_pages_may_change_them(self) -> None:
        found = {}
        for role, one in workloads().items():
            for mount in container(one)["volumeMounts"]:
                if mount["name"] == "pages":
                    found[role] = mount.get("readOnly", False)
                    assert mount["mountPath"] == given()["PAGES_DIR"]
        assert found == {"statuspage.worker": False, "statuspage.reader": True}
        assert kind("PersistentVolumeClaim")["pages"]["spec"]["accessModes"] == ["ReadWriteMany"]

    def test_what_is_mounted_is_there(self) -> None:
        for one in (*workloads().values(), *kind("Job").values()):
            assert {mount["name"] for mount in container(one)["volumeMounts"]} == {
                volume["name"] for volume in pod(one)["volumes"]
            }
            for volume in pod(one)["volumes"]:
                if "persistentVolumeClaim" in volume:
                    assert volume["persistentVolumeClaim"]["claimName"] in kind("PersistentVolumeClaim")


class TestNetwork:
    def test_every_pod_is_shut_in_both_directions(self) -> None:
        shut = kind("NetworkPolicy")["nobody-to-nobody"]
        assert shut["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in shut["spec"]
        assert "egress" not in shut["spec"]
        assert all(selected(shut, labels) for labels in PODS.values())

    def test_every_selector_means_somebody(self) -> None:
        for name, one in kind("NetworkPolicy").items():
            assert any(selected(one, labels) for labels in PODS.values()), name
            for rule in one["spec"].get("podSelector", {}).get("matchExpressions", ()):
                assert set(rule["values"]) <= {*NEEDS, *STEPS}

    def test_roles_meet_in_kafka_and_nowhere_else(self) -> None:
        port = int(given()["HTTP_PORT"])
        talks = {(one, other) for one in PODS for other in PODS if one != other and may_talk(one, other, port)}
        served = {role for _, role in TABLE}
        assert talks == {(ROUTER, role) for role in served} | {("ingest.web", "ingest.gateway")}
        assert not any(may_talk(one, other, int(given()["OPS_PORT"])) for one in PODS for other in PODS)

    @pytest.mark.parametrize(
        ("need", "port"), [(Need.KAFKA, 9092), (Need.KAFKA, 9094), (Need.POSTGRES, 5432), (Need.MAIL, 587)]
    )
    def test_a_server_is_reached_by_whoever_needs_it(self, need: Need, port: int) -> None:
        def covers(rule: Resource) -> bool:
            return "to" not in rule and any(
                one["port"] <= port <= one.get("endPort", one["port"]) for one in rule["ports"]
            )

        reached = {role for role in PODS if any(covers(rule) for rule in opened("egress", role))}
        assert reached == {role for role, needs in NEEDS.items() if need in needs} | {
            step for step, needed in STEPS.items() if needed is need
        }

    def test_private_networks_are_not_the_outside(self) -> None:
        out = {role for role in PODS if any("ports" not in rule for rule in opened("egress", role))}
        assert out == {role for role, needs in NEEDS.items() if Need.TOOLS in needs}
        (rule,) = kind("NetworkPolicy")["to-other-tools"]["spec"]["egress"]
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= {
            one for peer in rule["to"] for one in peer["ipBlock"]["except"]
        }

    def test_the_outside_comes_in_by_three_doors(self) -> None:
        def from_outside(role: str) -> bool:
            named = [peer for rule in opened("ingress", role) for peer in rule["from"] if "namespaceSelector" in peer]
            return any("alarum/ingress" in peer["namespaceSelector"]["matchLabels"] for peer in named)

        assert {role for role in PODS if from_outside(role)} == {ROUTER, "ingest.gateway", "statuspage.reader"}


class TestOrder:
    def test_the_steps_run_what_the_guide_of_operations_says(self) -> None:
        commands = {f"python -m {container(one)['args'][0]}" for one in kind("Job").values()}
        assert all(command in OPERATIONS.read_text() for command in commands)
        assert set(kind("Job")) == set(STEPS)

    def test_one_label_tells_the_roles_from_what_comes_before_them(self) -> None:
        tiers = {
            (one["kind"], one["metadata"]["name"]): one["metadata"].get("labels", {}).get("alarum/tier") for one in ALL
        }
        later = {kind_ for (kind_, _), tier in tiers.items() if tier == "role"}
        assert later == {*WORKLOADS, "PodDisruptionBudget", "HorizontalPodAutoscaler"}
        assert all(tier == "role" for (kind_, _), tier in tiers.items() if kind_ in later)
        assert {tier for (kind_, _), tier in tiers.items() if kind_ == "Job"} == {"step"}
        for selector in ("alarum/tier!=role", "alarum/tier=role"):
            assert f"--selector '{selector}'" in GUIDE.read_text()


class TestExample:
    def test_it_says_nothing_that_the_base_has_not(self) -> None:
        said = yaml.safe_load(EXAMPLE.read_text())
        assert [(EXAMPLE.parent / name).resolve() for name in said["resources"]] == [BASE_DIR]
        base = yaml.safe_load((BASE_DIR / "kustomization.yaml").read_text())
        assert said["namespace"] == base["namespace"]
        (settings,) = said["configMapGenerator"]
        assert (settings["name"], settings["behavior"]) == (base["configMapGenerator"][0]["name"], "merge")
        assert {word.partition("=")[0] for word in settings["literals"]} <= given().keys()
        (secret,) = said["secretGenerator"]
        assert secret["name"] == kubernetes.SECRETS
        assert secret["envs"] == (EXAMPLE.parent / ".gitignore").read_text().split()

    def test_its_patches_find_what_they_change(self) -> None:
        for patch in yaml.safe_load(EXAMPLE.read_text())["patches"]:
            target = kind(patch["target"]["kind"])[patch["target"]["name"]]
            for change in yaml.safe_load(patch["patch"]):
                *way, last = change["path"].split("/")[1:]
                place: Any = target
                for step in way:
                    place = place[int(step)] if step.isdigit() else place[step]
                exists = int(last) < len(place) if last.isdigit() else last in place
                assert exists == (change["op"] == "replace"), change

    def test_the_guide_makes_every_secret_that_a_suite_cannot_be_without(self) -> None:
        wanted = {
            name
            for one in (*workloads().values(), *kind("Job").values())
            for name in secrets(one)
            if not environment(one)[name]["valueFrom"]["secretKeyRef"]["optional"]
        }
        text = GUIDE.read_text()
        assert {name for name in wanted if not re.search(rf"\b{name}=", text)} == set()
