"""Units of work on maintenance windows: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events.core import Refusal
from events.statuspage import MaintenanceChanged
from runtime.access import Caller
from runtime.refusals import Refused, invalid_field, missing
from runtime.resources import ids_of
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage import indexes
from statuspage.bodies.maintenance import MaintenanceBody
from statuspage.domain.maintenance import Delete, Kept, Over, Plan, Running
from statuspage.domain.service import Known
from statuspage.projection import Sources
from statuspage.references import References, check_services, places
from statuspage.services import services_by_id
from statuspage.streams import MAINTENANCE
from statuspage.upkeep import Upkeep


class Phase(StrEnum):
    """`OPEN`: coming and running."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Seen:
    """A window with what it names; `services` are those that the caller may see."""

    state: Kept
    services: dict[int, Known]

    @property
    def now(self) -> MaintenanceChanged:
        return self.state.now

    @property
    def is_over(self) -> bool:
        return isinstance(self.state, Over)


@dataclass(frozen=True)
class Filters:
    """Which windows are asked for; None, or nothing named, is no restriction."""

    phase: Phase | None = None
    services: Collection[int] = ()
    sources: Collection[int] = ()
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, seen: Seen) -> bool:
        window = seen.now
        return (
            (self.phase is None or (self.phase is Phase.CLOSED) == seen.is_over)
            and (not self.services or not set(self.services).isdisjoint(window.services))
            and (not self.sources or not set(self.sources).isdisjoint(window.sources))
            and (self.since is None or window.end > self.since)
            and (self.until is None or window.start < self.until)
        )


