"""The browser's files: in come our own sources and node_modules, out comes one folder named by the hash of all of them.

`python -m web.assets` builds it; afterwards node_modules is not needed. The folder's name changes with any file, so
what is in it may be cached for ever, and files refer to each other by relative addresses: no bundler, no import map
(which our CSP would refuse).
"""

import hashlib
import shutil
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC: Final = Path(__file__).parent / "static"
SOURCES: Final = STATIC / "src"
BUILD: Final = STATIC / "build"
CURRENT: Final = "current"

# what we take of others: name in the bundle -> files in node_modules. htmx and its extension are one file: as two deferred
# scripts, htmx starts a task after its own, and whenever the second arrived later the page had no stream (6 of 40 times).
VENDORED: Final = {"vendor/htmx.js": ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js")}
# for tests only: taken when installed, absent after `npm ci --omit=dev`
VENDORED_FOR_TESTS: Final = {"vendor/axe.js": ("axe-core/axe.min.js",)}


class NotBuilt(RuntimeError):
    """The bundle is not there, or what it is made of is not."""


def asset(path: str) -> str:
    """The URL of a file of the bundle, such as `app.css`. Raises NotBuilt when it was not built or has no such file."""
    return _url(bundle(), path)


@lru_cache(maxsize=256)
def _url(folder: Path, path: str) -> str:
    if not (folder / path).is_file():
        raise NotBuilt(f"the bundle has no {path}; build it again: python -m web.assets")
    return f"/static/{folder.name}/{path}"


@lru_cache(maxsize=1)
def bundle() -> Path:
    """The folder of the current build. Raises NotBuilt."""
    try:
        return BUILD / (BUILD / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise NotBuilt("the browser's files are not built: run `npm ci` and `python -m web.assets`") from None


def build(node_modules: Path, sources: Path = SOURCES, target: Path = BUILD) -> Path:
    """Build into `target/<hash>`, make it the current one, remove older ones. Raises NotBuilt when a package is
    missing.
    """
    files = _collect(node_modules, sources)
    folder = target / _hash(files)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    _point_at(target, folder.name)
    for old in target.iterdir():
        if old.is_dir() and old != folder:
            shutil.rmtree(old)
    bundle.cache_clear()
    return folder


def static_routes() -> list[BaseRoute]:
    """`/static/<hash>/…` cached for ever; the service worker and the manifest at the root, revalidated."""
    return [
        Mount("/static", _Immutable()),
        Route("/sw.js", _root_file("sw.js", "text/javascript")),
        Route("/manifest.webmanifest", _root_file("manifest.webmanifest", "application/manifest+json")),
        Route("/favicon.ico", _root_file("icon.svg", "image/svg+xml")),
    ]


class _Immutable(StaticFiles):
    def __init__(self) -> None:
        super().__init__(directory=BUILD, check_dir=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _root_file(name: str, media_type: str):  # type: ignore[no-untyped-def]
    async def serve(_request: object) -> Response:
        return FileResponse(bundle() / name, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return serve


def _collect(node_modules: Path, sources: Path) -> dict[str, bytes]:
    ours = {str(path.relative_to(sources)): path.read_bytes() for path in sorted(sources.rglob("*")) if path.is_file()}
    theirs = {name: _joined(node_modules, files) for name, files in VENDORED.items()}
    tests = {
        name: _joined(node_modules, files)
        for name, files in VENDORED_FOR_TESTS.items()
        if all((node_modules / file).exists() for file in files)
    }
    return {**ours, **theirs, **tests}


def _joined(node_modules: Path, files: tuple[str, ...]) -> bytes:
    return b"\n;\n".join(_taken(node_modules / file) for file in files)


def _taken(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise NotBuilt(f"{file} is missing: run `npm ci` first") from None


def _hash(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()[:12]


def _point_at(target: Path, name: str) -> None:
    """By rename: a process that reads at this moment sees the old name or the new one."""
    fresh = target / f"{CURRENT}.new"
    fresh.write_text(name, encoding="ascii")
    fresh.replace(target / CURRENT)


def main(arguments: list[str]) -> int:
    node_modules = Path(arguments[0]) if arguments else Path.cwd() / "node_modules"
    try:
        print(f"built {build(node_modules)}")
    except NotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
