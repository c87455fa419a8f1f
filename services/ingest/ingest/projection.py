"""From events to tables: what ingest decided (in the deciding transaction), and what the other services said of its alerts.

Both are set-wise, and idempotent: the timeline takes an event's id once, and everything else is set, not added,
but for the count of repeats, which goes with its timeline entry.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

from events.core import Event
from events.envelope import Envelope
from events.escalator import (
    EscalationEnded,
    EscalationEvent,
    EscalationHalted,
    EscalationLevelReached,
    EscalationResponderAdded,
    EscalationStarted,
    Responder,
)
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertEvent,
    AlertRepeated,
    AlertResolved,
    SignalDropped,
)
from events.notifier import Carried, MessageComposed
from events.shared import Actor
from events.statuspage import IncidentCreated, IncidentLinked, IncidentStatus, IncidentUnlinked, IncidentUpdated
from ingest.intake import open_key
from ingest.timeline import is_told

CREATE = """
insert into alerts (id, version, status, source, source_name, policy, policy_reason, priority, priority_reason, severity,
    summary, details, alert_key, open_key, links, images, labels, services, teams, created_by, created_at,
    auto_resolve_at, last_event_at, custom_details)
values ($1, $2, 'PENDING', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $20, $22)
on conflict (id) do nothing
"""
TELL = """
insert into timeline (alert, event_id, type, at, body)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::jsonb[])
on conflict do nothing returning alert, event_id
"""
NOTE = """
insert into source_log (source, signal, event_id, outcome, alert, text, received_at)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
"""
ACCEPTED = """
update alerts set status = 'ACCEPTED', accepted_by = $2, accepted_at = $3, next_at = null where id = $1
"""
RESOLVED = """
update alerts set status = 'RESOLVED', resolved_by = $2, resolved_at = $3, resolve_reason = $4,
    next_at = null, auto_resolve_at = null where id = $1
"""
PENDING_AGAIN = "update alerts set status = 'PENDING', accepted_by = null, accepted_at = null where id = $1"
ASSIGNED = "update alerts set policy = coalesce($2, policy), assigned_user = $3 where id = $1"
REPEATED = """
update alerts set repeats = repeats + $2, last_event_at = greatest(last_event_at, $3) where id = $1
"""
VERSION = "update alerts set version = greatest(version, $2) where id = $1"
COMMENT = """
insert into comments (id, alert, content, creator, by, resolves, created_at) values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
"""
RESPONDS = """
insert into responders (alert, user_id, status, accepted_at, told_at) values ($1, $2, 'ACCEPTED', $3, $3)
on conflict (alert, user_id) do update set status = 'ACCEPTED', accepted_at = excluded.accepted_at
"""
TOLD = """
insert into responders (alert, user_id, status, told_at) select $1, unnest($2::bigint[]), 'PENDING', $3
on conflict (alert, user_id) do nothing
"""
NOBODY_YET = "delete from responders where alert = $1"
ASKED_AGAIN = "update responders set status = 'PENDING', accepted_at = null where alert = $1"
STARTED = """
update alerts set climb = 'CLIMBING', climb_reason = '', levels = $2, level = null,
    next_at = case when status = 'PENDING' then $3::timestamptz end
where id = $1
"""
REACHED = "update alerts set level = $2, next_at = $3 where id = $1 and status = 'PENDING'"
LINK = """
insert into incident_links (incident, alert, linked, at) values ($1, $2, $3, $4)
on conflict (incident, alert) do update set linked = excluded.linked, at = excluded.at
"""
LINKED = "select alert from incident_links where incident = any($1::bigint[]) and linked order by alert"
ENDED = "update alerts set climb = $2, climb_reason = $3, next_at = null where id = $1"


async def project(sql: Any, decided: Sequence[Envelope]) -> None:
    """What ingest itself decided; called inside the deciding transaction."""
    told = [(envelope, envelope.event) for envelope in decided if isinstance(envelope.event, AlertEvent)]
    created = [(envelope, event) for envelope, event in told if isinstance(event, AlertCreated)]
    if created:
        await sql.executemany(CREATE, [_row(envelope, event) for envelope, event in created])
    news = await _tell(sql, [(event.alert, envelope) for envelope, event in told])
    told = [(envelope, event) for envelope, event in told if (event.alert, envelope.id) in news]
    await _carry_out(sql, [(event.alert, change) for _, event in told for change in _changes(event)])
    if told:
        await sql.executemany(VERSION, [(event.alert, envelope.version) for envelope, event in told])
    await _note(sql, told, decided)


async def project_foreign(sql: Any, said: Sequence[Envelope]) -> None:
    """What other services said of our alerts; called inside the transaction that moves the reader's position."""
    await _tell(sql, [(alert, one) for one in said for alert in await _concerned(sql, one.event)])
    climbs = [envelope.event for envelope in said if isinstance(envelope.event, EscalationEvent)]
    await _carry_out(sql, [(event.alert, change) for event in climbs for change in _climbed(event)])


