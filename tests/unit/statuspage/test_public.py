"""What public pages tell: as HTML that can do no harm, as Atom, and as JSON in the shapes that programs know."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from events.core import Event
from events.shared import Actor
from events.statuspage import (
    Affected,
    IncidentCreated,
    IncidentStatus,
    IncidentUpdated,
    MaintenanceChanged,
    MaintenanceStarted,
    PageElement,
    PageGroup,
    PageLeaf,
    ServiceChanged,
    ServiceStatus,
    ServiceStatusChanged,
    StatuspageChanged,
    StatuspageDeleted,
)
from statuspage.board import Board, Scene
from statuspage.public import Painter

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
URL = "https://alarum.example.org"
ADA = Actor.by_user(7, "web")
PAINTER = Painter(URL)


def at(**length: float) -> datetime:
    return T0 + timedelta(**length)


def service(number: int, name: str = "", **more: Any) -> ServiceChanged:
    return ServiceChanged(service=number, name=name or f"Service {number}", created=True, at=at(days=-10), **more)


def turned(number: int, status: ServiceStatus, since: datetime) -> ServiceStatusChanged:
    return ServiceStatusChanged(service=number, status=status, since=since, at=since)


def page(*services: int, **more: Any) -> StatuspageChanged:
    given = {"page": 1, "name": "Acme", "subdomain": "acme", "activated": True, "services": services, "at": T0}
    return StatuspageChanged(**given | more)


def incident(number: int, *affected: Affected, summary: str = "Payments fail", message: str = "") -> IncidentCreated:
    return IncidentCreated(
        incident=number, summary=summary, message=message, affected=affected, began_at=T0, by=ADA, at=T0
    )


def word(number: int, update: int, status: IncidentStatus, *affected: Affected) -> IncidentUpdated:
    said_at = at(hours=update)
    return IncidentUpdated(
        incident=number, update=update, summary="Payments fail", status=status, affected=affected,
        message=f"Word {update}", said_at=said_at, by=ADA, at=said_at,
    )  # fmt: skip


def scene(*events: Event) -> Scene:
    board = Board()
    for event in events:
        board.take(event)
    shown = board.scene(1)
    assert shown is not None
    return shown


def painted(*events: Event) -> dict[str, str]:
    return {path: content.decode() for path, content in PAINTER.paint(scene(*events), at(hours=12))}


def document(files: dict[str, str], name: str) -> Any:
    return json.loads(files[f"api/v2/{name}.json"])


DOWN = Affected(service=1, impact=ServiceStatus.MAJOR_OUTAGE)
STORY = (
    service(1, "Checkout", description="Pays <b>all</b>"),
    service(2, "Search"),
    page(1, 2),
    turned(1, ServiceStatus.MAJOR_OUTAGE, T0),
    incident(7, DOWN, message="We *look*"),
    word(7, 1, IncidentStatus.MONITORING, DOWN),
)


class TestHtml:
    def test_a_page_says_how_it_is_what_is_being_done_and_how_it_was(self) -> None:
        index = painted(*STORY)["index.html"]
        assert "Major system outage" in index
        assert "Payments fail" in index
        assert "<em>look</em>" in index
        assert "Word 1" in index
        assert "Major outage from" in index
        assert index.index("Word 1") < index.index("<em>look</em>")

    def test_what_others_wrote_can_do_no_harm(self) -> None:
        bad = "<script>alert(1)</script>[x](javascript:alert(1))<img src=x onerror=alert(1)>"
        files = painted(
            service(1, bad, description=bad),
            page(1, name=bad, announcement=bad, announcement_on_page=True, settings={"pageTitle": bad}),
            incident(7, DOWN, summary=bad, message=bad),
            MaintenanceChanged(
                maintenance=3, summary=bad, description=bad, start=T0, end=at(hours=1), services=(1,), at=T0
            ),
        )
        for path in ("index.html", "history.html", "incidents/7.html", "maintenance/3.html"):
            assert "<script" not in files[path], path
            assert "<img" not in files[path], path
            assert 'href="javascript' not in files[path], path

    def test_all_links_within_are_relative_and_lead_to_files(self) -> None:
        files = painted(*STORY, *(incident(number, DOWN) for number in range(10, 40)), *_resolved(range(10, 40)))
        for path, content in files.items():
            if path.endswith(".html"):
                for href in re.findall(r'(?:href|src)="([^"#]+)"', content):
                    assert href.startswith((URL, "data:")) or _target(path, href) in files, (path, href)

    def test_groups_have_the_state_of_their_worst_and_open_when_there_is_trouble(self) -> None:
        europe = PageElement(id=9, type="GROUP", children=(PageLeaf(id=1), PageLeaf(id=2, options=("no-graph",))))
        grouped = page(1, 2, groups=(PageGroup(id=9, name="Europe"),), elements=(europe,))
        calm = painted(service(1), service(2), grouped)["index.html"]
        assert '<details class="card">' in calm
        assert calm.count('<svg class="bars"') == 1
        loud = painted(service(1), service(2), grouped, turned(1, ServiceStatus.PARTIAL_OUTAGE, T0))["index.html"]
        assert '<details class="card" open>' in loud
        assert re.search(r'Europe</strong> <span class="state warn">Partial outage', loud)

    def test_texts_and_switches_of_the_page_are_heeded(self) -> None:
        shown = painted(
            service(1),
            page(
                1,
                appearance="DARK",
                layout="RESPONSIVE",
                announcement="**Hello**",
                announcement_on_page=True,
                settings={
                    "pageTitle": "How we are",
                    "hiddenFromSearch": True,
                    "showSubscribeAction": False,
                    "showIncidentHistoryOption": False,
                    "logoUrl": "https://acme.org/logo.png",
                },
            ),
        )["index.html"]
        assert "<h1>How we are</h1>" in shown
        assert 'data-appearance="dark"' in shown
        assert 'class="wide"' in shown
        assert "<strong>Hello</strong>" in shown
        assert "noindex" in shown
        assert "https://acme.org/logo.png" in shown
        assert "/subscribers/" not in shown
        assert 'href="history"' not in shown

    def test_maintenance_is_shown_while_it_is_coming_and_running(self) -> None:
        planned = MaintenanceChanged(
            maintenance=3, summary="New disks", start=at(hours=1), end=at(hours=2), services=(1,), at=T0
        )
        assert "Planned maintenance" in painted(service(1), page(1), planned)["index.html"]
        started = MaintenanceStarted(maintenance=3, services=(1,), at=at(hours=1))
        assert "Maintenance in progress" in painted(service(1), page(1), planned, started)["index.html"]

    def test_the_same_scene_gives_the_same_files_whenever_it_is_painted(self) -> None:
        shown = scene(service(1), page(1), *STORY[4:])
        assert dict(PAINTER.paint(shown, at(hours=1))) == dict(PAINTER.paint(shown, at(hours=2)))


class TestBoard:
    def test_pages_show_only_what_is_theirs(self) -> None:
        other = scene(service(1, "Checkout"), service(2, "Search"), page(2), incident(7, DOWN))
        assert other.incidents == ()
        assert list(other.services) == [2]

    def test_those_that_an_event_concerns_are_told(self) -> None:
        told: list[set[int]] = []
        board = Board(told.append)
        for event in (service(1), page(1), page(2).model_copy(update={"page": 2}), incident(7, DOWN), service(2)):
            board.take(event)
        assert told == [{1}, {2}, {1}, {2}]
        board.take(StatuspageDeleted(page=1, at=T0))
        assert board.pages == [2]
        assert board.scene(1) is None


# -- JSON


TEXT = {"type": "string"}
INSTANT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
MAYBE = {"anyOf": [INSTANT, {"type": "null"}]}
SWITCH = {"type": "boolean"}


def shape(**properties: Any) -> dict[str, Any]:
    """Exactly these fields."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


