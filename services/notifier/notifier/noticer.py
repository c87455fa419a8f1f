"""How a mail of notices leaves, beside the mails that call people: each channel has a sender of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from events.notifier import DigestComposed
from notifier.addresses import Addresses, Whither, whither
from notifier.bulletins import Announcer, Bulletin
from notifier.domain.notice import Fail, Gathered, Succeed
from notifier.mailer import Post, result_of
from notifier.notices import is_reached
from notifier.planning import read_dossiers
from notifier.streams import NOTICE, PERSON
from runtime import logs
from runtime.access import Access
from runtime.deliveries import Later, Refused, Result, Sender, Sent
from runtime.ports import Clock, Delivery
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable
from runtime.views import Tail
from web.words import Tongue

log = logs.get("notifier.noticer")


class ByChannel:
    """Hands each delivery to the sender of its channel."""

    def __init__(self, senders: Mapping[str, Sender]) -> None:
        self._senders = senders

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        return await self._senders[delivery.channel].wanted(unit, delivery)

    async def send(self, delivery: Delivery) -> Result:
        return await self._senders[delivery.channel].send(delivery)

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        await self._senders[delivery.channel].settle(unit, delivery, result, next_at)


@dataclass(frozen=True)
class Claimed:
    """What a claim found: the bulletin, and where it goes."""

    bulletin: Bulletin
    there: Whither


class Noticer:
    """The sender of the channel `notice`."""

    def __init__(
        self, announcer: Announcer, post: Post, access: Access, tail: Tail, keyring: Keyring, clock: Clock
    ) -> None:
        self._announcer, self._post, self._clock = announcer, post, clock
        self._access, self._addresses = access, Addresses(access, tail, keyring)
        self._claimed: dict[int, Claimed] = {}

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        """Drop what was cancelled meanwhile; when nothing remains, no mail goes."""
        composed = DigestComposed.model_validate_json(delivery.payload)
        await unit.load(NOTICE, composed.carries)
        person = (await unit.peek(PERSON, [composed.user]))[PERSON.stream(composed.user)].state
        states = [unit.state(NOTICE, number) for number in composed.carries]
        told = [one.told for one in states if isinstance(one, Gathered) and is_reached(unit, one, person)]
        if told:
            alerts = await read_dossiers(unit, {one.alert for one in told if one.alert is not None})
            there = await whither(unit, composed.user, composed.contact, person)
            self._claimed[delivery.id] = Claimed(Bulletin(composed, told, alerts), there)
        return bool(told)

    async def send(self, delivery: Delivery) -> Result:
        claimed = self._claimed.pop(delivery.id)
        try:
            to = await self._addresses.of(claimed.there)
        except Unreadable as error:
            return Refused(str(error))
        if to is None:
            return Later("The address of this person is not known here yet")
        bulletin = claimed.bulletin
        user = self._access.person(bulletin.composed.user)
        tongue = Tongue(user.timezone, user.language) if user else Tongue()
        names = self._access.names(bulletin.people)
        try:
            mail = self._announcer.write(
                bulletin, to, self._clock.now(), tongue, names, is_repeat=delivery.may_have_arrived
            )
        except Exception as error:  # one notice that cannot be written must not keep all others from being told
            log.exception("notice.unwritten", message=bulletin.composed.message)
            return Refused(f"This mail could not be written: {type(error).__name__}")
        return result_of(await self._post.send(mail))

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        """One end for all that the mail carries; what is only put off is no end."""
        composed = DigestComposed.model_validate_json(delivery.payload)
        await unit.load(NOTICE, composed.carries)
        for number in composed.carries:
            match result:
                case Sent(reply):
                    message_id = self._announcer.message_id(composed)
                    told = Succeed(composed.message, message_id, reply, delivery.attempts, unit.at)
                    unit.decide(NOTICE, number, told)
                case Later(error) if next_at is not None:
                    log.info("notice.later", message=composed.message, error=error)
                    return
                case Later(error) | Refused(error):
                    unit.decide(NOTICE, number, Fail(error, unit.at))