async def linked_alerts(sql: Any, incidents: Sequence[int]) -> list[int]:
    """The alerts that are linked to any of these incidents."""
    return [row["alert"] for row in await sql.fetch(LINKED, list(incidents))] if incidents else []


async def _concerned(sql: Any, event: Event) -> Sequence[int]:
    """On whose timelines an event is told. Of an incident its end is told to the alerts that are linked to it by then."""
    match event:
        case IncidentCreated(alert=int(alert)) | IncidentLinked(alert=alert):
            await sql.execute(LINK, event.incident, alert, True, event.at)
            return (alert,)
        case IncidentUnlinked(alert=alert):
            await sql.execute(LINK, event.incident, alert, False, event.at)
            return (alert,)
        case IncidentUpdated(incident=incident, status=IncidentStatus.RESOLVED):
            return await linked_alerts(sql, [incident])
        case _:
            return alerts_of(event) if is_told(event) else ()


def alerts_of(event: Event) -> tuple[int, ...]:
    """Which alerts an event is about: one, or all that a message carries."""
    if isinstance(event, MessageComposed):
        return tuple(dict.fromkeys(carried.alert for carried in event.carries))
    alert = getattr(event, "alert", None)
    return (alert,) if isinstance(alert, int) else ()


Change = tuple[str, tuple[Any, ...]]
"""A statement and its values."""


async def _carry_out(sql: Any, changes: Sequence[tuple[int, Change]]) -> None:
    """Each alert's changes in their order. Different alerts' do not meet: what is first of each goes together, then what is
    second; a statement goes once for all its values.
    """
    of_alert: dict[int, list[Change]] = {}
    for alert, change in changes:
        of_alert.setdefault(alert, []).append(change)
    for turn in zip_longest(*(of_alert[alert] for alert in sorted(of_alert))):
        together: dict[str, list[tuple[Any, ...]]] = {}
        for statement, values in filter(None, turn):
            together.setdefault(statement, []).append(values)
        for statement, rows in together.items():
            await sql.executemany(statement, rows)


def _changes(event: AlertEvent) -> list[Change]:
    """What one event changes of its alert's row, responders and comments; a new alert was put there before."""
    match event:
        case AlertRepeated():
            return [(REPEATED, (event.alert, event.count, event.received_at))]
        case AlertAccepted():
            return [(ACCEPTED, (event.alert, _json(event.by), event.at)), *_responds(event.alert, event.by, event)]
        case AlertAnswerNoted(outcome="ALREADY_ACCEPTED"):
            return _responds(event.alert, event.by, event)
        case AlertResolved():
            return [(RESOLVED, (event.alert, _json(event.by), event.at, event.reason))]
        case AlertAssigned():
            assigned = (ASSIGNED, (event.alert, event.policy, event.user))
            return [(PENDING_AGAIN, (event.alert,)), assigned, (NOBODY_YET, (event.alert,))]
        case AlertEscalationRequested():
            return [(PENDING_AGAIN, (event.alert,)), (ASKED_AGAIN, (event.alert,))]
        case AlertCommented():
            by = (event.creator, _json(event.by), event.resolve_comment, event.at)
            return [(COMMENT, (event.comment, event.alert, event.content, *by))]
        case _:
            return []


def _row(envelope: Envelope, event: AlertCreated) -> tuple[Any, ...]:
    return (
        event.alert,
        envelope.version,
        event.source,
        event.source_name,
        event.policy,
        event.policy_reason,
        event.priority.value,
        event.priority_reason,
        event.severity,
        event.summary,
        event.details,
        event.alert_key,
        open_key(event.source, event.alert_key),
        _json([link.model_dump() for link in event.links]),
        _json([image.model_dump() for image in event.images]),
        _json(event.labels),
        _json(list(event.services)),
        list(event.teams),
        _json(event.by),
        event.at,
        event.auto_resolve_at,
        _json(event.custom_details) if event.custom_details else None,
    )


