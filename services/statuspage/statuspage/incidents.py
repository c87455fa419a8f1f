"""Units of work on incidents: in come wishes of people, out go events and what follows from them. Refusals are raised as `Refused`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.accounts import Role
from events.core import Refusal
from events.shared import Actor
from events.statuspage import Affected, IncidentCreated, IncidentStatus, Subject
from runtime.access import RANK, Caller
from runtime.refusals import Refused, forbidden, invalid_field, missing
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage import register
from statuspage.announcing import Announcer, Forecast, subscriptions
from statuspage.bodies.incidents import ForecastBody, IncidentBody
from statuspage.domain.announcement import hears
from statuspage.domain.incident import Command, Link, Say, Story, Unlink, story_of
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.newsroom import Newsroom, only_one_open
from statuspage.references import References
from statuspage.services import services_by_id
from statuspage.showing import every_page
from statuspage.streams import INCIDENT, SERVICE

OUTDATED: Final = Refusal(
    "PRECONDITION_FAILED", "Somebody has changed this incident since you read it: read it again, then say it"
)
LATEST: Final = 10
"""How many open incidents a service shows of itself, as published."""


@dataclass(frozen=True)
class Seen:
    """An incident as somebody sees it: with those of its services that are theirs to see."""

    story: Story
    version: int
    services: Mapping[int, Known]


@dataclass(frozen=True)
class Filter:
    """What a list is restricted to; None is no restriction. `began` bounds are inclusive."""

    states: frozenset[IncidentStatus] | None = None
    services: frozenset[int] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, entry: register.Entry) -> bool:
        return (
            (self.states is None or entry.status in self.states)
            and (self.services is None or not self.services.isdisjoint(entry.services))
            and (self.since is None or self.since <= entry.began_at)
            and (self.until is None or entry.began_at <= self.until)
        )


ToCommand = Callable[[Unit], Command]

EVERYTHING: Final = Filter()
STILL_OPEN: Final = Filter(frozenset(status for status in IncidentStatus if status is not IncidentStatus.RESOLVED))


class Incidents:
    """What can be asked and done about incidents, by whom."""

    def __init__(self, shell: Shell, references: References, announcer: Announcer) -> None:
        self._shell = shell
        self._references = references
        self._announcer = announcer
        self._newsroom = Newsroom(announcer)

    # -- questions

    async def seen(
        self, caller: Caller, wanted: Filter = EVERYTHING, start: int = 0, size: int | None = None
    ) -> list[Seen]:
        """Those that the caller may see, the latest first; `size` None: all of them."""

        async def find(unit: Unit) -> list[Seen]:
            found = [entry for entry in await register.entries(unit) if wanted.admits(entry)]
            services = await services_by_id(unit, {one for entry in found for one in entry.services})
            visible = [entry.incident for entry in found if self._is_seen(caller, entry.services, services)]
            return await self._read(unit, visible[start:][:size], caller)

        return await self._shell.run(find)

    async def get(self, incident: int, caller: Caller) -> Seen:
        """Raises `Refused` when it is not there, or not the caller's to see."""
        return await self._shell.run(lambda unit: self.look(unit, incident, caller))

    async def look(self, unit: Unit, incident: int, caller: Caller) -> Seen:
        """As `get`, inside a unit. Who was subscribed to it sees it, whoever owns its services."""
        found = await self._read(unit, [incident], caller)
        if not found:
            raise missing(f"There is no incident {incident}")
        if not self._is_seen(caller, found[0].story.services, await services_by_id(unit, found[0].story.services)):
            about = About(Subject.INCIDENT, incident)
            if not hears((await subscriptions(unit, [about]))[about], caller.user, self._announcer.members_of):
                raise missing(f"There is no incident {incident}")
        return found[0]

    async def open_of(self, services: Iterable[int], caller: Caller) -> dict[int, list[Seen]]:
        """The latest open incidents of each of these services."""
        wanted = list(services)

        async def find(unit: Unit) -> dict[int, list[Seen]]:
            numbers = {one: (await register.open_of(unit, one))[: -LATEST - 1 : -1] for one in wanted}
            return {one: await self._read(unit, found, caller) for one, found in numbers.items()}

        return await self._shell.run(find)

    async def of_alert(self, alert: int, caller: Caller) -> list[Seen]:
        """Those that an alert is linked to and the caller may see, the latest first."""

        async def find(unit: Unit) -> list[Seen]:
            found = await self._read(unit, reversed(await register.of_alert(unit, alert)), caller)
            every = await services_by_id(unit, {one for seen in found for one in seen.story.services})
            return [seen for seen in found if self._is_seen(caller, seen.story.services, every)]

        return await self._shell.run(find)

    async def forecast(self, body: ForecastBody, caller: Caller) -> Forecast:
        """What saying so would do. Raises `Refused`."""

        async def find(unit: Unit) -> Forecast:
            if body.id is not None:
                await self.look(unit, body.id, caller)
            await self._check(unit, caller, body.affected)
            services = [one.service for one in body.affected]
            return await self._announcer.forecast(unit, services, body.id, caller.user)

        return await self._shell.run(find)

    async def has_pages(self) -> bool:
        """Whether there is any status page to show incidents on."""
        return bool(await self._shell.run(every_page))

    # -- wishes

    async def create(self, body: IncidentBody, caller: Caller, *, alert: int | None = None) -> Seen:
        """`alert`: what it is opened from, and linked to."""

        async def work(unit: Unit) -> Seen:
            await unit.load(SERVICE, [one.service for one in body.affected])
            await self._check(unit, caller, body.affected)
            began = _began(body, unit.at)
            status = body.status or IncidentStatus.INVESTIGATING
            if status is not IncidentStatus.RESOLVED:
                await only_one_open(unit, None, _fields(body.affected))
            [incident] = await unit.draw("incident")
            created = IncidentCreated(
                incident=incident,
                summary=body.summary,
                status=status,
                message=body.message or "",
                affected=body.affected,
                send_notification=bool(body.send_notification),
                alert=alert,
                began_at=began,
                said_at=body.updated_at or unit.at,
                by=_by(caller),
                at=unit.at,
            )
            await self._newsroom.begin(unit, created)
            return await self.look(unit, incident, caller)

        return await self._shell.do(work)

    async def update(
        self, incident: int, body: IncidentBody, caller: Caller, versions: frozenset[int] | None = None
    ) -> Seen:
        """One more word. What the caller cannot see of it stays as it is. `versions`: those that it is meant for."""

        async def work(unit: Unit) -> Seen:
            await unit.load(INCIDENT, [incident])
            seen = await self.look(unit, incident, caller)
            if versions is not None and seen.version not in versions:
                raise Refused(OUTDATED)
            affected = _with_hidden(body.affected, seen, await services_by_id(unit, seen.story.services))
            await unit.load(SERVICE, {*seen.story.services, *(one.service for one in affected)})
            self.only_responders(caller, seen.services.values())
            await self._check(unit, caller, body.affected, besides=seen.story.services)
            if not seen.story.is_over:
                fields = _fields(body.affected)
                came = {one: field for one, field in fields.items() if one not in seen.story.services}
                await only_one_open(unit, incident, came)
            say = Say(
                summary=body.summary,
                status=body.status or seen.story.status,
                message=body.message or "",
                affected=affected,
                send_notification=bool(body.send_notification),
                by=_by(caller),
                at=unit.at,
            )
            await self._newsroom.carry_out(unit, incident, say)
            return await self.look(unit, incident, caller)

        return await self._shell.do(work)

    async def link(self, incident: int, alert: int, caller: Caller) -> None:
        await self._connect(incident, caller, lambda unit: Link(alert, _by(caller), unit.at))

    async def unlink(self, incident: int, alert: int, caller: Caller) -> None:
        await self._connect(incident, caller, lambda unit: Unlink(alert, _by(caller), unit.at))

    # -- who may

    def may_write(self, caller: Caller, services: Iterable[Known]) -> bool:
        """Responders and up, by the role that counts for each service: it is they who know what is wrong at night."""
        owners = [one.now.teams for one in services] or [()]
        roles = [self._references.access.role_in(caller, teams) for teams in owners]
        return all(RANK[role] >= RANK[Role.RESPONDER] for role in roles)

    def only_responders(self, caller: Caller, services: Iterable[Known] = ()) -> None:
        """Raises `Refused`."""
        if not self.may_write(caller, services):
            raise forbidden(f"This needs the role {Role.RESPONDER}; you have {caller.role}")

    def _is_seen(self, caller: Caller, services: Iterable[int], known: Mapping[int, Known]) -> bool:
        """Whoever sees one of its services sees it; when all are gone there is nothing left to hide."""
        there = [known[one] for one in services if one in known]
        return not there or any(self._references.may_see(caller, one.now.teams) for one in there)

    # -- what is shared

    async def _read(self, unit: Unit, incidents: Iterable[int], caller: Caller) -> list[Seen]:
        """In the order given; with those of the services that the caller may see."""
        wanted = list(incidents)
        found = await unit.peek(INCIDENT, wanted)
        known = [found[INCIDENT.stream(one)] for one in wanted]
        stories = [(story, one.version) for one in known if (story := story_of(one.state))]
        services = await services_by_id(unit, {service for story, _ in stories for service in story.services})
        visible = {number: one for number, one in services.items() if self._references.may_see(caller, one.now.teams)}
        return [
            Seen(story, version, {one: visible[one] for one in story.services if one in visible})
            for story, version in stories
        ]

    async def _check(
        self, unit: Unit, caller: Caller, affected: Sequence[Affected], besides: Iterable[int] = ()
    ) -> None:
        """Raises `Refused` for services that are not there, not the caller's to see, or not theirs to speak of."""
        known = await services_by_id(unit, [one.service for one in affected])
        for service, field in _fields(affected).items():
            if service not in known or not self._references.may_see(caller, known[service].now.teams):
                raise invalid_field(field, f"there is no service {service}")
        allowed = set(besides)
        self.only_responders(caller, [one for number, one in known.items() if number not in allowed])

    async def _connect(self, incident: int, caller: Caller, command: ToCommand) -> None:
        async def work(unit: Unit) -> None:
            await unit.load(INCIDENT, [incident])
            seen = await self.look(unit, incident, caller)
            self.only_responders(caller, seen.services.values())
            await self._newsroom.carry_out(unit, incident, command(unit))

        await self._shell.do(work)


def _by(caller: Caller) -> Actor:
    return Actor.by_user(caller.user, caller.channel)


def _fields(affected: Iterable[Affected]) -> dict[int, str]:
    """Services with the name of the field that names each."""
    return {one.service: f"affectedServices.{place}.service.id" for place, one in enumerate(affected)}


def _began(body: IncidentBody, at: datetime) -> datetime:
    """When it began for users. Raises `Refused` for what is still to come."""
    for field, instant in (("createdAt", body.created_at), ("updatedAt", body.updated_at)):
        if instant is not None and instant > at:
            raise invalid_field(field, "must not be in the future")
    return body.created_at or body.updated_at or at


def _with_hidden(affected: Iterable[Affected], seen: Seen, services: Mapping[int, Known]) -> tuple[Affected, ...]:
    """What was said, and what the caller could not see of services that there still are."""
    hidden = [one for one in seen.story.affected if one.service in services and one.service not in seen.services]
    return (*affected, *hidden)
