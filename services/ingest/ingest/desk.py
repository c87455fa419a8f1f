"""Units of work on alerts and alert sources that people ask for: wishes come in, events, cells and index entries go out.

gather (locks, indexes, cells) -> decide (`domain`, `sources`) -> apply, in one transaction each
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from events.core import Event
from events.ingest import AlertCreated, PriorityRule, SourceChanged
from events.shared import Actor, Image, Link, Priority
from events.topics import VAULTS
from ingest import alerts, domain, intake, restoring, sources
from ingest.keys import digest
from ingest.policies import Policies
from ingest.shapes import ManualAlertBody, SourceBody
from ingest.streams import SOURCE
from runtime.access import Access
from runtime.refusals import Refused, granted, invalid, missing
from runtime.resources import ids_of
from runtime.shell import Shell
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable, new_cell, read_cell

T = TypeVar("T")

VAULT: Final = VAULTS["ingest"].name
SOURCES: Final = "sources"
DIGESTS: Final = "digests"


@dataclass(frozen=True)
class Beliefs:
    """Others' pictures, and how to read them to the end before somebody is told that a thing does not exist."""

    access: Access
    policies: Policies
    people_caught_up: Callable[[], Awaitable[None]]
    policies_caught_up: Callable[[], Awaitable[None]]

    async def check_user(self, user: int) -> None:
        if self.access.person(user) is None:
            await self.people_caught_up()
        if self.access.person(user) is None:
            raise invalid(f"user: there is no user {user}")

    async def check_policy(self, policy: int) -> None:
        if policy not in self.policies.policies:
            await self.policies_caught_up()
        if policy not in self.policies.policies:
            raise invalid(f"escalationPolicy: there is no escalation policy {policy}")

    async def check_schedule(self, schedule: int) -> None:
        if schedule not in self.policies.schedules:
            await self.policies_caught_up()
        if schedule not in self.policies.schedules:
            raise invalid(f"schedule: there is no schedule {schedule}")

    async def check_teams(self, teams: Sequence[int]) -> None:
        if any(self.access.team(team) is None for team in teams):
            await self.people_caught_up()
        for team in teams:
            if self.access.team(team) is None:
                raise invalid(f"teams: there is no team {team}")


