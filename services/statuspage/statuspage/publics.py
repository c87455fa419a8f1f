"""Public subscribers of status pages: in come wishes, links and news, out go events, sealed addresses and mails to be sent.

An address is nowhere but in its vault cell; who is found by an address is found by its keyed digest, in an index.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels.mail import is_address, mask
from events.cells import CellSealed
from events.envelope import Envelope
from events.statuspage import StatuspageChanged, SubscriberAsked, SubscriberEvent, SubscriberReminded
from events.topics import VAULTS
from runtime.ports import Delivery
from runtime.refusals import granted, invalid_field, missing
from runtime.shell import Shell
from runtime.ticks import Due
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable, new_cell, read_cell
from statuspage.domain.subscriber import (
    Ask,
    AskAgain,
    Choose,
    Confirm,
    Confirmed,
    Leave,
    Left,
    Pending,
    State,
    Tick,
)
from statuspage.indexes import padded
from statuspage.letters import Letter, News, Purpose, ServiceSaid
from statuspage.showing import is_public, page_at, pages_of, pages_showing
from statuspage.streams import SUBSCRIBER

__all__ = ["News", "Publics", "ServiceSaid", "count", "forget_page", "tell"]

VAULT: Final = VAULTS["statuspage"].name
CHANNEL: Final = "subscriber-mail"
DEADLINE: Final = timedelta(hours=24)
MOST_AT_ONCE: Final = 250

BY_ADDRESS: Final = "subscriber_by_address"
"""`<page>/<keyed digest of the address>` -> subscriber."""
BY_CELL: Final = "subscriber_by_cell"
"""Cell -> `<page>/<subscriber>`, and `/<digest>` once that is known; until the address is erased."""
OF_PAGE: Final = "subscribers_of_page"
"""`<page>/<padded subscriber>` -> the services chosen, by commas (none: all); `?` while not confirmed."""
UNCONFIRMED: Final = "?"


# -- in anybody's unit of work


async def tell(unit: Unit, news: News) -> int:
    """Mail these news to the confirmed subscribers of the public pages that show these services; gives how many.

    The mails go when the unit is committed, each under an id of its own that stays the same however often it is tried.
    """
    chosen = await _listeners(unit, [said.service for said in news.services])
    for (page, subscriber), mail in zip(chosen, await unit.draw("mail", len(chosen)), strict=True):
        about = tuple(said for said in news.services if said.service in page.services)
        own = news.model_copy(update={"services": about})
        letter = Letter(mail=mail, purpose=Purpose.NEWS, page=page.page, subscriber=subscriber, at=unit.at, news=own)
        unit.deliver(delivery_of(letter))
    return len(chosen)


async def count(unit: Unit, services: Iterable[int]) -> int:
    """How many public subscribers `tell` would mail."""
    return len(await _listeners(unit, services))


async def forget_page(unit: Unit, page: int) -> None:
    """The page is deleted: its subscribers leave, their addresses are erased."""
    numbers = [int(key.partition("/")[2]) for key in await unit.scan(OF_PAGE, f"{page}/")]
    await unit.load(SUBSCRIBER, numbers)
    for number in numbers:
        await _leave(unit, number, "the page was deleted")


async def tick(unit: Unit, due: Due) -> None:
    """Remind those who have not confirmed; forget them after a week."""
    numbers = [int(number) for kind, number in due if kind.name == SUBSCRIBER.name]
    for number, mail in zip(numbers, await unit.draw("mail", len(numbers)), strict=True):
        before = unit.state(SUBSCRIBER, number)
        for event in granted(unit.decide(SUBSCRIBER, number, Tick(mail, unit.at))):
            if isinstance(event, SubscriberReminded):
                unit.deliver(delivery_of(_letter(event, mail, Purpose.REMIND)))
        await _settle(unit, number, before)


async def reindex(unit: Unit, envelopes: Sequence[Envelope], keyring: Keyring, pepper: bytes) -> None:
    """Bring the indexes to where subscribers stand (after a restore); cells may come before or after who they belong to."""
    events = [envelope.event for envelope in envelopes]
    asked = {event.subscriber for event in events if isinstance(event, SubscriberEvent)}
    await unit.load(SUBSCRIBER, asked)
    for number in sorted(asked):
        state = unit.state(SUBSCRIBER, number)
        _enter(unit, number, state)
        if isinstance(state, Pending | Confirmed) and not (await _owner(unit, state.cell))[2]:
            unit.put(BY_CELL, {state.cell: f"{state.page}/{number}"})
            await _find_again(unit, state.cell, keyring, pepper)
    for event in events:
        if isinstance(event, CellSealed):
            await _find_again(unit, event.cell, keyring, pepper)


def delivery_of(letter: Letter) -> Delivery:
    """The way out of a letter: one in flight per subscriber, tried for a day."""
    return Delivery(
        id=letter.mail,
        channel=CHANNEL,
        stream=SUBSCRIBER.stream(letter.subscriber),
        target=SUBSCRIBER.stream(letter.subscriber),
        not_before=letter.at,
        deadline=letter.at + DEADLINE,
        payload=letter.model_dump_json().encode(),
        lane=1 if letter.purpose is Purpose.NEWS else 0,
    )


async def _listeners(unit: Unit, services: Iterable[int]) -> list[tuple[StatuspageChanged, int]]:
    wanted = set(services)
    found: list[tuple[StatuspageChanged, int]] = []
    for page in await pages_showing(unit, wanted):
        shown = wanted & set(page.services)
        entries = await unit.scan(OF_PAGE, f"{page.page}/") if is_public(page) else {}
        found += [(page, int(key.partition("/")[2])) for key, chosen in entries.items() if _hears(chosen, shown)]
    return found


def _hears(chosen: str, services: set[int]) -> bool:
    """By an entry of `OF_PAGE`."""
    if chosen == UNCONFIRMED:
        return False
    return not chosen or any(int(one) in services for one in chosen.split(","))


# -- wishes


@dataclass(frozen=True)
class Wish:
    """An address that is to be told of a page, or of some services on it."""

    address: str
    services: tuple[int, ...] = ()
    locale: str = "en-GB"


@dataclass(frozen=True)
class Listed:
    """A subscriber as administrators see them: the address is masked."""

    subscriber: int
    mask: str
    services: tuple[int, ...]
    is_confirmed: bool
    since: datetime


@dataclass(frozen=True)
class Known:
    """Who a link speaks for, and the page it is about."""

    subscriber: int
    page: StatuspageChanged
    state: Pending | Confirmed


class Publics:
    """What can be asked and done about public subscribers. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell, keyring: Keyring, pepper: bytes) -> None:
        self._shell, self._keyring, self._pepper = shell, keyring, pepper

    async def page(self, subdomain: str) -> StatuspageChanged:
        """The public page there; whether it is private or not there at all is not told."""

        async def find(unit: Unit) -> StatuspageChanged | None:
            return await page_at(unit, subdomain)

        found = await self._shell.run(find)
        if found is None or not is_public(found) or not _may_subscribe(found):
            raise missing("There is no status page here that can be subscribed to")
        return found

    async def ask(self, subdomain: str, wish: Wish) -> StatuspageChanged:
        """Somebody typed an address. What comes of it is told to nobody but whoever reads that address' mail."""
        page = await self.page(subdomain)
        _checked(page, wish)

        async def work(unit: Unit) -> None:
            await self._ask(unit, page.page, wish)

        await self._shell.do(work)
        return page

    async def take_in(self, page: StatuspageChanged, wishes: Sequence[Wish]) -> list[int]:
        """Confirmed elsewhere: they are told from now on. Gives their numbers; who is there already stays as chosen."""
        for wish in wishes:
            _checked(page, wish)

        async def work(unit: Unit) -> list[int]:
            return [await self._take_in(unit, page.page, wish) for wish in wishes]

        return await self._shell.do(work)

    async def listed(self, page: int) -> list[Listed]:
        async def find(unit: Unit) -> list[Listed]:
            numbers = [int(key.partition("/")[2]) for key in await unit.scan(OF_PAGE, f"{page}/")]
            known = await unit.peek(SUBSCRIBER, numbers)
            return [one for number in numbers if (one := _listed(known[SUBSCRIBER.stream(number)].state))]

        return await self._shell.run(find)

    async def remove(self, page: int, subscriber: int) -> None:
        """By somebody who may change the page."""

        async def work(unit: Unit) -> None:
            await unit.load(SUBSCRIBER, [subscriber])
            state = unit.state(SUBSCRIBER, subscriber)
            if not isinstance(state, Pending | Confirmed) or state.page != page:
                raise missing(f"This status page has no subscriber {subscriber}")
            await _leave(unit, subscriber, "removed")

        await self._shell.do(work)

    # -- by a link

    async def known(self, subscriber: int | None) -> Known:
        """Raises `Refused` for links of those who have left."""

        async def find(unit: Unit) -> Known | None:
            if subscriber is None:
                return None
            state = (await unit.peek(SUBSCRIBER, [subscriber]))[SUBSCRIBER.stream(subscriber)].state
            pages = await pages_of(unit, [state.page]) if isinstance(state, Pending | Confirmed) else []
            return Known(subscriber, pages[0], state) if pages and isinstance(state, Pending | Confirmed) else None

        found = await self._shell.run(find)
        if found is None:
            raise missing("This link is not valid, or the subscription has ended already")
        return found

    async def confirm(self, subscriber: int | None) -> Known:
        known = await self.known(subscriber)

        async def work(unit: Unit) -> None:
            await unit.load(SUBSCRIBER, [known.subscriber])
            granted(unit.decide(SUBSCRIBER, known.subscriber, Confirm(unit.at)))
            _enter(unit, known.subscriber, unit.state(SUBSCRIBER, known.subscriber))

        await self._shell.do(work)
        return known

    async def choose(self, subscriber: int | None, services: tuple[int, ...]) -> Known:
        """Of these services only; none: of all on the page."""
        known = await self.known(subscriber)
        _check_services(known.page, services)

        async def work(unit: Unit) -> None:
            await unit.load(SUBSCRIBER, [known.subscriber])
            granted(unit.decide(SUBSCRIBER, known.subscriber, Choose(services, unit.at)))
            _enter(unit, known.subscriber, unit.state(SUBSCRIBER, known.subscriber))

        await self._shell.do(work)
        return known

    async def leave(self, subscriber: int | None) -> None:
        """Done twice, it is done: mail programmes repeat themselves."""

        async def work(unit: Unit) -> None:
            if subscriber is None:
                raise missing("This link is not valid")
            await unit.load(SUBSCRIBER, [subscriber])
            await _leave(unit, subscriber, "unsubscribed")

        await self._shell.do(work)

    # -- within a unit

    async def _ask(self, unit: Unit, page: int, wish: Wish) -> None:
        [mail] = await unit.draw("mail")
        known = await self._by_address(unit, page, wish.address)
        if known is None:
            await self._begin(unit, page, wish, mail=mail)
            return
        before = unit.state(SUBSCRIBER, known)
        for event in granted(unit.decide(SUBSCRIBER, known, AskAgain(mail, unit.at))):
            assert isinstance(event, SubscriberReminded)
            purpose = Purpose.LINK if isinstance(before, Confirmed) else Purpose.CONFIRM
            unit.deliver(delivery_of(_letter(event, mail, purpose)))

    async def _take_in(self, unit: Unit, page: int, wish: Wish) -> int:
        known = await self._by_address(unit, page, wish.address)
        if known is None:
            return await self._begin(unit, page, wish, imported=True)
        granted(unit.decide(SUBSCRIBER, known, Confirm(unit.at)))
        _enter(unit, known, unit.state(SUBSCRIBER, known))
        return known

    async def _begin(
        self, unit: Unit, page: int, wish: Wish, *, mail: int | None = None, imported: bool = False
    ) -> int:
        [subscriber] = await unit.draw("subscriber")
        cell = new_cell()
        await unit.put_cell(VAULT, self._keyring.seal(cell, wish.address, unit.at))
        unit.fresh(SUBSCRIBER, subscriber)
        asked = SubscriberAsked(
            subscriber=subscriber,
            page=page,
            cell=cell,
            mask=mask(wish.address),
            locale=wish.locale,
            services=wish.services,
            imported=imported,
            mail=mail,
            at=unit.at,
        )
        granted(unit.decide(SUBSCRIBER, subscriber, Ask(asked)))
        if mail is not None:
            unit.deliver(delivery_of(_letter(asked, mail, Purpose.CONFIRM)))
        _enter(unit, subscriber, unit.state(SUBSCRIBER, subscriber))
        _enter_address(unit, cell, page, subscriber, _digest(wish.address, self._pepper))
        return subscriber

    async def _by_address(self, unit: Unit, page: int, address: str) -> int | None:
        """Who has this address and has not left; loaded. One at a time, so that nobody is asked twice."""
        key = f"{page}/{_digest(address, self._pepper)}"
        await unit.tx.lock([f"subscribers-{page}"])
        found = (await unit.index(BY_ADDRESS, [key])).get(key)
        if found is None:
            return None
        await unit.load(SUBSCRIBER, [found])
        return int(found) if isinstance(unit.state(SUBSCRIBER, found), Pending | Confirmed) else None


