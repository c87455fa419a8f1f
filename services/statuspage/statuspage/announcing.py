"""Who is told of an incident or a maintenance: in comes News inside a unit of work, out go `announcement.made` and public mails.

subscriptions of the incident, of its services, of the pages that show these -> people -> one event that names them all
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from events.statuspage import AnnouncementMade, StatuspageChanged, Subject, Told
from runtime.access import Access
from runtime.unit import NO_CAUSE, Cause, Unit
from statuspage import publics, words
from statuspage.domain import service as services
from statuspage.domain.announcement import Heard, Make, audience
from statuspage.domain.subscription import About, Subscribed
from statuspage.letters import News, ServiceSaid
from statuspage.showing import is_public, pages_showing
from statuspage.streams import ANNOUNCEMENT, SERVICE, SUBSCRIPTION


@dataclass(frozen=True)
class Forecast:
    """Where it would be seen, and how many would be told."""

    pages: tuple[StatuspageChanged, ...]
    users: int
    publics: int

    @property
    def public_pages(self) -> int:
        return sum(is_public(page) for page in self.pages)

    @property
    def private_pages(self) -> int:
        return len(self.pages) - self.public_pages


class Announcer:
    """Tells people; the picture of teams is as it stands at that moment."""

    def __init__(self, access: Access, public_url: str) -> None:
        self._access = access
        self._public_url = public_url

    async def announce(self, unit: Unit, news: News, author: int | None = None, cause: Cause = NO_CAUSE) -> None:
        """Everybody who subscribed, once, but for the user who wrote it. With nobody to be told, nothing is said."""
        services = [said.service for said in news.services]
        showing = await pages_showing(unit, services)
        told = await self._told(unit, services, news.incident, showing, () if author is None else (author,))
        if told:
            [announcement] = await unit.draw("announcement")
            unit.fresh(ANNOUNCEMENT, announcement)
            made = AnnouncementMade(
                announcement=announcement,
                occasion=news.occasion,
                incident=news.incident,
                maintenance=news.maintenance,
                users=told,
                title=news.title,
                message=news.message,
                status=news.status,
                services=tuple(_line(said) for said in news.services),
                path=path_of(news),
                pages=tuple(self._address(page) for page in showing if is_public(page)),
                at=unit.at,
            )
            unit.decide(ANNOUNCEMENT, announcement, Make(made), cause)
        await publics.tell(unit, news)

    async def forecast(self, unit: Unit, services: Sequence[int], incident: int | None, author: int) -> Forecast:
        """What telling of these services would do, if `author` wrote it."""
        showing = await pages_showing(unit, services)
        told = await self._told(unit, services, incident, showing, [author])
        return Forecast(tuple(showing), len(told), await publics.count(unit, services))

    async def _told(
        self,
        unit: Unit,
        services: Sequence[int],
        incident: int | None,
        showing: Sequence[StatuspageChanged],
        without: Iterable[int],
    ) -> tuple[Told, ...]:
        heard = await self._heard(unit, services, incident, showing)
        told = audience(heard, self.members_of, self._team_name, without=without)
        return tuple(one for one in told if self._access.person(one.user) is not None)

    async def _heard(
        self, unit: Unit, services: Sequence[int], incident: int | None, showing: Sequence[StatuspageChanged]
    ) -> list[Heard]:
        names = await names_of(unit, services)
        about = {About(Subject.INCIDENT, incident): "this incident"} if incident is not None else {}
        about |= {About(Subject.SERVICE, service): f"the service «{name}»" for service, name in names.items()}
        about |= {About(Subject.STATUS_PAGE, page.page): f"the status page «{page.name}»" for page in showing}
        lists = await subscriptions(unit, about)
        return [Heard(name, lists[one]) for one, name in about.items()]

    def members_of(self, team: int) -> list[int]:
        """Who is in a team now."""
        known = self._access.team(team)
        return [member.user for member in known.members] if known else []

    def _team_name(self, team: int) -> str:
        known = self._access.team(team)
        return known.name if known else str(team)

    def _address(self, page: StatuspageChanged) -> str:
        return f"https://{page.domain}" if page.domain else f"{self._public_url}/status/{page.subdomain}"


async def subscriptions(unit: Unit, about: Iterable[About]) -> Mapping[About, Subscribed]:
    """Who subscribed to each of these, without locking."""
    wanted = list(about)
    found = await unit.peek(SUBSCRIPTION, {one.key for one in wanted})
    return {one: found[SUBSCRIPTION.stream(one.key)].state for one in wanted}


async def names_of(unit: Unit, wanted: Iterable[int]) -> dict[int, str]:
    """Names of those services that there are, in the order given."""
    numbers = list(dict.fromkeys(wanted))
    found = await unit.peek(SERVICE, numbers)
    states = {number: found[SERVICE.stream(number)].state for number in numbers}
    return {number: state.now.name for number, state in states.items() if isinstance(state, services.Known)}


def path_of(news: News) -> str:
    """Where a signed-in user reads on."""
    return f"/incidents/{news.incident}" if news.incident is not None else f"/maintenance/{news.maintenance}"


def _line(said: ServiceSaid) -> str:
    return f"{said.name}: {words.SERVICE[said.status]}"
