"""How a mail to a public subscriber leaves: looked at once more when it is claimed, written, sent, and its fate recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from channels import attempts
from channels.mail import Mail
from events.cells import CellSealed
from events.statuspage import StatuspageChanged
from runtime.deliveries import Later, Refused, Result, Sent
from runtime.ports import Clock, Delivery
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable, read_cell
from statuspage.domain.subscriber import Confirmed, Pending, State, Tell
from statuspage.letters import Letter, Purpose
from statuspage.mails import Writer
from statuspage.showing import is_public, pages_of
from statuspage.streams import SUBSCRIBER

WANTED_BY: Final[Mapping[Purpose, type[Pending] | type[Confirmed]]] = {
    Purpose.CONFIRM: Pending,
    Purpose.REMIND: Pending,
    Purpose.LINK: Confirmed,
    Purpose.NEWS: Confirmed,
}


class Post(Protocol):
    """What takes a mail: `channels.smtp.SmtpSender`, or what stands for it in a simulation."""

    async def send(self, mail: Mail) -> attempts.Attempt: ...


@dataclass(frozen=True)
class Claimed:
    """What a claim found: the letter, its page, and the sealed address."""

    letter: Letter
    page: StatuspageChanged
    sealed: CellSealed | None


class Mailroom:
    """The sender of the channel `subscriber-mail`."""

    def __init__(self, writer: Writer, post: Post, keyring: Keyring, clock: Clock) -> None:
        self._writer, self._post, self._keyring, self._clock = writer, post, keyring, clock
        self._claimed: dict[int, Claimed] = {}

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        """Not when they left or confirmed meanwhile, nor when the page is not public any more; the streams say that."""
        letter = Letter.model_validate_json(delivery.payload)
        state = await _state(unit, letter)
        pages = await pages_of(unit, [letter.page])
        if not isinstance(state, WANTED_BY[letter.purpose]) or not pages or not is_public(pages[0]):
            return False
        assert isinstance(state, Pending | Confirmed)
        self._claimed[delivery.id] = Claimed(letter, pages[0], await read_cell(unit.tx, state.cell))
        return True

    async def send(self, delivery: Delivery) -> Result:
        claimed = self._claimed.pop(delivery.id)
        if claimed.sealed is None:
            return Refused("The address was erased")
        try:
            to = self._keyring.open(claimed.sealed).decode()
        except Unreadable as error:
            return Refused(str(error))
        is_repeat = delivery.may_have_arrived
        mail = self._writer.write(claimed.letter, claimed.page, to, self._clock.now(), is_repeat=is_repeat)
        return _result(await self._post.send(mail))

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        if next_at is not None:
            return
        letter = Letter.model_validate_json(delivery.payload)
        await unit.load(SUBSCRIBER, [letter.subscriber])
        unit.decide(SUBSCRIBER, letter.subscriber, _told(letter, result, unit.at))


async def _state(unit: Unit, letter: Letter) -> State:
    return (await unit.peek(SUBSCRIBER, [letter.subscriber]))[SUBSCRIBER.stream(letter.subscriber)].state


def _told(letter: Letter, result: Result, at: datetime) -> Tell:
    news = letter.news
    return Tell(
        mail=letter.mail,
        occasion=news.occasion.value if news else letter.purpose.value,
        incident=news.incident if news else None,
        maintenance=news.maintenance if news else None,
        error="" if isinstance(result, Sent) else result.error,
        at=at,
    )


def _result(attempt: attempts.Attempt) -> Result:
    match attempt:
        case attempts.Sent(reply):
            return Sent(reply)
        case attempts.Later(error, retry_after_s):
            return Later(error, retry_after_s)
        case attempts.Refused(error):
            return Refused(error)
