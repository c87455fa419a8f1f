"""How a message leaves: looked at once more when it is claimed, written, sent, and its fate decided for all it carries."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from channels import attempts
from channels.mail import Mail
from events.machinery import SYNTHETIC
from events.notifier import Carried, MessageComposed
from notifier.addresses import Addresses, Whither, whither
from notifier.domain.dossier import Dossier
from notifier.domain.page import Defer, Drop, Notification, Succeed, Underway
from notifier.domain.reach import State as Person
from notifier.mails import Letter, Writer
from notifier.planning import page_number, read_dossiers
from notifier.streams import PAGE, PERSON
from notifier.worker import DueOne, fail, has_contact, notification_of
from runtime import logs, telemetry
from runtime.access import Access
from runtime.breath import breathing
from runtime.deliveries import Later, Refused, Result, Sent
from runtime.ports import Clock, Delivery
from runtime.unit import Cause, Unit
from runtime.vault import Keyring, Unreadable
from runtime.views import Tail
from web.words import Tongue

log = logs.get("notifier.mailer")


class Post(Protocol):
    """What takes a mail: `channels.smtp.SmtpSender`, or what stands for it in a simulation."""

    async def send(self, mail: Mail) -> attempts.Attempt: ...


@dataclass(frozen=True)
class Claimed:
    """What a claim found: the letter, and where it goes."""

    letter: Letter
    there: Whither


class Mailer:
    """The sender of the channel `email`."""

    def __init__(self, writer: Writer, post: Post, access: Access, tail: Tail, keyring: Keyring, clock: Clock) -> None:
        self._writer, self._post, self._clock = writer, post, clock
        self._access, self._addresses = access, Addresses(access, tail, keyring)
        self._claimed: dict[int, Claimed] = {}

    # -- the latest state, in the claiming transaction

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        """Drop what was answered meanwhile; when nothing remains, no mail goes."""
        composed = MessageComposed.model_validate_json(delivery.payload)
        await unit.load(PAGE, {page_number(one.alert, one.user) for one in composed.carries})
        known = await read_dossiers(unit, {one.alert for one in composed.carries})
        person = await _person(unit, composed.user)
        carries = [
            (one, known[carried.alert])
            async for carried in breathing(composed.carries)
            if (one := await _still(unit, composed, carried, known[carried.alert], person)) is not None
        ]
        if carries:
            there = await whither(unit, composed.user, composed.contact, person)
            self._claimed[delivery.id] = Claimed(Letter(composed, carries), there)
        return bool(carries)

    # -- one attempt

    async def send(self, delivery: Delivery) -> Result:
        claimed = self._claimed.pop(delivery.id)
        if claimed.there.user == SYNTHETIC:
            return Sent("the suite's own sink took it")
        try:
            to = await self._addresses.of(claimed.there)
        except Unreadable as error:
            return Refused(str(error))
        if to is None:
            return Later("The address of this person is not known here yet")
        try:
            mail = self._mail(claimed.letter, to, is_repeat=delivery.may_have_arrived)
        except Exception as error:  # one alert that cannot be written must not keep all others from being told
            log.exception("mail.unwritten", message=claimed.letter.composed.message)
            return Refused(f"This mail could not be written: {type(error).__name__}")
        with _span(claimed.letter) as traced:
            attempt = await self._post.send(mail)
            traced.note({"alarum.attempt": delivery.attempts + 1, "alarum.outcome": type(attempt).__name__})
        return result_of(attempt)

    def _mail(self, letter: Letter, to: str, *, is_repeat: bool) -> Mail:
        user = self._access.person(letter.composed.user)
        tongue = Tongue(user.timezone, user.language) if user else Tongue()
        names = self._access.names({user for _, known in letter.carries for user in known.users})
        return self._writer.write(letter, to, self._clock.now(), tongue, names, is_repeat=is_repeat)

    # -- what became of it

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        composed = MessageComposed.model_validate_json(delivery.payload)
        await unit.load(PAGE, {page_number(one.alert, one.user) for one in composed.carries})
        known = await read_dossiers(unit, {one.alert for one in composed.carries})
        person = await _person(unit, composed.user)
        async for carried in breathing(composed.carries):
            cause = Cause(None, known[carried.alert].trace)
            attempted = (result, delivery.attempts, delivery.gate_timed_out)
            await self._settle_one(unit, composed, carried, person, attempted, next_at, cause)

    async def _settle_one(
        self,
        unit: Unit,
        composed: MessageComposed,
        carried: Carried,
        person: Person,
        attempted: tuple[Result, int, bool],
        next_at: datetime | None,
        cause: Cause,
    ) -> None:
        one = _underway(unit, composed, carried)
        if one is None:
            return
        result, attempt, blind = attempted
        page, message, at = page_number(carried.alert, carried.user), composed.message, unit.at
        match result:
            case Sent(reply):
                message_id = self._writer.message_id(composed)
                told = Succeed(one.id, message, message_id, reply, attempt, at, gate_timed_out=blind)
                unit.decide(PAGE, page, told, cause)
            case Later(error) if next_at is not None:
                unit.decide(PAGE, page, Defer(one.id, message, attempt, error, next_at, at), cause)
            case Later(error) | Refused(error):
                due = DueOne(carried.alert, carried.user, one)
                await fail(unit, due, person, error, cause, message)


async def _person(unit: Unit, user: int) -> Person:
    return (await unit.peek(PERSON, [user]))[PERSON.stream(user)].state


def _underway(unit: Unit, composed: MessageComposed, carried: Carried) -> Notification | None:
    """The notification, while it is in this message and nothing became of it yet."""
    one = notification_of(unit, page_number(carried.alert, carried.user), carried.notification)
    if one is None or not isinstance(one.fate, Underway) or one.fate.message != composed.message:
        return None
    return one


async def _still(
    unit: Unit, composed: MessageComposed, carried: Carried, known: Dossier, person: Person
) -> Notification | None:
    """The notification, if it is still to be told; where not, that is decided here and now."""
    one = _underway(unit, composed, carried)
    if one is None:
        return None
    cause = Cause(None, known.trace)
    if known.halts(one.alert_version):
        assert known.stop is not None
        unit.decide(PAGE, page_number(carried.alert, carried.user), Drop(one.id, known.stop.reason, unit.at), cause)
        return None
    due = DueOne(carried.alert, carried.user, one)
    return one if await has_contact(unit, due, person, cause, composed.message) else None


def _span(letter: Letter) -> AbstractContextManager[telemetry.Traced]:
    """The last hop of a trace: under what asked for the first of the notifications in this mail."""
    parent = next((known.trace for _, known in letter.carries if known.trace), None)
    attributes = {"alarum.message": letter.composed.message, "alarum.carries": len(letter.carries)}
    return telemetry.span("smtp send", parent, kind=telemetry.Kind.CLIENT, attributes=attributes)


def result_of(attempt: attempts.Attempt) -> Result:
    """An attempt, as the deliveries understand it."""
    match attempt:
        case attempts.Sent(reply):
            return Sent(reply)
        case attempts.Later(error, retry_after_s):
            return Later(error, retry_after_s)
        case attempts.Refused(error):
            return Refused(error)