def _responds(alert: int, by: Actor, event: AlertEvent) -> list[Change]:
    return [] if by.user is None else [(RESPONDS, (alert, by.user, event.at))]


async def _note(sql: Any, told: Sequence[tuple[Envelope, AlertEvent]], decided: Sequence[Envelope]) -> None:
    """What became of each signal, for the page of its source."""
    spoken = [(envelope, event, *_signals(event)) for envelope, event in told]
    sources = await _sources(sql, {event.alert for _, event, signals, _, _ in spoken if signals})
    rows = [
        (sources[event.alert], signal, envelope.id, outcome, event.alert, text, _received_at(event))
        for envelope, event, signals, outcome, text in spoken
        for signal in signals
        if event.alert in sources
    ]
    rows += [_dropped(envelope, envelope.event) for envelope in decided if isinstance(envelope.event, SignalDropped)]
    if rows:
        await sql.executemany(NOTE, rows)


async def _sources(sql: Any, alerts: set[int]) -> dict[int, int]:
    if not alerts:
        return {}
    found = await sql.fetch("select id, source from alerts where id = any($1::bigint[])", list(alerts))
    return {row["id"]: row["source"] for row in found}


def _received_at(event: AlertEvent) -> datetime:
    received_at = event.received_at if isinstance(event, AlertCreated | AlertRepeated) else None
    return received_at or event.at


def _dropped(envelope: Envelope, event: SignalDropped) -> tuple[Any, ...]:
    return event.source, event.signal, envelope.id, event.reason.value, None, event.text, event.received_at


def _signals(event: AlertEvent) -> tuple[tuple[str, ...], str, str]:
    match event:
        case AlertCreated(signal=str(signal)):
            return (signal,), "CREATED", event.summary
        case AlertRepeated():
            return event.signals, "REPEATED", event.summary
        case AlertAccepted(signal=str(signal)):
            return (signal,), "ACCEPTED", ""
        case AlertResolved(signal=str(signal)):
            return (signal,), "RESOLVED", event.reason
        case AlertCommented(signal=str(signal)):
            return (signal,), "COMMENTED", event.content[:200]
        case AlertAnswerNoted(signal=str(signal)):
            return (signal,), event.outcome, ""
        case _:
            return (), "", ""


def _climbed(event: EscalationEvent) -> list[Change]:
    """Who is asked, how far the climb is, and when it goes on."""
    match event:
        case EscalationStarted():
            levels = _json([level.model_dump() for level in event.levels])
            return [(STARTED, (event.alert, levels, event.begins_at))]
        case EscalationLevelReached():
            return [(REACHED, (event.alert, event.level, event.next_at)), _told(event.alert, event.responders, event)]
        case EscalationResponderAdded():
            return [_told(event.alert, (event.responder,), event)]
        case EscalationEnded():
            return [(ENDED, (event.alert, "ENDED", event.reason))]
        case EscalationHalted():
            return [(ENDED, (event.alert, "HALTED", event.reason))]
        case _:
            return []


def _told(alert: int, responders: Sequence[Responder], event: Event) -> Change:
    return TOLD, (alert, [responder.user for responder in responders], event.at)


async def _tell(sql: Any, told: Sequence[tuple[int, Envelope]]) -> set[tuple[int, str]]:
    """Those that are news to the timeline."""
    if not told:
        return set()
    shares = {one.id: _shares(one.event) for one in {one.id: one for _, one in told}.values()}
    bodies = [_body(shares[one.id].get(alert, one.event)) for alert, one in told]
    rows = await sql.fetch(
        TELL,
        [alert for alert, _ in told],
        [one.id for _, one in told],
        [one.type for _, one in told],
        [one.event.at for _, one in told],
        bodies,
    )
    return {(row["alert"], row["event_id"]) for row in rows}


def _shares(event: Event) -> dict[int, Event]:
    """A message may name thousands of alerts: each one's timeline keeps its own part and the number of all."""
    if not isinstance(event, MessageComposed) or len(event.carries) <= 1:
        return {}
    parts: dict[int, list[Carried]] = {}
    for carried in event.carries:
        parts.setdefault(carried.alert, []).append(carried)
    return {
        alert: event.model_copy(update={"carries": tuple(part), "alerts": len(parts)}) for alert, part in parts.items()
    }


def _body(event: Event) -> str:
    return event.model_dump_json(exclude_none=True, exclude={"details", "custom_details"})


def _json(value: Any) -> str:
    return value.model_dump_json(exclude_none=True) if isinstance(value, Actor) else json.dumps(value)
