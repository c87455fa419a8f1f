"""Who hears of what they are not asked to answer: in come others' events and time, out come notices, and mails for them.

alerts, escalations -> updates for those who were asked before     oncall -> reminders of duties ahead
incidents           -> announcements for subscribers               time   -> what is due joins a mail, windows end
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from events.core import Event
from events.envelope import Envelope
from events.escalator import ScheduleDeleted, ShiftsPlanned
from events.notifier import DigestComposed, DigestHeld, NoticeCancelled, NoticeKind, NoticeQueued
from events.statuspage import AnnouncementMade
from events.topics import INCIDENTS, ONCALL
from notifier.domain import digest, duties
from notifier.domain.dossier import Dossier
from notifier.domain.duties import Plan
from notifier.domain.news import announcement_notices, recipients, update_notices, update_of, updates
from notifier.domain.notice import Cancel, Cancelled, Gather, Gathered, Known, Queue, Waiting
from notifier.domain.notice import Open as OpenNotice
from notifier.domain.reach import Forgotten, Reachable, Unknown
from notifier.domain.reach import State as Person
from notifier.planning import GONE, Newcomer, introduce, offer
from notifier.streams import DIGEST, NOTICE, PERSON
from runtime import logs
from runtime.ports import Delivery
from runtime.records import Received
from runtime.ticks import Due
from runtime.unit import NO_CAUSE, Cause, Unit

TOPICS: Final = (ONCALL.name, INCIDENTS.name)
CHANNEL: Final = "notice"
TOLD: Final = "told"
PLANS: Final = "plan"
DUTIES: Final = "duties"
OLDEST: Final = timedelta(hours=24)
DEADLINE: Final = timedelta(hours=24)
LANE: Final = 1
CONTACT_GONE: Final = "The contact was deleted, or cannot be used, since this was planned."
NOT_PLANNED: Final = "This duty is not planned for this person any more."
TOLD_ANEW: Final = "The plan or the wish for reminders changed since this was planned."

log = logs.get("notifier.notices")


@dataclass(frozen=True)
class Wish:
    """Something to be told, and what led to it."""

    queue: Queue
    cause: Cause


@dataclass(frozen=True)
class Notices:
    """`minute` is how long a minute of a reminder's lead lasts; `storm` is the length of a window."""

    minute: timedelta
    storm: timedelta

    async def hear(
        self, unit: Unit, batch: Sequence[Received], before: Mapping[int, Dossier], known: Mapping[int, Dossier]
    ) -> None:
        """Take in one batch; `before` and `known` are its alerts' dossiers without it and with it."""
        await self._tell_updates(unit, batch, before, known)
        for received in batch:
            if isinstance(received.envelope.event, AnnouncementMade):
                await self._announce(unit, received.envelope.event, Cause.of(received.envelope))
        await self._remind(unit, batch)  # after people were met: whoever changes a wish locks the person first, too

    # -- updates of alerts

    async def _tell_updates(
        self, unit: Unit, batch: Sequence[Received], before: Mapping[int, Dossier], known: Mapping[int, Dossier]
    ) -> None:
        asked = {alert: one.users for alert, one in before.items()}
        heard = list(recipients([received.envelope.event for received in batch], asked))
        people = await unit.peek(PERSON, {user for _, users in heard for user in users})
        wishes = [
            Wish(queue, Cause.of(batch[place].envelope))
            for place, users in heard
            for user in users
            for queue in _updates(batch[place], people[PERSON.stream(user)].state, known, unit.at)
        ]
        await queue_all(unit, wishes)

    # -- announcements

    async def _announce(self, unit: Unit, event: AnnouncementMade, cause: Cause) -> None:
        """Whoever is not known yet is met now; what was said long ago is news no more."""
        if event.at < unit.at - OLDEST:
            log.info("announcement.old", announcement=event.announcement)
            return
        users = {told.user for told in event.users}
        await self._meet(unit, users, cause)
        people = await unit.peek(PERSON, users)
        wishes = [
            Wish(queue, cause)
            for told in event.users
            if isinstance(person := people[PERSON.stream(told.user)].state, Reachable)
            for queue in announcement_notices(event, told, person, unit.at)
        ]
        await queue_all(unit, wishes)

    async def _meet(self, unit: Unit, users: Iterable[int], cause: Cause) -> None:
        """All have a way to hear of it, unless they wished for none."""
        people = await unit.peek(PERSON, users)
        strangers = [user for user in users if isinstance(people[PERSON.stream(user)].state, Unknown)]
        if strangers:
            await introduce(unit, {user: Newcomer("", cause) for user in strangers}, self.minute)
        await offer(unit, (user for user in users if _never_chose(people[PERSON.stream(user)].state)))

    # -- duties ahead

    async def _remind(self, unit: Unit, batch: Sequence[Received]) -> None:
        said = [one for one in batch if isinstance(one.envelope.event, ShiftsPlanned | ScheduleDeleted)]
        if not said:
            return
        await unit.tx.lock([DUTIES])
        schedules = {_schedule(one): Cause.of(one.envelope) for one in said}
        for schedule, cause in schedules.items():
            plan = _plan([one.envelope.event for one in said if _schedule(one) == schedule][-1])
            unit.put(PLANS, {str(schedule): duties.dump(plan)})
            await remind(unit, plan, self.minute, cause=cause)

    # -- time

    async def tick(self, unit: Unit, due: Due) -> None:
        """Windows that end go first, so that what is due now opens the next one."""
        await _close_windows(unit, [number for kind, number in due if kind.name == DIGEST.name])
        await self._gather(unit, [number for kind, number in due if kind.name == NOTICE.name])

    async def _gather(self, unit: Unit, numbers: Sequence[str]) -> None:
        states = {number: unit.state(NOTICE, number) for number in numbers}
        waiting = [one for one in states.values() if isinstance(one, Waiting) and one.told.send_at <= unit.at]
        people = await unit.peek(PERSON, {one.told.user for one in waiting})
        wanted = [one for one in waiting if is_reached(unit, one, people[PERSON.stream(one.told.user)].state)]
        await unit.load(DIGEST, {one.told.contact for one in wanted})
        in_turn = sorted(wanted, key=lambda one: (one.told.send_at, one.told.notice))
        for one, message in zip(in_turn, await unit.draw("message", len(in_turn)), strict=True):
            told = one.told
            tell = digest.Tell(told.contact, told.user, told.notice, message, unit.at, self.storm)
            for event in _decided(unit.decide(DIGEST, told.contact, tell)):
                _passed_on(unit, event)


