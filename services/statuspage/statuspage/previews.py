"""A status page as signed-in people see it before the public does, or instead: painted for them, written nowhere."""

from events.statuspage import StatuspageChanged
from runtime.ports import Clock
from runtime.views import Tail
from statuspage.board import Board
from statuspage.public import Painter


class Previews:
    """`board` is what `tail` reads; it is as new as now before anything is shown."""

    def __init__(self, board: Board, tail: Tail, painter: Painter, clock: Clock) -> None:
        self._board, self._tail, self._painter, self._clock = board, tail, painter, clock

    async def file(self, page: StatuspageChanged, name: str) -> bytes | None:
        """A file of the page by its path below the root, None when it has none of that name. Raises `Unavailable`."""
        await self._tail.caught_up()
        scene = self._board.scene(page.page)
        painted = self._painter.paint(scene, self._clock.now()) if scene is not None else iter(())
        return next((content for path, content in painted if path == name), None)