STATES = {"enum": ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]}
COMPONENT = shape(
    id=TEXT, name=TEXT, status=STATES, created_at=INSTANT, updated_at=INSTANT, position={"type": "integer"},
    description={"type": ["string", "null"]}, showcase=SWITCH, start_date={"type": ["string", "null"]},
    group_id={"type": ["string", "null"]}, page_id=TEXT, group=SWITCH, only_show_if_degraded=SWITCH,
)  # fmt: skip
COMPONENT["properties"]["components"] = listed(TEXT)
TURN = shape(code=TEXT, name=TEXT, old_status=STATES, new_status=STATES)
UPDATE = shape(
    id=TEXT, status=TEXT, body=TEXT, incident_id=TEXT, created_at=INSTANT, updated_at=INSTANT, display_at=INSTANT,
    affected_components=listed(TURN), deliver_notifications=SWITCH, custom_tweet={"type": "null"},
    tweet_id={"type": "null"},
)  # fmt: skip
INCIDENT_FIELDS = {
    "id": TEXT, "name": TEXT, "created_at": INSTANT, "updated_at": INSTANT, "monitoring_at": MAYBE,
    "resolved_at": MAYBE, "shortlink": TEXT, "started_at": INSTANT, "page_id": TEXT,
    "incident_updates": listed(UPDATE), "components": listed(COMPONENT),
}  # fmt: skip
INCIDENT = shape(
    status={"enum": ["investigating", "identified", "monitoring", "resolved", "postmortem"]},
    impact={"enum": ["none", "minor", "major", "critical", "maintenance"]},
    **INCIDENT_FIELDS,
)
WINDOW = shape(
    status={"enum": ["scheduled", "in_progress", "verifying", "completed"]},
    impact={"const": "maintenance"},
    scheduled_for=INSTANT,
    scheduled_until=INSTANT,
    **INCIDENT_FIELDS,
)
PAGE = shape(id=TEXT, name=TEXT, url=TEXT, time_zone=TEXT, updated_at=INSTANT)
STATUS = shape(indicator={"enum": ["none", "minor", "major", "critical", "maintenance"]}, description=TEXT)
DOCUMENTS = {
    "summary": shape(
        page=PAGE, components=listed(COMPONENT), incidents=listed(INCIDENT), scheduled_maintenances=listed(WINDOW),
        status=STATUS,
    ),
    "status": shape(page=PAGE, status=STATUS),
    "components": shape(page=PAGE, components=listed(COMPONENT)),
    "incidents": shape(page=PAGE, incidents=listed(INCIDENT)),
    "incidents/unresolved": shape(page=PAGE, incidents=listed(INCIDENT)),
    "scheduled-maintenances": shape(page=PAGE, scheduled_maintenances=listed(WINDOW)),
    "scheduled-maintenances/upcoming": shape(page=PAGE, scheduled_maintenances=listed(WINDOW)),
    "scheduled-maintenances/active": shape(page=PAGE, scheduled_maintenances=listed(WINDOW)),
}  # fmt: skip