def know_plans(unit: Unit, batch: Sequence[Received]) -> None:
    """After a restore: what was planned before it; who was reminded of it is told by our own events."""
    for received in batch:
        if isinstance(received.envelope.event, ShiftsPlanned | ScheduleDeleted):
            unit.put(PLANS, {str(_schedule(received)): duties.dump(_plan(received.envelope.event))})


# -- what was told already


async def queue_all(unit: Unit, wishes: Sequence[Wish]) -> None:
    """A notice for each occurrence of which nothing was told yet."""
    told = await unit.index(TOLD, {wish.queue.occurrence for wish in wishes})
    fresh: dict[str, Wish] = {}
    for wish in wishes:
        if wish.queue.occurrence not in told:
            fresh.setdefault(wish.queue.occurrence, wish)
    for (occurrence, wish), number in zip(fresh.items(), await unit.draw("notification", len(fresh)), strict=True):
        unit.fresh(NOTICE, number)
        unit.decide(NOTICE, number, replace(wish.queue, notice=number), wish.cause)
        unit.put(TOLD, {occurrence: str(number)})


async def notices_of(unit: Unit, alert: int) -> list[Known]:
    """What others were told of an alert, in the order in which it was planned."""
    told = await unit.scan(TOLD, updates(alert))
    states = await unit.peek(NOTICE, told.values())
    known = [one.state for one in states.values() if isinstance(one.state, Known)]
    return sorted(known, key=lambda one: one.told.notice)