class AlertDesk:
    """What people do with alerts. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell, beliefs: Beliefs) -> None:
        self._shell, self._beliefs = shell, beliefs

    async def tell(self, alert: int, command: Callable[[Unit], domain.Command]) -> list[Event]:
        """Give a command to an alert; the instant comes from the unit. Answers when the broker has it."""

        async def work(unit: Unit) -> list[Event]:
            return granted(await alerts.command(unit, alert, command(unit)))

        return await self._shell.do(work)

    async def comment(self, alert: int, content: str, by: Actor, *, resolves: bool = False) -> int:
        """The id of the new comment."""

        async def work(unit: Unit) -> int:
            (number,) = await unit.draw("comment")
            asked = domain.Comment(number, content, by, unit.at, resolve_comment=resolves)
            granted(await alerts.command(unit, alert, asked))
            return number

        return await self._shell.do(work)

    async def open(self, body: ManualAlertBody, by: Actor) -> int:
        """The id of a manual alert. With responders chosen by hand only they are told."""
        responders = _responders(body)
        for user in responders:
            await self._beliefs.check_user(user)
        if body.escalation_policy:
            await self._beliefs.check_policy(body.escalation_policy.id)

        async def work(unit: Unit) -> int:
            source = (await _present(unit, [body.alert_source.id])).get(body.alert_source.id)
            if source is None:
                raise invalid(f"alertSource: there is no alert source {body.alert_source.id}")
            (number,) = await unit.draw("alert")
            alerts.begin(unit, self._manual(unit, number, source, body, responders, by))
            return number

        return await self._shell.do(work)

    def _manual(
        self,
        unit: Unit,
        number: int,
        source: SourceChanged,
        body: ManualAlertBody,
        responders: tuple[int, ...],
        by: Actor,
    ) -> AlertCreated:
        policy, policy_reason = self._policy(source, body, responders)
        ruled = Priority(PriorityRule(source.priority_rule).value)
        return AlertCreated(
            alert=number,
            source=source.source,
            source_name=source.name,
            policy=policy,
            policy_reason=policy_reason,
            priority=body.priority or ruled,
            priority_reason="chosen by hand" if body.priority else f"the source's rule is {ruled.value}",
            summary=body.summary,
            details=body.details or "",
            severity=body.severity or source.severity,
            links=tuple(Link(href=link.href, text=link.text or "") for link in body.links),
            images=tuple(Image(src=image.src, href=image.href or "", alt=image.alt or "") for image in body.images),
            labels=body.labels,
            responders=responders,
            teams=source.teams,
            auto_resolve_at=intake.auto_resolve_at(source, unit.at, self._shell.settings.minute_s),
            by=by,
            at=unit.at,
        )

    def _policy(self, source: SourceChanged, body: ManualAlertBody, responders: tuple[int, ...]) -> intake.PolicyChoice:
        if body.escalation_policy:
            return body.escalation_policy.id, "chosen by hand"
        if responders:
            return None, "responders were chosen by hand: only they are told"
        return self._beliefs.policies.choose(source.policy, None)


@dataclass(frozen=True)
class SourceCard:
    """A source with its key, which is in the vault; None where it cannot be opened."""

    source: SourceChanged
    key: str | None


class SourceDesk:
    """What people do with alert sources. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell, keyring: Keyring, beliefs: Beliefs) -> None:
        self._shell, self._keyring, self._beliefs = shell, keyring, beliefs

    async def all(self) -> list[SourceChanged]:
        """Every source, by id."""

        async def work(unit: Unit) -> list[SourceChanged]:
            numbers = sorted(int(number) for number in await unit.scan(SOURCES, ""))
            present = await _present(unit, numbers)
            return [present[number] for number in numbers if number in present]

        return await self._shell.run(work)

    async def get(self, number: int) -> SourceChanged | None:
        return await self._shell.run(lambda unit: _one(unit, number))

    async def by_key(self, key: str) -> SourceChanged | None:
        async def work(unit: Unit) -> SourceChanged | None:
            number = (await unit.index(DIGESTS, [digest(key)])).get(digest(key))
            return None if number is None else await _one(unit, int(number))

        return await self._shell.run(work)

    async def keys_of(self, known: Sequence[SourceChanged]) -> dict[int, str]:
        """The integration keys by source, from the vault; one that our keys do not open is left out, and logged."""

        async def work(unit: Unit) -> dict[int, str]:
            opened = {source.source: await self._opened(unit, source) for source in known}
            return {number: key for number, key in opened.items() if key is not None}

        return await self._shell.run(work) if known else {}

    async def create(self, body: SourceBody) -> SourceCard:
        await self._check(body)

        async def work(unit: Unit) -> SourceCard:
            (number,) = await unit.draw("source")
            key, cell = _new_key(), new_cell()
            await unit.put_cell(VAULT, self._keyring.seal(cell, key, unit.at))
            unit.fresh(SOURCE, number)
            source = _source(number, body, digest(key), cell, _mask(key), unit)
            granted(unit.decide(SOURCE, number, sources.Save(source)))
            unit.put(SOURCES, {str(number): source.key_digest})
            unit.put(DIGESTS, {source.key_digest: str(number)})
            return SourceCard(source, key)

        return await self._shell.do(work)

    async def change(self, number: int, body: SourceBody) -> SourceCard:
        """The whole source anew; its key stays."""
        await self._check(body)

        async def work(unit: Unit) -> SourceCard:
            old = await self._locked(unit, number)
            source = _source(number, body, old.key_digest, old.key_cell, old.key_mask, unit)
            granted(unit.decide(SOURCE, number, sources.Save(source)))
            return SourceCard(source, await self._opened(unit, source))

        return await self._shell.do(work)

    async def delete(self, number: int) -> None:
        """Its key opens nothing any more, and is erased; its alerts live on."""

        async def work(unit: Unit) -> None:
            old = await self._locked(unit, number)
            granted(unit.decide(SOURCE, number, sources.Delete(unit.at)))
            await unit.erase_cell(VAULT, old.key_cell)
            unit.put(SOURCES, {str(number): None})
            unit.put(DIGESTS, {old.key_digest: None})

        await self._shell.do(work)

    async def _check(self, body: SourceBody) -> None:
        await self._beliefs.check_policy(body.escalation_policy.id)
        await self._beliefs.check_teams(ids_of(body.teams))

    async def _locked(self, unit: Unit, number: int) -> SourceChanged:
        await unit.load(SOURCE, [number])
        state = unit.state(SOURCE, number)
        if not isinstance(state, sources.Present):
            raise missing(f"There is no alert source {number}")
        return state.source

    async def _opened(self, unit: Unit, source: SourceChanged) -> str | None:
        sealed = await read_cell(unit.tx, source.key_cell)
        try:
            return None if sealed is None else self._keyring.open(sealed).decode()
        except Unreadable as unreadable:
            self._shell.log.error("source.key_unreadable", source=source.source, reason=str(unreadable))
            return None


