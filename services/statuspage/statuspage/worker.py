"""The worker: `actions` comes in by batches, what alert actions ask of services and incidents is done. Only what was decided leaves."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from events.connectors import ActionDispatched
from events.core import Event
from runtime.access import Access
from runtime.records import Received
from runtime.unit import Cause, Unit
from statuspage.announcing import Announcer
from statuspage.automation import TYPE, Automation
from statuspage.newsroom import Newsroom


class Worker:
    """Wires the reader of `actions`; `people_are_known` waits until the picture of people is complete (at the start)."""

    def __init__(self, announcer: Announcer, access: Access, people_are_known: Callable[[], Awaitable[None]]) -> None:
        self._access = access
        self._people_are_known = people_are_known
        self._automation = Automation(Newsroom(announcer), self._names)

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        """One batch of `actions`."""
        asked = [(one.envelope, event) for one in batch if (event := automation_of(one.envelope.event))]
        if not asked:
            return
        await self._people_are_known()
        for envelope, event in asked:
            await self._automation.carry_out(unit, event, Cause.of(envelope))

    def _names(self, teams: Iterable[int]) -> str:
        known = [self._access.team_rel(team).name for team in teams]
        return ", ".join(name for name in known if name)


def automation_of(event: Event) -> ActionDispatched | None:
    """What is ours to do."""
    return event if isinstance(event, ActionDispatched) and event.type == TYPE else None
