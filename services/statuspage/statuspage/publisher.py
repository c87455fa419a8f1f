"""Writes public status pages: whenever something on them changed, and now and then for the sake of the uptime bars.

read to the end --> all pages written anew --> (a change | ten minutes) --> those that it concerns …

It needs what this service said, and a folder. While the folder cannot be written, it says so and tries again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runtime.bell import Bell
from runtime.breath import breathing
from runtime.ports import Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.views import Tail
from statuspage.board import Board, Scene
from statuspage.files import Shelf
from statuspage.public import Painter
from statuspage.showing import is_public

REFRESH_S: Final = 600.0
RETRY_S: Final = 1.0
BREATH: Final = 5


class Publisher:
    """A part of `statuspage.worker`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._bell, self._dirty = Bell(), set[int]()
        self.board = Board(self._changed)
        self._tail = Tail(shell, self.board)
        self._shelf = Shelf(Path(shell.settings.pages_dir))
        self._painter = Painter(shell.settings.public_url)
        self._shown: dict[int, Scene] = {}
        self._trouble: str | None = "public pages: not written yet"
        self._background = Background()

    async def start(self) -> None:
        await self._tail.start()
        self._background.forever(self._run(), "publisher")

    async def stop(self) -> None:
        await self._background.stop()
        await self._tail.stop()

    def ready(self) -> str | None:
        return self._tail.ready() or self._trouble

    def _changed(self, pages: set[int]) -> None:
        self._dirty |= pages
        self._bell.ring()

    async def _run(self) -> None:
        await self._persist(self._read_to_the_end)
        await self._persist(self._begin)
        while True:
            if not await self._bell.wait(REFRESH_S):
                self._dirty |= set(self.board.pages)
            await self._persist(self._catch_up)

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, however long the broker is away or the folder cannot be written."""
        while True:
            try:
                await work()
            except Unavailable as away:
                self._shell.log.info("pages.wait", reason=str(away))
            except OSError as error:
                self._trouble = f"public pages cannot be written: {error.strerror or error}"
                self._shell.log.error("pages.unwritten", reason=str(error))
            else:
                return
            await asyncio.sleep(RETRY_S)

    async def _read_to_the_end(self) -> None:
        await self._tail.passed(await self._tail.ends())

    async def _begin(self) -> None:
        """Everything anew; what is shown of no page any more is taken away."""
        self._dirty |= set(self.board.pages)
        await self._catch_up()
        for subdomain in self._shelf.shown() - {scene.page.subdomain for scene in self._shown.values()}:
            self._shelf.remove(subdomain)
        self._name_hosts()

    async def _catch_up(self) -> None:
        """A page stays dirty until it is written. Those that give up an address go before those that may take it."""
        known = {page: self.board.scene(page) for page in sorted(self._dirty)}
        for page, scene in sorted(known.items(), key=lambda one: _is_shown(one[1])):
            await self._publish(page, scene if _is_shown(scene) else None)
            if self.board.scene(page) == scene:
                self._dirty.discard(page)
            else:
                self._bell.ring()
        self._trouble = None

    async def _publish(self, page: int, scene: Scene | None) -> None:
        before = self._shown.get(page)
        if scene is not None:
            files = {name: content async for name, content in breathing(self._painter.paint(scene, self._now), BREATH)}
            if self._shelf.put(scene.page.subdomain, files):
                self._shell.log.info("page.published", page=page, files=len(files))
            self._shown[page] = scene
        else:
            self._shown.pop(page, None)
        if before is not None and before.page.subdomain not in {one.page.subdomain for one in self._shown.values()}:
            self._shelf.remove(before.page.subdomain)
        if (before and _hosts(before)) != (scene and _hosts(scene)):
            self._name_hosts()

    @property
    def _now(self) -> datetime:
        return self._shell.clock.now()

    def _name_hosts(self) -> None:
        own = urlsplit(self._shell.settings.public_url).hostname or ""
        named: dict[str, str] = {}
        for scene in self._shown.values():
            named[f"{scene.page.subdomain}.{own}"] = scene.page.subdomain
            if scene.page.domain and scene.page.domain != own:
                named[scene.page.domain] = scene.page.subdomain
        self._shelf.name_hosts(named)


def _is_shown(scene: Scene | None) -> bool:
    return scene is not None and is_public(scene.page)


def _hosts(scene: Scene) -> tuple[str, str | None]:
    return scene.page.subdomain, scene.page.domain