async def reindex(unit: Unit, restored: Sequence[Any]) -> None:
    """Restore all indexes of ingest from events that were taken in from its topics."""
    await alerts.reindex(unit, restored)
    await restoring.reindex(unit, restored)
    numbers = {envelope.event.source for envelope in restored if envelope.stream.startswith("source-")}
    await unit.load(SOURCE, numbers)
    for number in numbers:
        state = unit.state(SOURCE, number)
        if isinstance(state, sources.Present):
            unit.put(SOURCES, {str(number): state.source.key_digest})
            unit.put(DIGESTS, {state.source.key_digest: str(number)})
        else:
            held = (await unit.index(SOURCES, [str(number)])).get(str(number))
            unit.put(SOURCES, {str(number): None})
            unit.put(DIGESTS, {held: None} if held else {})


def _responders(body: ManualAlertBody) -> tuple[int, ...]:
    chosen = [responder.user.id for responder in body.responders]
    return tuple(dict.fromkeys(chosen or ([body.assigned_to.id] if body.assigned_to else [])))


def _source(number: int, body: SourceBody, key_digest: str, cell: str, mask: str, unit: Unit) -> SourceChanged:
    return SourceChanged(
        source=number,
        name=body.name,
        integration_type=body.integration_type,
        key_digest=key_digest,
        key_cell=cell,
        key_mask=mask,
        policy=body.escalation_policy.id,
        active=body.active,
        alert_creation=body.alert_creation,
        priority_rule=PriorityRule(body.alert_priority_rule),
        auto_resolution=body.auto_resolution_timeout,
        severity=body.severity,
        teams=ids_of(body.teams),
        at=unit.at,
    )


def _new_key() -> str:
    return f"il1int{secrets.token_hex(24)}"


def _mask(key: str) -> str:
    return f"{key[:6]}…{key[-4:]}"


async def _one(unit: Unit, number: int) -> SourceChanged | None:
    return (await _present(unit, [number])).get(number)


async def _present(unit: Unit, numbers: Sequence[int]) -> dict[int, SourceChanged]:
    known = await unit.peek(SOURCE, numbers)
    states = {number: known[SOURCE.stream(number)].state for number in numbers}
    return {number: state.source for number, state in states.items() if isinstance(state, sources.Present)}


__all__ = ["AlertDesk", "Beliefs", "Refused", "SourceCard", "SourceDesk", "reindex"]
