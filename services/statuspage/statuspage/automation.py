"""What alert actions do to services and incidents: in comes `action.dispatched`, out go their events and the answer, in one unit.

With a template an incident is opened, or one that a service may have only one of is joined; without one the services just
have the status, as long as the alert says so. Each run is answered once, `automation.applied` or `automation.refused`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from events.connectors import ActionDispatched
from events.shared import Actor
from events.statuspage import Affected, IncidentCreated, IncidentStatus, ServiceStatus, TemplateChanged
from runtime.refusals import Refused, granted
from runtime.unit import Cause, Unit
from statuspage import register, words
from statuspage.domain import template as templates
from statuspage.domain.automation import Apply, Book, Close, Command, Refuse
from statuspage.domain.incident import Holder, Join, Release, story_of
from statuspage.domain.service import AlertBy, Known
from statuspage.domain.uptime import worst
from statuspage.newsroom import Newsroom, others_open
from statuspage.streams import AUTOMATION, INCIDENT, SERVICE, TEMPLATE

TYPE: Final = "automation_rule"
LONGEST_SUMMARY: Final = 255
RESOLVED: Final = "This incident is resolved."
TeamNames = Callable[[Iterable[int]], str]


@dataclass(frozen=True)
class Asked:
    """A dispatched action with what it names, as that stands."""

    event: ActionDispatched
    services: Mapping[int, Known]
    status: ServiceStatus | None
    by: Actor

    @property
    def affected(self) -> tuple[Affected, ...]:
        """An action that says no status says that something is wrong."""
        impact = self.status or ServiceStatus.DEGRADED
        return tuple(Affected(service=service, impact=impact) for service in self.services)

    @property
    def names(self) -> str:
        return ", ".join(one.now.name for one in self.services.values())


class Automation:
    """Answers dispatched actions; `team_names` says what teams are called."""

    def __init__(self, newsroom: Newsroom, team_names: TeamNames) -> None:
        self._newsroom = newsroom
        self._team_names = team_names

    async def carry_out(self, unit: Unit, event: ActionDispatched, cause: Cause) -> None:
        """Do what was asked and say so, or say why not; a run that was answered is passed over."""
        await unit.load(AUTOMATION, [event.alert])
        book = unit.state(AUTOMATION, event.alert)
        if event.run in book.answered:
            return
        carried_out = self._closed if event.resolve else self._applied
        command = await carried_out(unit, event, book, cause)
        granted(unit.decide(AUTOMATION, event.alert, command, cause))

    # -- the alert is there

    async def _applied(self, unit: Unit, event: ActionDispatched, book: Book, cause: Cause) -> Command:
        if book.of(event.action).is_closed:
            return _refuse(unit, event, "The alert was over for this action already")
        if event.service_status is not None and event.service_status not in ServiceStatus.__members__:
            return _refuse(unit, event, f"{event.service_status} is no status of a service")
        await unit.load(SERVICE, event.services)
        states = {service: unit.state(SERVICE, service) for service in event.services}
        known = {service: state for service, state in states.items() if isinstance(state, Known)}
        if not known:
            return _refuse(unit, event, "None of the services that the action names exists any more")
        status = ServiceStatus(event.service_status) if event.service_status else None
        asked = Asked(event, known, status, Actor.by_system(event.name or TYPE))
        if event.template is None:
            return self._set(unit, asked, book, cause)
        return await self._told(unit, asked, event.template, book, cause)

    def _set(self, unit: Unit, asked: Asked, book: Book, cause: Cause) -> Command:
        """Only the services' status."""
        if asked.status is None:
            return _refuse(unit, asked.event, "The action names neither a status nor an incident template")
        for service in asked.services:
            others = book.bears_on(service, besides=asked.event.action)
            _bear(unit, asked.event, service, worst([asked.status, *([others] if others else [])]), cause)
        return _apply(unit, asked, None, f"{asked.names}: {words.SERVICE[asked.status]}")

    async def _told(self, unit: Unit, asked: Asked, template: int, book: Book, cause: Cause) -> Command:
        """An incident, opened or joined."""
        opened = book.of(asked.event.action).incident
        if opened is not None:
            return _apply(unit, asked, opened, f"Incident {opened} was opened for this alert before")
        state = (await unit.peek(TEMPLATE, [template]))[TEMPLATE.stream(template)].state
        if not isinstance(state, templates.Kept):
            return _refuse(unit, asked.event, f"The incident template {template} does not exist any more")
        taken = {service: await others_open(unit, None, service) for service in asked.services}
        if any(taken.values()):
            return await self._joined(unit, asked, taken, cause)
        return await self._opened(unit, asked, state.now, cause)

    async def _opened(self, unit: Unit, asked: Asked, template: TemplateChanged, cause: Cause) -> Command:
        [incident] = await unit.draw("incident")
        rendered = templates.render(template, {**asked.event.facts, **self._facts(asked)})
        is_over = rendered.status is IncidentStatus.RESOLVED
        created = IncidentCreated(
            incident=incident,
            summary=rendered.summary[:LONGEST_SUMMARY],
            status=IncidentStatus.INVESTIGATING if is_over else rendered.status,
            message=rendered.message,
            affected=asked.affected,
            send_notification=asked.event.send_notification,
            teams=template.teams,
            alert=asked.event.alert,
            action=asked.event.action,
            template=template.template,
            began_at=unit.at,
            by=asked.by,
            at=unit.at,
        )
        await self._newsroom.begin(unit, created, cause)
        return _apply(unit, asked, incident, f"Incident {incident} was opened for {asked.names}")

    async def _joined(self, unit: Unit, asked: Asked, taken: Mapping[int, Sequence[int]], cause: Cause) -> Command:
        """Services that may have one open incident only keep theirs; the others go with the first of them."""
        first = next(others[0] for others in taken.values() if others)
        homes = {service: others[0] if others else first for service, others in taken.items()}
        await unit.load(INCIDENT, homes.values())
        reasons = [
            reason
            for home in sorted(set(homes.values()))
            if (reason := await self._join(unit, asked, homes, home, cause))
        ]
        if len(reasons) == len(set(homes.values())):
            return _refuse(unit, asked.event, reasons[0])
        return _apply(unit, asked, first, f"The alert was linked to incident {first}, which is open for {asked.names}")

    async def _join(
        self, unit: Unit, asked: Asked, homes: Mapping[int, int], incident: int, cause: Cause
    ) -> str | None:
        """Take part in an open incident with those services whose home it is; gives why not."""
        join = Join(
            alert=asked.event.alert,
            action=asked.event.action,
            affected=tuple(one for one in asked.affected if homes[one.service] == incident),
            send_notification=asked.event.send_notification,
            by=asked.by,
            at=unit.at,
        )
        try:
            await self._newsroom.carry_out(unit, incident, join, cause)
        except Refused as refused:
            return refused.refusal.message
        return None

    def _facts(self, asked: Asked) -> dict[str, str]:
        """What placeholders may say of the services."""
        services = asked.services.values()
        return {
            "serviceId": ", ".join(str(service) for service in asked.services),
            "serviceName": asked.names,
            "serviceDescription": "\n".join(one.now.description for one in services if one.now.description),
            "serviceStatus": words.SERVICE[asked.affected[0].impact],
            "serviceStatusOld": ", ".join(dict.fromkeys(words.SERVICE[one.status] for one in services)),
            "teamNames": self._team_names(dict.fromkeys(team for one in services for team in one.now.teams)),
        }

    # -- the alert is over

    async def _closed(self, unit: Unit, event: ActionDispatched, book: Book, cause: Cause) -> Command:
        """Everything that the action holds for the alert is let go."""
        held = book.of(event.action)
        said = [*await self._released(unit, event, cause)]
        if held.sets_status:
            await unit.load(SERVICE, held.services)
            for service in held.services:
                _bear(unit, event, service, book.bears_on(service, besides=event.action), cause)
            names = [state.now.name for one in held.services if isinstance(state := unit.state(SERVICE, one), Known)]
            said += [f"{', '.join(names)}: as without this alert"] if names else []
        return Close(event.alert, event.run, event.action, "; ".join(said) or "There was nothing to close", unit.at)

    async def _released(self, unit: Unit, event: ActionDispatched, cause: Cause) -> list[str]:
        linked = await register.of_alert(unit, event.alert)
        await unit.load(INCIDENT, linked)
        said: list[str] = []
        for incident in linked:
            story = story_of(unit.state(INCIDENT, incident))
            if story is None or Holder(event.alert, event.action) not in story.holders:
                continue
            release = Release(
                alert=event.alert,
                action=event.action,
                message=RESOLVED,
                send_notification=event.send_notification,
                by=Actor.by_system(event.name or TYPE),
                at=unit.at,
            )
            after = await self._newsroom.carry_out(unit, incident, release, cause)
            ended = after.is_over and not story.is_over
            said.append(
                f"Incident {incident} was resolved" if ended else f"Incident {incident} goes on without this alert"
            )
        return said


def _bear(unit: Unit, event: ActionDispatched, service: int, status: ServiceStatus | None, cause: Cause) -> None:
    bears = AlertBy(
        alert=event.alert,
        impact=status,
        at=unit.at,
        reason=f"Alert {event.alert}, by the action «{event.name}»",
        by=Actor.by_system(event.name or TYPE),
    )
    granted(unit.decide(SERVICE, service, bears, cause))


def _apply(unit: Unit, asked: Asked, incident: int | None, text: str) -> Apply:
    event = asked.event
    return Apply(event.alert, event.run, event.action, tuple(asked.services), asked.status, incident, text, unit.at)


def _refuse(unit: Unit, event: ActionDispatched, reason: str) -> Refuse:
    return Refuse(event.alert, event.run, event.action, reason, unit.at)
