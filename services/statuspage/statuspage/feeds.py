"""Status pages for programs: in comes a scene, out come an Atom feed, and JSON in the shapes of Atlassian Statuspage's public API. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from markupsafe import escape

from events.statuspage import IncidentStatus, ServiceStatus
from statuspage import looks, words
from statuspage.board import Scene
from statuspage.domain.incident import Story, Word
from statuspage.domain.maintenance import Kept, Over, Planned, Running
from web.markup import markdown

COMPONENT: Final = {
    ServiceStatus.OPERATIONAL: "operational",
    ServiceStatus.UNDER_MAINTENANCE: "under_maintenance",
    ServiceStatus.DEGRADED: "degraded_performance",
    ServiceStatus.PARTIAL_OUTAGE: "partial_outage",
    ServiceStatus.MAJOR_OUTAGE: "major_outage",
}
INDICATOR: Final = {
    ServiceStatus.OPERATIONAL: "none",
    ServiceStatus.UNDER_MAINTENANCE: "maintenance",
    ServiceStatus.DEGRADED: "minor",
    ServiceStatus.PARTIAL_OUTAGE: "major",
    ServiceStatus.MAJOR_OUTAGE: "critical",
}
LATEST: Final = 50
ATOM: Final = "http://www.w3.org/2005/Atom"
_UNSPEAKABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Json = dict[str, Any]


# -- JSON


def json_files(scene: Scene, address: str) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every document."""
    page = {"page": _page(scene, address)}
    status = {"status": _status(scene)}
    known = _components(scene)
    components = {"components": known}
    stories = [_incident(scene, story, address, known) for story in scene.incidents[:LATEST]]
    windows = [_maintenance(scene, window, address, known) for window in scene.maintenances[:LATEST]]
    unresolved = {"incidents": [one for one in stories if one["status"] != "resolved"]}
    coming = {"scheduled_maintenances": [one for one in windows if one["status"] != "completed"]}
    for path, content in (
        ("summary", components | unresolved | coming | status),
        ("status", status),
        ("components", components),
        ("incidents", {"incidents": stories}),
        ("incidents/unresolved", unresolved),
        ("scheduled-maintenances", {"scheduled_maintenances": windows}),
        ("scheduled-maintenances/upcoming", {"scheduled_maintenances": _those(windows, "scheduled")}),
        ("scheduled-maintenances/active", {"scheduled_maintenances": _those(windows, "in_progress")}),
    ):
        yield f"api/v2/{path}.json", json.dumps(page | content, ensure_ascii=False).encode()


def _those(windows: list[Json], status: str) -> list[Json]:
    return [one for one in windows if one["status"] == status]


def _page(scene: Scene, address: str) -> Json:
    return {
        "id": str(scene.page.page),
        "name": scene.page.name,
        "url": address,
        "time_zone": scene.page.timezone,
        "updated_at": _instant(scene.changed_at),
    }


def _status(scene: Scene) -> Json:
    status = looks.overall(scene)
    return {"indicator": INDICATOR[status], "description": looks.OVERALL[status]}


def _components(scene: Scene) -> list[Json]:
    """Services and groups in the order of the page; a group is a component that others name as theirs."""
    found: list[Json] = []
    for row in looks.rows(scene):
        if isinstance(row, looks.Group):
            number = _group_id(row.group)
            found.append(_group(scene, row, len(found) + 1))
            found += [_component(scene, line.service, place, number) for place, line in enumerate(row.lines, 1)]
        else:
            found.append(_component(scene, row.service, len(found) + 1, None))
    return found


def _component(scene: Scene, service: int, position: int, group: str | None) -> Json:
    known = scene.services[service]
    turned_at = known.history[-1].since if known.history else known.created_at
    return {
        "id": str(service),
        "name": known.now.name,
        "status": COMPONENT[known.status],
        "created_at": _instant(known.created_at),
        "updated_at": _instant(max(turned_at, known.now.at)),
        "position": position,
        "description": known.now.description or None,
        "showcase": known.now.show_uptime_history,
        "start_date": f"{known.created_at.astimezone(UTC):%Y-%m-%d}",
        "group_id": group,
        "page_id": str(scene.page.page),
        "group": False,
        "only_show_if_degraded": False,
    }


def _group(scene: Scene, row: looks.Group, position: int) -> Json:
    return {
        "id": _group_id(row.group),
        "name": row.name,
        "status": COMPONENT[row.status],
        "created_at": _instant(scene.page.at),
        "updated_at": _instant(scene.changed_at),
        "position": position,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": str(scene.page.page),
        "group": True,
        "only_show_if_degraded": False,
        "components": [str(line.service) for line in row.lines],
    }


def _among(components: list[Json], services: Iterable[int]) -> list[Json]:
    """Those of the components that are one of these services."""
    wanted = {str(service) for service in services}
    return [one for one in components if not one["group"] and one["id"] in wanted]


def _group_id(group: int) -> str:
    """Groups and services count on their own: a prefix keeps their ids apart."""
    return f"group-{group}"


def _incident(scene: Scene, story: Story, address: str, components: list[Json]) -> Json:
    monitoring = next((word.said_at for word in story.words if word.status is IncidentStatus.MONITORING), None)
    return {
        "id": str(story.incident),
        "name": story.summary,
        "status": story.status.value.lower(),
        "created_at": _instant(story.words[0].said_at),
        "updated_at": _instant(story.said_at),
        "monitoring_at": monitoring and _instant(monitoring),
        "resolved_at": story.resolved_on and _instant(story.resolved_on),
        "impact": INDICATOR[looks.impact_of(story)],
        "shortlink": f"{address}/incidents/{story.incident}",
        "started_at": _instant(story.began_at),
        "page_id": str(scene.page.page),
        "incident_updates": [_update(scene, story, place) for place in reversed(range(len(story.words)))],
        "components": _among(components, story.services),
    }