def _may_subscribe(page: StatuspageChanged) -> bool:
    return bool(page.settings.get("showSubscribeAction", True))


def _checked(page: StatuspageChanged, wish: Wish) -> None:
    if not is_address(wish.address):
        raise invalid_field("email", "must be an e-mail address")
    _check_services(page, wish.services)


def _check_services(page: StatuspageChanged, services: Iterable[int]) -> None:
    for service in services:
        if service not in page.services:
            raise invalid_field("services", f"this page has no service {service}")


def _letter(event: SubscriberEvent, mail: int, purpose: Purpose) -> Letter:
    return Letter(mail=mail, purpose=purpose, page=event.page, subscriber=event.subscriber, at=event.at)


def _listed(state: State) -> Listed | None:
    match state:
        case Pending():
            return Listed(state.subscriber, state.mask, state.services, False, state.asked_at)
        case Confirmed():
            return Listed(state.subscriber, state.mask, state.services, True, state.since)
        case _:
            return None


async def _leave(unit: Unit, subscriber: int, reason: str) -> None:
    before = unit.state(SUBSCRIBER, subscriber)
    granted(unit.decide(SUBSCRIBER, subscriber, Leave(reason, unit.at)))
    await _settle(unit, subscriber, before)


async def _settle(unit: Unit, subscriber: int, before: State) -> None:
    """Bring the indexes to where a subscriber stands; the address of one who has left is erased."""
    now = unit.state(SUBSCRIBER, subscriber)
    _enter(unit, subscriber, now)
    if isinstance(now, Left) and isinstance(before, Pending | Confirmed):
        page, _, digest = await _owner(unit, before.cell)
        unit.put(BY_ADDRESS, {f"{page}/{digest}": None})
        unit.put(BY_CELL, {before.cell: None})
        await unit.erase_cell(VAULT, before.cell)


