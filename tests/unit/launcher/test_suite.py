"""What may be wished of a suite, and how its secrets are kept."""

import base64
import stat
from pathlib import Path

import pytest

from launcher.suite import CORE, FRONT, LAYOUTS, WrongWish, read_env, secrets_of, suite_of, write_env


class TestWishes:
    def test_nothing_wished_is_port_8080_and_a_folder_here(self) -> None:
        suite = suite_of({})
        assert (suite.url, suite.data_dir, suite.smtp_url) == ("http://127.0.0.1:8080", Path.cwd() / ".alarum", "")

    def test_wishes_survive_the_way_to_the_supervisor(self, tmp_path: Path) -> None:
        wished = suite_of(
            {"PORT": "9000", "DATA_DIR": str(tmp_path), "LAYOUT": "roles", "MINUTE_S": "2", "SMTP_URL": "smtp://x"}
        )
        assert suite_of(wished.wishes()) == wished

    def test_a_public_address_is_told_and_the_local_one_still_used(self) -> None:
        suite = suite_of({"PUBLIC_URL": "https://alarum.example.org/", "PORT": "9000"})
        assert (suite.url, suite.local_url) == ("https://alarum.example.org", "http://127.0.0.1:9000")

    def test_what_others_set_is_not_passed_on(self) -> None:
        assert suite_of({"DATABASE_URL": "postgresql://elsewhere", "SECRET_KEY": "x"}).passed_on == {}

    @pytest.mark.parametrize(
        "wish", [{"PORT": "http"}, {"PORT": "0"}, {"PORT": "65536"}, {"LAYOUT": "three"}, {"BACKEND": "podman"}]
    )
    def test_what_cannot_be_followed_is_named(self, wish: dict[str, str]) -> None:
        with pytest.raises(WrongWish, match=next(iter(wish))):
            suite_of(wish)

    def test_every_layout_hosts_every_role_once(self) -> None:
        for plans in LAYOUTS.values():
            assert sorted(role for plan in plans for role in plan.roles) == sorted((*FRONT, *CORE))


class TestSecrets:
    def test_they_are_made_once_and_private(self, tmp_path: Path) -> None:
        made = secrets_of(tmp_path)
        assert secrets_of(tmp_path) == made
        assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600

    def test_cells_get_256_bits(self, tmp_path: Path) -> None:
        name, _, key = secrets_of(tmp_path)["VAULT_KEYS"].partition(":")
        assert (name, len(base64.b64decode(key))) == ("k1", 32)

    def test_two_suites_share_none(self, tmp_path: Path) -> None:
        one, other = secrets_of(tmp_path / "one"), secrets_of(tmp_path / "other")
        assert {name for name in one if one[name] == other[name]} == {"FIRST_ADMIN_EMAIL"}

    def test_data_without_its_keys_is_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "kafka").mkdir()
        with pytest.raises(WrongWish, match=r"secrets\.env"):
            secrets_of(tmp_path)
        assert not (tmp_path / "secrets.env").exists()


def test_a_value_with_equal_signs_is_read_back(tmp_path: Path) -> None:
    write_env(tmp_path / "x.env", {"KEY": "k1:YWJj==", "EMPTY": ""})
    assert read_env(tmp_path / "x.env") == {"KEY": "k1:YWJj==", "EMPTY": ""}