class Maintenances:
    """What can be asked and done about maintenance windows, by whom."""

    def __init__(
        self,
        shell: Shell,
        references: References,
        upkeep: Upkeep,
        sources: Sources,
        sources_caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._shell = shell
        self._references = references
        self._upkeep = upkeep
        self._sources = sources
        self._sources_caught_up = sources_caught_up

    async def seen(self, caller: Caller, filters: Filters) -> list[Seen]:
        """All that the caller may see and asks for, in the order in which they begin."""
        found = [self._seen(one, caller) for one in await self._shell.run(_every)]
        admitted = [one for one in found if one is not None and filters.admits(one)]
        return sorted(admitted, key=lambda one: (one.now.start, one.now.maintenance))

    async def get(self, number: int, caller: Caller) -> Seen:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def find(unit: Unit) -> Seen | None:
            return (await _by_id(unit, [number])).get(number)

        whole = await self._shell.run(find)
        seen = self._seen(whole, caller) if whole else None
        if seen is None:
            raise missing(f"There is no maintenance window {number}")
        return seen

    async def plan(self, body: MaintenanceBody, caller: Caller) -> Seen:
        """A new window; one that has begun opens at once."""
        await self._check(body, caller, ())

        async def work(unit: Unit) -> int:
            await check_services(unit, places("services", ids_of(body.services or ())))
            [number] = await unit.draw("maintenance")
            unit.fresh(MAINTENANCE, number)
            await self._plan(unit, number, body, caller)
            return number

        return await self.get(await self._shell.do(work), caller)

    async def change(self, number: int, body: MaintenanceBody, caller: Caller) -> Seen:
        """Replace everything about a window. One that runs may end now, but cannot begin later; one that is over stays."""
        known = await self.get(number, caller)
        self.only_writers(caller, known.services.values())
        await self._check(body, caller, known.now.sources)

        async def work(unit: Unit) -> None:
            new = [service for service in ids_of(body.services or ()) if service not in known.now.services]
            named = places("services", ids_of(body.services or ()))
            await check_services(unit, [(field, service) for field, service in named if service in new])
            await unit.load(MAINTENANCE, [number])
            await self._plan(unit, number, body, caller)

        await self._shell.do(work)
        return await self.get(number, caller)

    async def remove(self, number: int, caller: Caller) -> None:
        """What it silenced is heard again, services are as they would be without it."""
        self.only_writers(caller, (await self.get(number, caller)).services.values())

        async def work(unit: Unit) -> None:
            await unit.load(MAINTENANCE, [number])
            await self._upkeep.carry_out(unit, number, Delete(unit.at), caller.user)
            unit.put(indexes.MAINTENANCES, {indexes.padded(number): None})

        await self._shell.do(work)

    async def end_now(self, number: int, caller: Caller) -> None:
        """Close a window that runs before its time."""
        known = await self.get(number, caller)
        self.only_writers(caller, known.services.values())

        async def work(unit: Unit) -> None:
            await unit.load(MAINTENANCE, [number])
            state = unit.state(MAINTENANCE, number)
            if not isinstance(state, Running):
                raise Refused(Refusal("NOT_RUNNING", "This maintenance does not run, so it cannot be ended"))
            closed = state.now.model_copy(update={"end": unit.at, "at": unit.at})
            await self._upkeep.carry_out(unit, number, Plan(closed), caller.user)

        await self._shell.do(work)

    def sources_seen(self, caller: Caller) -> dict[int, str]:
        """The alert sources that the caller may see, by id, in the order of their names."""
        if not self._references.sees_sources(caller):
            return {}
        seen = [one for one in self._sources.all() if self._references.may_see(caller, one.teams)]
        return {one.source: one.name for one in sorted(seen, key=lambda one: one.name.casefold())}

    def sources_hidden(self, window: MaintenanceChanged, caller: Caller) -> list[int]:
        """The sources of a window that are there, but not the caller's to see."""
        seen = self.sources_seen(caller)
        return [source for source in window.sources if source not in seen and self._sources.known(source)]

    def may_write(self, caller: Caller, services: Iterable[Known]) -> bool:
        """Whoever may change all of the services; without any, users and up."""
        owners = [one.now.teams for one in services]
        return self._references.may_write(caller, *(owners or [()]))

    def only_writers(self, caller: Caller, services: Iterable[Known]) -> None:
        """Raises `Refused`."""
        owners = [one.now.teams for one in services]
        self._references.only_writers(caller, *(owners or [()]))

    async def _plan(self, unit: Unit, number: int, body: MaintenanceBody, caller: Caller) -> None:
        await self._upkeep.carry_out(unit, number, Plan(_window(number, body, caller, unit.at)), caller.user)
        unit.put(indexes.MAINTENANCES, {indexes.padded(number): body.summary})

    async def _check(self, body: MaintenanceBody, caller: Caller, before: Collection[int]) -> None:
        """Sources that it named before may be gone."""

        async def find(unit: Unit) -> dict[int, Known]:
            return await services_by_id(unit, ids_of(body.services or ()))

        self.only_writers(caller, (await self._shell.run(find)).values())
        named = [one for one in places("alertSources", ids_of(body.alert_sources or ())) if one[1] not in before]
        if any(self._sources.known(source) is None for _, source in named):
            await self._sources_caught_up()
        for field, source in named:
            if self._sources.known(source) is None:
                raise invalid_field(field, f"there is no alert source {source}")

    def _seen(self, whole: Seen, caller: Caller) -> Seen | None:
        """Without services that are hidden from the caller; None where nothing is left to be seen."""
        shown = {
            number: one for number, one in whole.services.items() if self._references.may_see(caller, one.now.teams)
        }
        is_hidden = bool(whole.services) and not shown
        is_about_sources = not whole.services and not self._references.sees_sources(caller)
        return None if is_hidden or is_about_sources else Seen(whole.state, shown)


async def _by_id(unit: Unit, numbers: Iterable[int]) -> dict[int, Seen]:
    wanted = sorted(set(numbers))
    known = await unit.peek(MAINTENANCE, wanted)
    states = {number: known[MAINTENANCE.stream(number)].state for number in wanted}
    kept = {number: state for number, state in states.items() if isinstance(state, Kept)}
    services = await services_by_id(unit, {service for state in kept.values() for service in state.now.services})
    return {
        number: Seen(state, {one: services[one] for one in state.now.services if one in services})
        for number, state in kept.items()
    }


async def _every(unit: Unit) -> list[Seen]:
    return list((await _by_id(unit, await indexes.ids_in(unit, indexes.MAINTENANCES))).values())


def _window(number: int, body: MaintenanceBody, caller: Caller, at: datetime) -> MaintenanceChanged:
    return MaintenanceChanged(
        maintenance=number,
        summary=body.summary,
        description=body.description or "",
        timezone=body.timezone or "UTC",
        start=body.start,
        end=body.end,
        sources=ids_of(body.alert_sources or ()),
        services=ids_of(body.services or ()),
        at_creation=bool(body.told.at_creation),
        at_start=bool(body.told.at_start),
        at_end=bool(body.told.at_end),
        by=caller.user,
        at=at,
    )