STATUSES = st.sampled_from(list(ServiceStatus))
WORDS = st.text(max_size=40)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Services that turned, grouped or not, with an incident and a maintenance window."""
    count = draw(st.integers(0, 4))
    numbers = list(range(1, count + 1))
    events: list[Event] = [service(number, draw(WORDS), description=draw(WORDS)) for number in numbers]
    grouped = tuple(PageLeaf(id=number) for number in numbers[: draw(st.integers(0, count))])
    elements = (PageElement(id=9, type="GROUP", children=grouped),) if draw(st.booleans()) else ()
    events.append(page(*numbers, groups=(PageGroup(id=9, name="G"),), elements=elements))
    events += [turned(number, draw(STATUSES), at(days=-draw(st.integers(0, 9)))) for number in numbers]
    affected = tuple(Affected(service=number, impact=draw(STATUSES)) for number in numbers)
    events.append(incident(7, *affected, summary=draw(WORDS), message=draw(WORDS)))
    if draw(st.booleans()):
        events.append(word(7, 1, draw(st.sampled_from(list(IncidentStatus))), *affected))
    start = at(hours=draw(st.integers(-5, 5)))
    events.append(
        MaintenanceChanged(
            maintenance=3,
            summary=draw(WORDS),
            start=start,
            end=start + timedelta(hours=1),
            services=tuple(numbers),
            at=T0,
        )
    )
    return events


class TestJson:
    @settings(max_examples=40, deadline=None)
    @for_any(histories())
    def test_every_document_has_the_known_shape_and_the_feed_is_atom(self, events: list[Event]) -> None:
        files = painted(*events)
        for name, schema in DOCUMENTS.items():
            jsonschema.validate(document(files, name), schema)
        feed = ET.fromstring(files["feed.atom"])
        assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
        for path, content in files.items():
            if path.endswith(".html"):
                _Balanced().check(content)

    def test_states_are_told_by_their_known_names(self) -> None:
        files = painted(*STORY)
        summary = document(files, "summary")
        assert summary["status"] == {"indicator": "critical", "description": "Major system outage"}
        assert [(one["id"], one["status"]) for one in summary["components"]] == [
            ("1", "major_outage"),
            ("2", "operational"),
        ]
        [story] = summary["incidents"]
        assert (story["id"], story["status"], story["impact"]) == ("7", "monitoring", "critical")
        assert [update["body"] for update in story["incident_updates"]] == ["Word 1", "We *look*"]
        assert story["incident_updates"][1]["affected_components"] == [
            {"code": "1", "name": "Checkout", "old_status": "operational", "new_status": "major_outage"}
        ]
        assert story["shortlink"] == f"{URL}/status/acme/incidents/7"
        resolved = painted(*STORY, word(7, 2, IncidentStatus.RESOLVED, DOWN))
        assert document(resolved, "summary")["incidents"] == []
        assert [one["status"] for one in document(resolved, "incidents")["incidents"]] == ["resolved"]

    def test_groups_are_components_that_others_name_as_theirs(self) -> None:
        element = PageElement(id=9, type="GROUP", children=(PageLeaf(id=1),))
        files = painted(service(1), service(2), page(2, 1, groups=(PageGroup(id=9, name="EU"),), elements=(element,)))
        told = [(one["id"], one["group"], one["group_id"]) for one in document(files, "components")["components"]]
        assert told == [("group-9", True, None), ("1", False, "group-9"), ("2", False, None)]


class TestAtom:
    def test_entries_lead_to_their_pages_and_keep_their_ids_when_the_page_moves(self) -> None:
        here = ET.fromstring(painted(*STORY)["feed.atom"])
        moved = page(1, 2, domain="status.acme.org")
        there = ET.fromstring(painted(*STORY, moved)["feed.atom"])
        name = "{http://www.w3.org/2005/Atom}"
        for feed, base in ((here, f"{URL}/status/acme"), (there, "https://status.acme.org")):
            [entry] = feed.findall(f"{name}entry")
            assert entry.findtext(f"{name}id") == f"{URL}/status-pages/1/incidents/7"
            assert entry.find(f"{name}link").get("href") == f"{base}/incidents/7"  # type: ignore[union-attr]
            assert "Word 1" in (entry.findtext(f"{name}content") or "")


def _resolved(numbers: Iterable[int]) -> list[Event]:
    return [word(number, 1, IncidentStatus.RESOLVED, DOWN) for number in numbers]


def _target(path: str, href: str) -> str:
    """The file that a relative link leads to."""
    steps = path.split("/")[:-1]
    for step in href.split("/"):
        if step == "..":
            steps.pop()
        elif step not in (".", ""):
            steps.append(step)
    if href.endswith("/"):
        steps.append("index.html")
    found = "/".join(steps)
    return found if "." in steps[-1] else f"{found}.html"


class _Balanced(HTMLParser):
    """Every element that begins ends, in order."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def check(self, content: str) -> None:
        self.open: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, _attributes: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
