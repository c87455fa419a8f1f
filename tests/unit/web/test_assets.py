"""The bundle: one folder named by what is in it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from web import assets
from web.assets import NotBuilt, asset, build


@pytest.fixture
def node_modules(tmp_path: Path) -> Path:
    for file in sum(assets.VENDORED.values(), ()):
        (tmp_path / "node_modules" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "node_modules" / file).write_text("/* somebody else's */")
    return tmp_path / "node_modules"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    for name in ("app.css", "sw.js", "manifest.webmanifest", "icon.svg"):
        (tmp_path / "src" / name).write_text(name)
    return tmp_path / "src"


@pytest.fixture(autouse=True)
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(assets, "BUILD", tmp_path / "build")
    assets.bundle.cache_clear()
    yield tmp_path / "build"
    assets.bundle.cache_clear()


class TestBuilding:
    def test_ours_and_theirs_are_in_one_folder(self, node_modules: Path, sources: Path, target: Path) -> None:
        folder = build(node_modules, sources, target)
        assert asset("app.css") == f"/static/{folder.name}/app.css"
        assert asset("vendor/htmx.js") == f"/static/{folder.name}/vendor/htmx.js"

    def test_the_same_files_have_the_same_name(self, node_modules: Path, sources: Path, target: Path) -> None:
        assert build(node_modules, sources, target) == build(node_modules, sources, target)

    def test_another_byte_gives_another_name_and_the_old_folder_goes(
        self, node_modules: Path, sources: Path, target: Path
    ) -> None:
        before = build(node_modules, sources, target)
        (sources / "app.css").write_text("changed")
        after = build(node_modules, sources, target)
        assert after != before
        assert [path for path in target.iterdir() if path.is_dir()] == [after]

    def test_a_missing_package_says_what_to_do(self, tmp_path: Path, sources: Path, target: Path) -> None:
        with pytest.raises(NotBuilt, match="npm ci"):
            build(tmp_path / "nowhere", sources, target)


class TestUsing:
    def test_not_built_says_what_to_do(self) -> None:
        with pytest.raises(NotBuilt, match=r"python -m web\.assets"):
            asset("app.css")

    def test_a_file_that_is_not_there_is_an_error(self, node_modules: Path, sources: Path, target: Path) -> None:
        build(node_modules, sources, target)
        with pytest.raises(NotBuilt, match=r"nothing\.css"):
            asset("nothing.css")

    async def test_it_is_served_for_ever_and_the_service_worker_is_not(
        self, node_modules: Path, sources: Path, target: Path
    ) -> None:
        build(node_modules, sources, target)
        app = Starlette(routes=assets.static_routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://suite") as http:
            style, worker = await http.get(asset("app.css")), await http.get("/sw.js")
            missing = await http.get("/static/0123456789ab/app.css")
        assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (worker.headers["cache-control"], worker.headers["content-type"][:15]) == ("no-cache", "text/javascript")
        assert missing.status_code == 404
        assert "cache-control" not in missing.headers
