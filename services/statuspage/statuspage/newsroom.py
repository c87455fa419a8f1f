"""What follows when something is said of an incident: its services show it, lists find it, people are told. One unit of work."""

from collections.abc import Mapping

from events.core import Refusal
from events.shared import ActorType
from events.statuspage import IncidentCreated, IncidentStatus, IncidentUpdated, Occasion, ServiceStatus
from runtime.refusals import Refused, granted
from runtime.unit import NO_CAUSE, Cause, Unit
from statuspage import register, words
from statuspage.announcing import Announcer
from statuspage.domain.incident import Begin, Command, Story, story_of
from statuspage.domain.service import ImpactBy
from statuspage.letters import News, ServiceSaid
from statuspage.services import services_by_id
from statuspage.streams import INCIDENT, SERVICE

Said = IncidentCreated | IncidentUpdated


class Newsroom:
    """Carries out commands on incidents with all that follows from them."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    async def begin(self, unit: Unit, created: IncidentCreated, cause: Cause = NO_CAUSE) -> Story:
        """Open an incident whose id was just drawn."""
        unit.fresh(INCIDENT, created.incident)
        return await self.carry_out(unit, created.incident, Begin(created), cause)

    async def carry_out(self, unit: Unit, incident: int, command: Command, cause: Cause = NO_CAUSE) -> Story:
        """Give a command to a loaded incident. Raises `Refused`."""
        before = story_of(unit.state(INCIDENT, incident))
        events = granted(unit.decide(INCIDENT, incident, command, cause))
        after = story_of(unit.state(INCIDENT, incident))
        assert after is not None, "what was granted was opened"
        said = [event for event in events if isinstance(event, IncidentCreated | IncidentUpdated)]
        for event in said:
            await _bear(unit, before, after, event, cause)
        register.enter(unit, before, after)
        for event in said:
            if event.send_notification:
                news = await _news(unit, before, after, event)
                await self._announcer.announce(unit, news, _author(event), cause)
        return after


async def only_one_open(unit: Unit, incident: int | None, services: Mapping[int, str]) -> None:
    """Raises `Refused` where a service that may have one open incident only has another one; `services` are its
    locked services with the name of the field that names each."""
    for service, field in services.items():
        if others := await others_open(unit, incident, service):
            raise Refused(
                Refusal(
                    "INCIDENT_OPEN",
                    f"{field}: service {service} may have one open incident only, and has incident {others[0]}",
                )
            )


async def others_open(unit: Unit, incident: int | None, service: int) -> list[int]:
    """The other open incidents of a service that may have only one; none where it may have several."""
    known = (await services_by_id(unit, [service])).get(service)
    if known is None or not known.now.one_open_incident_only:
        return []
    return [one for one in await register.open_of(unit, service) if one != incident]


async def _bear(unit: Unit, before: Story | None, after: Story, event: Said, cause: Cause) -> None:
    """Services are as the incident says, and as they would be without it where it says nothing (any more)."""
    were, are = _impacts(before), _impacts(after)
    turned = [service for service in dict.fromkeys((*were, *are)) if were.get(service) != are.get(service)]
    await unit.load(SERVICE, turned)
    for service in turned:
        bears = ImpactBy(
            incident=after.incident,
            impact=are.get(service),
            at=unit.at,
            since=event.began_at if isinstance(event, IncidentCreated) else event.said_at,
            reason=f"Incident {after.incident}: {after.summary}",
            by=event.by,
        )
        granted(unit.decide(SERVICE, service, bears, cause))


def _impacts(story: Story | None) -> Mapping[int, ServiceStatus]:
    if story is None or story.is_over:
        return {}
    return {one.service: one.impact for one in story.affected}


async def _news(unit: Unit, before: Story | None, after: Story, event: Said) -> News:
    return News(
        occasion=_occasion(before, event),
        title=after.summary,
        message=after.message,
        status=words.INCIDENT[after.status],
        services=await _services_said(unit, before, after),
        incident=after.incident,
    )


def _occasion(before: Story | None, event: Said) -> Occasion:
    is_over = event.status is IncidentStatus.RESOLVED
    if is_over and (before is None or not before.is_over):
        return Occasion.INCIDENT_RESOLVED
    return Occasion.INCIDENT_CREATED if before is None else Occasion.INCIDENT_UPDATED


async def _services_said(unit: Unit, before: Story | None, after: Story) -> tuple[ServiceSaid, ...]:
    """What it does to its services; those that it affects no more are as they are now."""
    numbers = dict.fromkeys((*after.services, *(before.services if before else ())))
    known = await services_by_id(unit, numbers)
    impacts = _impacts(after)
    return tuple(
        ServiceSaid(service=number, name=known[number].now.name, status=impacts.get(number, known[number].status))
        for number in numbers
        if number in known
    )


def _author(event: Said) -> int | None:
    return event.by.user if event.by.type is ActorType.USER else None
