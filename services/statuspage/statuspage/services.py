"""Units of work on services: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Iterable

from events.core import Refusal
from events.shared import Actor
from events.statuspage import ServiceChanged, ServiceStatus
from runtime.access import Caller
from runtime.refusals import Refused, granted, missing
from runtime.resources import ids_of
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage import indexes
from statuspage.bodies.services import ServiceBody
from statuspage.domain.service import Delete, Known, Set, SetStatus
from statuspage.references import References, places
from statuspage.streams import SERVICE


class Services:
    """What can be asked and done about services, by whom."""

    def __init__(self, shell: Shell, references: References) -> None:
        self._shell = shell
        self.references = references

    async def seen(self, caller: Caller) -> list[Known]:
        """All that the caller may see, by id."""
        return [one for one in await self._shell.run(every_service) if self.references.may_see(caller, one.now.teams)]

    async def get(self, service: int, caller: Caller) -> Known:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def find(unit: Unit) -> Known | None:
            return (await services_by_id(unit, [service])).get(service)

        found = await self._shell.run(find)
        if found is None or not self.references.may_see(caller, found.now.teams):
            raise missing(f"There is no service {service}")
        return found

    async def named(self, services: Iterable[int]) -> dict[int, Known]:
        """Services by id, whoever asks; those that are gone are not in it."""
        wanted = list(services)

        async def find(unit: Unit) -> dict[int, Known]:
            return await services_by_id(unit, wanted)

        return await self._shell.run(find)

    async def create(self, body: ServiceBody, caller: Caller) -> Known:
        await self._check(body, caller)

        async def work(unit: Unit) -> Known:
            await indexes.lock_catalogue(unit)
            [service] = await unit.draw("service")
            unit.fresh(SERVICE, service)
            return await _set(unit, service, body, caller)

        return await self._shell.do(work)

    async def change(self, service: int, body: ServiceBody, caller: Caller) -> Known:
        """Replace everything about a service; a status that is given is what a person says of it."""
        await self._check(body, caller, (await self.get(service, caller)).now.teams)

        async def work(unit: Unit) -> Known:
            await indexes.lock_catalogue(unit)
            await unit.load(SERVICE, [service])
            return await _set(unit, service, body, caller)

        return await self._shell.do(work)

    async def set_status(self, service: int, status: ServiceStatus, caller: Caller) -> Known:
        """Say how it is, and nothing else. Nobody is told: only incidents and maintenance tell people."""
        self.references.only_writers(caller, (await self.get(service, caller)).now.teams)

        async def work(unit: Unit) -> Known:
            await unit.load(SERVICE, [service])
            granted(unit.decide(SERVICE, service, _by_hand(unit, status, caller)))
            return _known(unit, service)

        return await self._shell.do(work)

    async def remove(self, service: int, caller: Caller) -> None:
        self.references.only_writers(caller, (await self.get(service, caller)).now.teams)

        async def work(unit: Unit) -> None:
            await indexes.lock_catalogue(unit)
            await unit.load(SERVICE, [service])
            granted(unit.decide(SERVICE, service, Delete(unit.at)))
            unit.put(indexes.SERVICES, {indexes.padded(service): None})
            await indexes.enter_alias(unit, service, None)

        await self._shell.do(work)

    async def _check(self, body: ServiceBody, caller: Caller, *owners: tuple[int, ...]) -> None:
        teams = ids_of(body.teams or ())
        self.references.only_writers(caller, *owners, teams)
        await self.references.check_teams(places("teams", teams))


async def services_by_id(unit: Unit, services: Iterable[int]) -> dict[int, Known]:
    """Services as they stand, by id; those that are gone are not in it."""
    wanted = set(services)
    known = await unit.peek(SERVICE, wanted)
    states = {service: known[SERVICE.stream(service)].state for service in sorted(wanted)}
    return {service: state for service, state in states.items() if isinstance(state, Known)}


async def every_service(unit: Unit) -> list[Known]:
    """All services, by id."""
    return list((await services_by_id(unit, await indexes.ids_in(unit, indexes.SERVICES))).values())


async def _set(unit: Unit, service: int, body: ServiceBody, caller: Caller) -> Known:
    alias = (body.alias or "").strip() or None
    holder = await indexes.holder_of(unit, alias) if alias else None
    if holder not in (None, service):
        raise Refused(Refusal("DUPLICATE", f"alias: service {holder} has this alias already"))
    granted(unit.decide(SERVICE, service, Set(_service_of(unit, service, alias, body))))
    if body.status is not None:
        granted(unit.decide(SERVICE, service, _by_hand(unit, body.status, caller)))
    unit.put(indexes.SERVICES, {indexes.padded(service): body.name})
    await indexes.enter_alias(unit, service, alias)
    return _known(unit, service)


def _service_of(unit: Unit, service: int, alias: str | None, body: ServiceBody) -> ServiceChanged:
    return ServiceChanged(
        service=service,
        name=body.name,
        alias=alias,
        description=body.description or "",
        one_open_incident_only=bool(body.one_open_incident_only),
        show_uptime_history=body.show_uptime_history is not False,
        teams=ids_of(body.teams or ()),
        at=unit.at,
    )


def _by_hand(unit: Unit, status: ServiceStatus, caller: Caller) -> SetStatus:
    return SetStatus(status, unit.at, reason="Set by hand", by=Actor.by_user(caller.user, caller.channel))


def _known(unit: Unit, service: int) -> Known:
    state = unit.state(SERVICE, service)
    assert isinstance(state, Known)
    return state
