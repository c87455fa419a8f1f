"""The folder of public pages: whole versions, changed from one moment to the next, and cleared away."""

from pathlib import Path

import pytest

from statuspage.files import HOSTS, LIVE, VERSIONS, Shelf


def shown(root: Path, subdomain: str) -> dict[str, bytes]:
    folder = root / LIVE / subdomain
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_page_is_all_of_its_files_and_nothing_of_before(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.put("acme", {"index.html": b"1", "incidents/7.html": b"7"})
    assert shelf.put("acme", {"index.html": b"2"})
    assert shown(tmp_path, "acme") == {"index.html": b"2"}
    assert not shelf.put("acme", {"index.html": b"2"})


def test_what_is_being_read_stays_for_a_while_and_older_ones_go(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("acme", {"index.html": b"0"})
    reading = (tmp_path / LIVE / "acme").resolve()
    shelf.put("acme", {"index.html": b"1"})
    assert (reading / "index.html").read_bytes() == b"0"
    shelf.put("acme", {"index.html": b"2"})
    assert not reading.exists()
    assert len(list((tmp_path / VERSIONS).iterdir())) == 2


def test_two_writers_of_the_same_page_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path), Shelf(tmp_path)
    for content in (b"1", b"2", b"1", b"3"):
        one.put("acme", {"index.html": content})
        other.put("acme", {"index.html": content})
        assert shown(tmp_path, "acme") == {"index.html": content}


def test_pages_whose_names_begin_alike_are_left_alone(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("acme", {"index.html": b"1"})
    shelf.put("acme-eu", {"index.html": b"eu"})
    shelf.put("acme", {"index.html": b"2"})
    shelf.remove("acme")
    assert shelf.shown() == {"acme-eu"}
    assert shown(tmp_path, "acme-eu") == {"index.html": b"eu"}
    shelf.remove("acme")


def test_a_version_that_was_torn_by_a_crash_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("acme", {"index.html": b"1"})

    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            shelf.put("acme", {"index.html": b"2"})
    assert shown(tmp_path, "acme") == {"index.html": b"1"}
    assert shelf.shown() == {"acme"}
    shelf.put("acme", {"index.html": b"2"})
    assert shown(tmp_path, "acme") == {"index.html": b"2"}


def test_hosts_are_written_whole(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "new")
    shelf.name_hosts({"b.org": "b", "a.org": "a"})
    assert (tmp_path / "new" / HOSTS).read_text() == '{\n "a.org": "a",\n "b.org": "b"\n}'
    assert [file.name for file in (tmp_path / "new").iterdir()] == [HOSTS]