def is_reached(unit: Unit, one: OpenNotice, person: Person) -> bool:
    """Whether the person and the contact are still there; where not, the notice is cancelled."""
    reason = _lack(one, person)
    if reason:
        unit.decide(NOTICE, one.told.notice, Cancel(reason, unit.at))
    return not reason


def _lack(one: OpenNotice, person: Person) -> str:
    if not isinstance(person, Reachable):
        return GONE
    usable = {contact.id for contact in person.usable()}
    return "" if one.told.contact in usable else CONTACT_GONE


def _updates(received: Received, person: Person, known: Mapping[int, Dossier], at: datetime) -> list[Queue]:
    """Whoever reads an old story again tells nobody of it."""
    envelope = received.envelope
    update = update_of(envelope.event)
    if update is None or update.at < at - OLDEST or not isinstance(person, Reachable):
        return []
    return list(update_notices(update, envelope.id, known[update.alert], person, at))


def _never_chose(person: Person) -> bool:
    return isinstance(person, Reachable) and not person.chose


# -- reminders: what stands is kept, what does not is cancelled


async def remind(unit: Unit, plan: Plan, minute: timedelta, user: int | None = None, cause: Cause = NO_CAUSE) -> None:
    """Bring the reminders of a schedule (of one user, where one is named) to what plan and preferences say now."""
    told = await _told_ahead(unit, plan.schedule, user)
    users = {user} if user is not None else plan.users | {duties.user_of(occurrence) for occurrence in told}
    people = await unit.peek(PERSON, users)
    states = {one: people[PERSON.stream(one)].state for one in users}
    wanted = {queue.occurrence: queue for queue in _wanted(plan, states.values(), minute, unit.at)}
    await unit.load(NOTICE, told.values())
    for occurrence, number in told.items():
        reason = _why_cancelled(unit, plan, occurrence, number, wanted, states)
        if reason:
            unit.decide(NOTICE, number, Cancel(reason, unit.at), cause)
            unit.put(TOLD, {occurrence: None})
    await queue_all(unit, [Wish(queue, cause) for queue in wanted.values()])


async def remind_person(unit: Unit, user: int, minute: timedelta) -> None:
    """This person's contacts or preferences changed: their reminders follow, by every schedule."""
    await unit.tx.lock([DUTIES])
    for text in (await unit.scan(PLANS, "")).values():
        await remind(unit, duties.load(text), minute, user)


async def _told_ahead(unit: Unit, schedule: int, user: int | None) -> dict[str, str]:
    """The reminders of duties that have not begun; those of the past are forgotten here."""
    told = await unit.scan(TOLD, duties.occurrences(schedule, user))
    past = [occurrence for occurrence in told if duties.start_of(occurrence) <= unit.at]
    unit.put(TOLD, dict.fromkeys(past))
    return {occurrence: number for occurrence, number in told.items() if occurrence not in set(past)}


def _wanted(plan: Plan, people: Iterable[Person], minute: timedelta, at: datetime) -> list[Queue]:
    known = [person for person in people if isinstance(person, Reachable)]
    return [queue for person in known for queue in duties.reminders(plan, person, minute, at)]


def _why_cancelled(
    unit: Unit, plan: Plan, occurrence: str, number: str, wanted: Mapping[str, Queue], people: Mapping[int, Person]
) -> str:
    """Nothing for what stands, and for what is over."""
    state = unit.state(NOTICE, number)
    if not isinstance(state, OpenNotice):
        return ""
    if occurrence in wanted and duties.is_same(wanted[occurrence], state.told):
        return ""
    user = state.told.user
    if isinstance(people[user], Forgotten):
        return GONE
    stands = any(duty.start == state.told.begins_at for duty in plan.of(user))
    return TOLD_ANEW if stands else NOT_PLANNED


