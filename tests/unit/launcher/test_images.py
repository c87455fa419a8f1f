"""Where no image can be built, `make check-images` says why and fails nobody; where one can, its failure is one."""

from pathlib import Path

import pytest

from launcher import images


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def buildah(folder: Path, *arms: str) -> None:
    program = folder / "buildah"
    program.write_text('#!/bin/sh\ncase "$*" in\n' + "".join(f"{arm}\n" for arm in arms) + "esac\n")
    program.chmod(0o755)


def test_without_buildah_it_says_what_to_install(bin_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert images.main() == 0
    assert "NOT CHECKED: no image was built, for there is no buildah" in capsys.readouterr().out


def test_without_a_base_it_says_so(bin_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buildah(bin_folder, "*pull*) echo no such host; exit 1;;")
    assert images.main() == 0
    assert "the base image cannot be fetched, and making one needs root and debootstrap" in capsys.readouterr().out


def test_a_build_that_fails_is_a_failure(bin_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buildah(bin_folder, "*bud*) echo npm: no such package; exit 1;;")
    assert images.main() == 1
    assert "npm: no such package" in capsys.readouterr().out


def test_an_image_without_a_role_is_a_failure(bin_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buildah(bin_folder, '*" from "*) echo alarum-working-container;;', "*--help*) echo ROLE of ingest.worker;;")
    assert images.main() == 1
    assert "the image lacks router" in capsys.readouterr().out
