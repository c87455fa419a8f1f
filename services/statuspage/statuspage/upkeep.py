"""What follows when a maintenance window is planned, opens or closes: its services show it, people are told. One unit of work."""

from typing import Final

from events.core import Event
from events.statuspage import MaintenanceChanged, MaintenanceEnded, MaintenanceStarted, Occasion, ServiceStatus
from runtime.refusals import granted
from runtime.ticks import Due
from runtime.unit import Unit
from statuspage.announcing import Announcer
from statuspage.domain.maintenance import Command, Gone, State, Tick, Unmade, services_of
from statuspage.domain.service import MaintainBy
from statuspage.letters import News, ServiceSaid
from statuspage.services import services_by_id
from statuspage.streams import MAINTENANCE, SERVICE
from web.words import Tongue, exact_date, speaking

STATUS: Final = {
    Occasion.MAINTENANCE_PLANNED: "Planned",
    Occasion.MAINTENANCE_STARTED: "In progress",
    Occasion.MAINTENANCE_ENDED: "Completed",
}


class Upkeep:
    """Carries out commands on maintenance windows with all that follows from them."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    async def carry_out(self, unit: Unit, number: int, command: Command, author: int | None = None) -> list[Event]:
        """Give a command to a loaded window. Raises `Refused`."""
        before = unit.state(MAINTENANCE, number)
        events = granted(unit.decide(MAINTENANCE, number, command))
        after = unit.state(MAINTENANCE, number)
        await _move(unit, number, before, after)
        if occasion := _occasion(events, after):
            await self._announcer.announce(unit, await _news(unit, occasion, _window(after)), author)
        return events

    async def tick(self, unit: Unit, due: Due) -> None:
        """Windows whose start or end has come."""
        for _, number in due:
            await self.carry_out(unit, int(number), Tick(unit.at))


async def _move(unit: Unit, number: int, before: State, after: State) -> None:
    """Services are under maintenance while the window is open, and then as they would be without it."""
    were, are = services_of(before), services_of(after)
    here = await services_by_id(unit, were ^ are)
    await unit.load(SERVICE, here)
    window = _window(after)
    for service in here:
        on = service in are
        command = MaintainBy(
            maintenance=number,
            on=on,
            at=unit.at,
            since=window.start if on and service not in were else None,
            reason=f"Maintenance {number}: {window.summary}" if on else f"Maintenance {number} is over",
        )
        granted(unit.decide(SERVICE, service, command))


def _window(state: State) -> MaintenanceChanged:
    assert not isinstance(state, Unmade), "what was granted was planned"
    return state.last if isinstance(state, Gone) else state.now


def _occasion(events: list[Event], after: State) -> Occasion | None:
    """What people want to hear of it, if anything: the latest that happened."""
    window = None if isinstance(after, Unmade) else _window(after)
    for event in reversed(events):
        match event:
            case MaintenanceEnded() if window and window.at_end:
                return Occasion.MAINTENANCE_ENDED
            case MaintenanceStarted() if window and window.at_start:
                return Occasion.MAINTENANCE_STARTED
            case MaintenanceChanged(created=True, at_creation=True):
                return Occasion.MAINTENANCE_PLANNED
            case _:
                pass
    return None


async def _news(unit: Unit, occasion: Occasion, window: MaintenanceChanged) -> News:
    known = await services_by_id(unit, window.services)
    is_over = occasion is Occasion.MAINTENANCE_ENDED
    return News(
        occasion=occasion,
        title=window.summary,
        message=f"{span_of(window)}\n\n{window.description}".strip(),
        status=STATUS[occasion],
        services=tuple(
            ServiceSaid(
                service=number,
                name=service.now.name,
                status=service.status if is_over else ServiceStatus.UNDER_MAINTENANCE,
            )
            for number, service in known.items()
        ),
        maintenance=window.maintenance,
    )


def span_of(window: MaintenanceChanged) -> str:
    """From when to when, as clocks in its zone show it."""
    with speaking(Tongue(window.timezone)):
        return f"From {exact_date(window.start)} to {exact_date(window.end)}."