def _update(scene: Scene, story: Story, place: int) -> Json:
    word = story.words[place]
    said_at = _instant(word.said_at)
    return {
        "id": f"{story.incident}-{word.update}",
        "status": word.status.value.lower(),
        "body": word.message,
        "incident_id": str(story.incident),
        "created_at": said_at,
        "updated_at": said_at,
        "display_at": said_at,
        "affected_components": _turns(scene, story.words[place - 1] if place else None, word),
        "deliver_notifications": word.send_notification,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _turns(scene: Scene, before: Word | None, word: Word) -> list[Json]:
    """Which components of this page went from what to what."""
    was = {one.service: one.impact for one in before.affected} if before else {}
    return [
        {
            "code": str(one.service),
            "name": scene.services[one.service].now.name,
            "old_status": COMPONENT[was.get(one.service, ServiceStatus.OPERATIONAL)],
            "new_status": COMPONENT[
                ServiceStatus.OPERATIONAL if word.status is IncidentStatus.RESOLVED else one.impact
            ],
        }
        for one in word.affected
        if one.service in scene.services
    ]


def _maintenance(scene: Scene, window: Kept, address: str, components: list[Json]) -> Json:
    now, number = window.now, window.now.maintenance
    said_at = _instant(now.at)
    return {
        "id": f"maintenance-{number}",
        "name": now.summary,
        "status": _window_status(window),
        "created_at": said_at,
        "updated_at": said_at,
        "monitoring_at": None,
        "resolved_at": _instant(now.end) if isinstance(window, Over) else None,
        "impact": "maintenance",
        "shortlink": f"{address}/maintenance/{number}",
        "started_at": _instant(now.start),
        "page_id": str(scene.page.page),
        "incident_updates": [
            {
                "id": f"maintenance-{number}-0",
                "status": _window_status(window),
                "body": now.description,
                "incident_id": f"maintenance-{number}",
                "created_at": said_at,
                "updated_at": said_at,
                "display_at": said_at,
                "affected_components": [],
                "deliver_notifications": now.at_creation,
                "custom_tweet": None,
                "tweet_id": None,
            }
        ],
        "components": _among(components, now.services),
        "scheduled_for": _instant(now.start),
        "scheduled_until": _instant(now.end),
    }


def _window_status(window: Kept) -> str:
    match window:
        case Planned():
            return "scheduled"
        case Running():
            return "in_progress"
        case Over():
            return "completed"


def _instant(at: datetime) -> str:
    """`2026-03-01T03:00:00.000Z`"""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


# -- Atom


def atom(scene: Scene, address: str, public_url: str) -> bytes:
    """Incidents and maintenance, the newest word first. Ids do not depend on where the page is found."""
    base = f"{public_url}/status-pages/{scene.page.page}"
    feed = ET.Element("feed", xmlns=ATOM)
    _add(feed, "id", base)
    _add(feed, "title", looks.title_of(scene))
    _add(feed, "updated", _instant(scene.changed_at))
    _link(feed, f"{address}/", "alternate")
    _link(feed, f"{address}/feed.atom", "self")
    author = ET.SubElement(feed, "author")
    _add(author, "name", scene.page.name)
    entries = [_story_entry(scene, story, address, base) for story in scene.incidents]
    entries += [_window_entry(scene, window, address, base) for window in scene.maintenances]
    for _at, entry in sorted(entries, key=lambda one: one[0], reverse=True)[:LATEST]:
        feed.append(entry)
    content: bytes = ET.tostring(feed, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content


def _story_entry(scene: Scene, story: Story, address: str, base: str) -> tuple[datetime, ET.Element]:
    entry = _entry(f"{base}/incidents/{story.incident}", story.summary, f"{address}/incidents/{story.incident}")
    _add(entry, "published", _instant(story.words[0].said_at))
    _add(entry, "updated", _instant(story.said_at))
    told = ", ".join(f"{name}: {words.SERVICE[status]}" for name, status in looks.named(scene, story.affected))
    html = "".join(
        f"<p><strong>{words.INCIDENT[word.status]}</strong> ({_instant(word.said_at)})</p>{markdown(word.message)}"
        for word in reversed(story.words)
    )
    _add(entry, "content", f"<p>{escape(told)}</p>{html}", type="html")
    return story.said_at, entry


def _window_entry(scene: Scene, window: Kept, address: str, base: str) -> tuple[datetime, ET.Element]:
    number = window.now.maintenance
    entry = _entry(f"{base}/maintenance/{number}", window.now.summary, f"{address}/maintenance/{number}")
    _add(entry, "published", _instant(window.now.at))
    _add(entry, "updated", _instant(window.now.at))
    when = f"{_instant(window.now.start)} – {_instant(window.now.end)}"
    _add(entry, "content", f"<p>Maintenance: {when}</p>{markdown(window.now.description)}", type="html")
    return window.now.at, entry


def _entry(number: str, title: str, href: str) -> ET.Element:
    entry = ET.Element("entry")
    _add(entry, "id", number)
    _add(entry, "title", title)
    _link(entry, href, "alternate")
    return entry


def _link(parent: ET.Element, href: str, rel: str) -> None:
    ET.SubElement(parent, "link", rel=rel, href=href)


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = _storable(text)


def _storable(text: str) -> str:
    """Without what XML cannot hold: control characters, and halves of characters."""
    return _UNSPEAKABLE.sub("", text)