def _plan(event: Event) -> Plan:
    match event:
        case ShiftsPlanned():
            return duties.plan_of(event)
        case ScheduleDeleted(schedule=schedule):
            return Plan(schedule, "")
        case _:
            raise TypeError(f"{event.wire_type()} says nothing of shifts")


def _schedule(received: Received) -> int:
    event = received.envelope.event
    assert isinstance(event, ShiftsPlanned | ScheduleDeleted)
    return event.schedule


# -- mails


async def _close_windows(unit: Unit, numbers: Sequence[str]) -> None:
    held = {number: _held(unit, number) for number in numbers}
    await unit.load(NOTICE, {one for waits in held.values() for one in waits})
    for number, message in zip(numbers, await unit.draw("message", len(numbers)), strict=True):
        alive = frozenset(one for one in held[number] if isinstance(unit.state(NOTICE, one), Gathered))
        for event in _decided(unit.decide(DIGEST, number, digest.Close(alive, message, unit.at))):
            _passed_on(unit, event)


def _held(unit: Unit, number: str) -> tuple[int, ...]:
    state = unit.state(DIGEST, number)
    return state.held if isinstance(state, digest.Open) else ()


def _passed_on(unit: Unit, event: object) -> None:
    """What a window decided, told to the notices; a mail that is composed is on its way."""
    match event:
        case DigestHeld(notice=number, until=until):
            unit.decide(NOTICE, number, Gather(None, until, unit.at))
        case DigestComposed(message=message, carries=carries, window_ends_at=until):
            for number in carries:
                unit.decide(NOTICE, number, Gather(message, until, unit.at))
            unit.deliver(delivery_of(event))
        case _:
            pass


def delivery_of(composed: DigestComposed) -> Delivery:
    """The way out of a mail of notices: one in flight per contact, beside that contact's pages, tried for a day."""
    return Delivery(
        id=composed.message,
        channel=CHANNEL,
        stream=composed.stream,
        target=f"notices-{composed.contact}",
        not_before=composed.at,
        deadline=composed.at + DEADLINE,
        payload=composed.model_dump_json().encode(),
        lane=LANE,
    )


def _decided(outcome: object) -> Sequence[object]:
    return outcome if isinstance(outcome, list) else ()


# -- after a restore


async def reindex(unit: Unit, envelopes: Iterable[Envelope]) -> None:
    """What was told already, and which mails were on their way."""
    events = [envelope.event for envelope in envelopes]
    for event in events:
        await _remember(unit, event)
    await _deliver_again(unit, [event for event in events if isinstance(event, DigestComposed)])


async def _remember(unit: Unit, event: object) -> None:
    """A reminder that was cancelled may be wished for again; of two with one occurrence the newer counts."""
    match event:
        case NoticeQueued(occurrence=occurrence, notice=number):
            told = await unit.index(TOLD, [occurrence])
            if int(told.get(occurrence, 0)) < number:
                unit.put(TOLD, {occurrence: str(number)})
        case NoticeCancelled(notice=number):
            await unit.load(NOTICE, [number])
            state = unit.state(NOTICE, number)
            if isinstance(state, Cancelled) and state.told.kind is NoticeKind.DUTY:
                told = await unit.index(TOLD, [state.told.occurrence])
                if told.get(state.told.occurrence) == str(number):
                    unit.put(TOLD, {state.told.occurrence: None})
        case _:
            pass


async def _deliver_again(unit: Unit, mails: Iterable[DigestComposed]) -> None:
    """A mail of which nothing is known to have become anything goes (again, perhaps) under its own id."""
    for composed in mails:
        await unit.load(NOTICE, composed.carries)
        if any(isinstance(unit.state(NOTICE, number), Gathered) for number in composed.carries):
            unit.settle([composed.message])  # a backup may hold the row already; what is settled first is put in once
            unit.deliver(delivery_of(composed))
