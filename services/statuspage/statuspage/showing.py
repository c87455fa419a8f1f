"""Which status pages there are and which services they show: small indexes, kept in the transaction of the pages' own events.

An entry only says where to look; what it leads to is checked against the page as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from events.envelope import Envelope
from events.statuspage import StatuspageChanged, StatuspageEvent
from runtime.unit import Unit
from statuspage.domain.statuspage import Gone, Kept
from statuspage.indexes import ids_in, padded
from statuspage.streams import STATUSPAGE

PAGES: Final = "statuspages"
"""`<padded page>` -> name."""
PAGES_OF_SERVICE: Final = "pages_of_service"
"""`<service>/<page>` -> name of the page."""
SUBDOMAINS: Final = "subdomains"
"""Subdomain -> page."""
DOMAINS: Final = "domains"
"""Domain of its own -> page."""

PUBLIC: Final = "PUBLIC"
NAMES: Final = "statuspagenames-1"


async def lock_names(unit: Unit) -> None:
    """One change of pages at a time: a subdomain and a domain stay unique."""
    await unit.tx.lock([NAMES])


def is_public(page: StatuspageChanged) -> bool:
    """Whether anybody may look at it."""
    return page.activated and page.visibility == PUBLIC


async def pages_showing(unit: Unit, services: Iterable[int]) -> list[StatuspageChanged]:
    """The activated pages, public and private, that show any of these services, by id."""
    wanted = set(services)
    keys = [key for service in sorted(wanted) for key in await unit.scan(PAGES_OF_SERVICE, f"{service}/")]
    found = await pages_of(unit, {int(key.partition("/")[2]) for key in keys})
    return [page for page in found if page.activated and wanted & set(page.services)]


async def pages_of(unit: Unit, numbers: Iterable[int]) -> list[StatuspageChanged]:
    """Those of these pages that there are, by id."""
    wanted = sorted(set(numbers))
    known = await unit.peek(STATUSPAGE, wanted)
    states = [known[STATUSPAGE.stream(number)].state for number in wanted]
    return [state.now for state in states if isinstance(state, Kept)]


async def every_page(unit: Unit) -> list[StatuspageChanged]:
    """All pages, by id."""
    return await pages_of(unit, await ids_in(unit, PAGES))


async def page_at(unit: Unit, subdomain: str) -> StatuspageChanged | None:
    """The page with this subdomain."""
    return next((page for page in await _found(unit, SUBDOMAINS, subdomain) if page.subdomain == subdomain), None)


async def page_with(unit: Unit, domain: str) -> StatuspageChanged | None:
    """The page with this domain of its own."""
    return next((page for page in await _found(unit, DOMAINS, domain) if page.domain == domain), None)


def moved(unit: Unit, before: StatuspageChanged | None, after: StatuspageChanged | None) -> None:
    """Bring the indexes from how a page was to how it is; None: it was not, or is no more."""
    if before is not None:
        _put(unit, before, is_there=False)
    if after is not None:
        _put(unit, after, is_there=True)


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Bring the indexes to where these pages stand (after a restore)."""
    touched = {one.event.page for one in envelopes if isinstance(one.event, StatuspageEvent)}
    await unit.load(STATUSPAGE, touched)
    for number in sorted(touched):
        match unit.state(STATUSPAGE, number):
            case Kept(now):
                _put(unit, now, is_there=True)
            case Gone(last):
                _put(unit, last, is_there=False)
            case _:
                pass


async def _found(unit: Unit, index: str, key: str) -> list[StatuspageChanged]:
    return await pages_of(unit, [int(page) for page in (await unit.index(index, [key])).values()])


def _put(unit: Unit, page: StatuspageChanged, *, is_there: bool) -> None:
    number, name = (str(page.page), page.name) if is_there else (None, None)
    unit.put(PAGES, {padded(page.page): name})
    unit.put(PAGES_OF_SERVICE, {f"{service}/{page.page}": name for service in page.services})
    unit.put(SUBDOMAINS, {page.subdomain: number})
    if page.domain:
        unit.put(DOMAINS, {page.domain: number})
