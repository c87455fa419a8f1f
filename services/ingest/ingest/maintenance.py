"""Which alert sources are silenced: in come maintenance windows, out comes the window that covers a source at an instant.

A window counts from its start up to its end by its own times, whenever its start or end was told; closed early or deleted, it
covers what came before.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from events.core import Event
from events.statuspage import MaintenanceChanged, MaintenanceDeleted, MaintenanceEnded
from events.topics import STATUSPAGES
from runtime.records import Received
from runtime.views import View


@dataclass(frozen=True)
class Window:
    """These sources raise no alerts from `start` up to but not including `end`."""

    number: int
    summary: str
    start: datetime
    end: datetime
    sources: tuple[int, ...]

    def covers(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def text(self) -> str:
        """As a sentence without its point."""
        until = f"{self.end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"the alert source is in maintenance until {until}: «{self.summary}» (maintenance {self.number})"


class Maintenance(View):
    """The picture of maintenance windows in `statuspages`."""

    topics = (STATUSPAGES.name,)

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}
        self._of_source: dict[int, dict[int, Window]] = {}

    def window_of(self, source: int, at: datetime) -> Window | None:
        """Of several that cover the instant the one that ends last."""
        covering = (window for window in self._of_source.get(source, {}).values() if window.covers(at))
        return max(covering, key=lambda window: (window.end, window.number), default=None)

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case MaintenanceChanged(maintenance=number):
                self._forget(number)
                self._keep(Window(number, event.summary, event.start, event.end, event.sources))
            case MaintenanceEnded(maintenance=number, at=at) | MaintenanceDeleted(maintenance=number, at=at):
                window = self._forget(number)
                if window is not None and window.start < at:
                    self._keep(replace(window, end=min(window.end, at)))
            case _:
                pass

    def _keep(self, window: Window) -> None:
        self._windows[window.number] = window
        for source in window.sources:
            self._of_source.setdefault(source, {})[window.number] = window

    def _forget(self, number: int) -> Window | None:
        window = self._windows.pop(number, None)
        for source in window.sources if window else ():
            self._of_source[source].pop(number, None)
        return window
