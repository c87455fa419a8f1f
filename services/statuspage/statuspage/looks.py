"""How a page's scene is told: in come states, out come words, worst statuses and rows in the page's order. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from events.statuspage import Affected, PageElement, ServiceStatus
from statuspage import words
from statuspage.board import Scene
from statuspage.domain import service as services
from statuspage.domain.incident import Story
from statuspage.domain.uptime import LONGEST, Day, bars, outages, percentages, worst
from web.words import duration, short_date, zone

OVERALL: Final = {
    ServiceStatus.OPERATIONAL: "All systems operational",
    ServiceStatus.UNDER_MAINTENANCE: "Maintenance in progress",
    ServiceStatus.DEGRADED: "Some systems are slower or work in part",
    ServiceStatus.PARTIAL_OUTAGE: "Partial system outage",
    ServiceStatus.MAJOR_OUTAGE: "Major system outage",
}
KIND: Final = {
    ServiceStatus.OPERATIONAL: "good",
    ServiceStatus.UNDER_MAINTENANCE: "info",
    ServiceStatus.DEGRADED: "warn",
    ServiceStatus.PARTIAL_OUTAGE: "warn",
    ServiceStatus.MAJOR_OUTAGE: "bad",
}
BARS: Final = 90
LISTED: Final = 5
UNTOLD: Final = {"good": "No trouble", "none": "No data"}


@dataclass(frozen=True)
class Bar:
    """Days alike in a row, or one day of trouble: `kind` is its colour, `text` says it in words, `first` counts from 0."""

    first: int
    days: int
    kind: str
    text: str


@dataclass(frozen=True)
class Uptime:
    """`percent` of 90 days, `text` for those who do not see the bars."""

    percent: str
    text: str
    bars: Sequence[Bar]
    days: int = BARS


@dataclass(frozen=True)
class Line:
    """A service on the page."""

    service: int
    name: str
    description: str
    status: ServiceStatus
    uptime: Uptime | None

    @property
    def word(self) -> str:
        return words.SERVICE[self.status]

    @property
    def kind(self) -> str:
        return KIND[self.status]


@dataclass(frozen=True)
class Group:
    """Services under one name: the worst of them is its status."""

    group: int
    name: str
    lines: Sequence[Line]
    is_open: bool

    @property
    def status(self) -> ServiceStatus:
        return worst([line.status for line in self.lines]) or ServiceStatus.OPERATIONAL

    @property
    def word(self) -> str:
        return words.SERVICE[self.status]

    @property
    def kind(self) -> str:
        return KIND[self.status]


Row = Line | Group


def overall(scene: Scene) -> ServiceStatus:
    """The worst of its services."""
    return worst([known.status for known in scene.services.values()]) or ServiceStatus.OPERATIONAL


def rows(scene: Scene, at: datetime | None = None) -> list[Row]:
    """In the order of the structure; services that it does not name come last. Empty groups are not shown.

    Uptime is told as it stands at `at`; without that, not at all.
    """
    told: list[Row] = []
    named: set[int] = set()
    for element in scene.page.elements:
        leaves = element.children if element.type == "GROUP" else (element,)
        lines = [_line(scene, leaf.id, leaf.options, at) for leaf in leaves if leaf.id in scene.services]
        named.update(line.service for line in lines)
        told += _grouped(scene, element, lines) if element.type == "GROUP" else lines
    return [*told, *(_line(scene, number, (), at) for number in scene.services if number not in named)]


def impact_of(story: Story) -> ServiceStatus:
    """The worst that it ever did."""
    return worst([one.impact for word in story.words for one in word.affected]) or ServiceStatus.OPERATIONAL


def named(scene: Scene, affected: Iterable[Affected]) -> list[tuple[str, ServiceStatus]]:
    """What of it this page shows, by name."""
    return [(scene.services[one.service].now.name, one.impact) for one in affected if one.service in scene.services]


def names_of(scene: Scene, services: Iterable[int]) -> list[str]:
    """Those of these services that this page shows."""
    return [scene.services[one].now.name for one in services if one in scene.services]


def title_of(scene: Scene) -> str:
    return str(scene.page.settings.get("pageTitle") or scene.page.name)


def address_of(scene: Scene, public_url: str) -> str:
    """Where the public finds the page, without a slash at the end."""
    return f"https://{scene.page.domain}" if scene.page.domain else f"{public_url}/status/{scene.page.subdomain}"


def _grouped(scene: Scene, element: PageElement, lines: Sequence[Line]) -> list[Row]:
    group = next((one for one in scene.page.groups if one.id == element.id), None)
    if group is None or not lines:
        return list(lines)
    is_troubled = any(line.status is not ServiceStatus.OPERATIONAL for line in lines)
    return [Group(group.id, group.name, lines, "expand" in element.options or is_troubled)]


def _line(scene: Scene, number: int, options: Sequence[str], at: datetime | None) -> Line:
    known = scene.services[number]
    has_graph = known.now.show_uptime_history and "no-graph" not in options
    uptime = _uptime(known, at, scene.page.timezone) if has_graph and at is not None else None
    return Line(number, known.now.name, known.now.description, known.status, uptime)


def _uptime(known: services.Known, at: datetime, zone_name: str) -> Uptime:
    days = bars(known.history, at, zone(zone_name), BARS)
    percent = f"{_floor(percentages(known.history, at)[BARS])} %"
    return Uptime(percent, _in_words(known, at, percent), _bars(days))


def _floor(percent: float) -> str:
    """Never rounded up: what was down for a moment was not up all the time."""
    text = f"{int(percent * 100) / 100:.2f}"
    return "100" if text == "100.00" else text


def _in_words(known: services.Known, at: datetime, percent: str) -> str:
    found = outages(known.history, at - LONGEST, at)[-LISTED:]
    if not found:
        return f"Uptime of the last {BARS} days: {percent}. No outages."
    told = "; ".join(
        f"{words.SERVICE[one.status]} from {short_date(one.start)} for {duration(one.end - one.start)}"
        for one in reversed(found)
    )
    return f"Uptime of the last {BARS} days: {percent}. Latest outages: {told}."


def _bars(days: Sequence[Day]) -> list[Bar]:
    """Days without trouble, and days of which nothing is known, are told together; every other for itself."""
    told: list[Bar] = []
    for number, (day, kind) in enumerate((day, _kind(day)) for day in days):
        before = told[-1] if told else None
        if before is not None and before.kind == kind and kind in UNTOLD:
            told[-1] = replace(before, days=before.days + 1)
        else:
            told.append(Bar(number, 1, kind, _text(day, kind)))
    return told


def _kind(day: Day) -> str:
    return "none" if day.uptime is None or day.worst is None else KIND[day.worst]


def _text(day: Day, kind: str) -> str:
    if day.uptime is None or day.worst is None or kind in UNTOLD:
        return UNTOLD[kind]
    return f"{day.start.day} {day.start:%b %Y}: {words.SERVICE[day.worst]}, {_floor(day.uptime)} % up"