def _enter(unit: Unit, subscriber: int, state: State) -> None:
    match state:
        case Pending(page=page):
            unit.put(OF_PAGE, {_page_key(page, subscriber): UNCONFIRMED})
        case Confirmed(page=page, services=services):
            unit.put(OF_PAGE, {_page_key(page, subscriber): ",".join(str(one) for one in services)})
        case Left(page):
            unit.put(OF_PAGE, {_page_key(page, subscriber): None})
        case _:
            pass


def _enter_address(unit: Unit, cell: str, page: int, subscriber: int, digest: str) -> None:
    unit.put(BY_CELL, {cell: f"{page}/{subscriber}/{digest}"})
    unit.put(BY_ADDRESS, {f"{page}/{digest}": str(subscriber)})


async def _owner(unit: Unit, cell: str) -> tuple[str, str, str]:
    """(page, subscriber, digest) by an entry of `BY_CELL`; empty texts for what is not known."""
    page, _, rest = (await unit.index(BY_CELL, [cell])).get(cell, "").partition("/")
    subscriber, _, digest = rest.partition("/")
    return page, subscriber, digest


async def _find_again(unit: Unit, cell: str, keyring: Keyring, pepper: bytes) -> None:
    """Enter who is found by the address in this cell, where both are known by now."""
    page, subscriber, digest = await _owner(unit, cell)
    sealed = await read_cell(unit.tx, cell) if subscriber and not digest else None
    if sealed is None:
        return
    try:
        address = keyring.open(sealed).decode()
    except Unreadable:
        return
    _enter_address(unit, cell, int(page), int(subscriber), _digest(address, pepper))


def _page_key(page: int, subscriber: int) -> str:
    return f"{page}/{padded(subscriber)}"


def _digest(address: str, pepper: bytes) -> str:
    """Who holds no key cannot tell the address from it."""
    return hmac.new(pepper, address.casefold().encode(), hashlib.sha256).hexdigest()
