"""Public status pages as files: in comes a scene and an instant, out come a page's HTML, its feed and its JSON. Pure.

All links are relative: the same files are served below `/status/<subdomain>/` and at the root of a domain of their own.
No instant of rendering is written down, so that the same scene gives the same files.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, TypeVar

from jinja2 import Environment

from statuspage import feeds, looks, words
from statuspage.board import Scene
from statuspage.domain.maintenance import Kept, Over, Running
from web.pages import environment
from web.words import Tongue, speaking

T = TypeVar("T")

HISTORY_ROWS: Final = 20
RECENT: Final = 5
STYLE: Final = files("statuspage").joinpath("templates/public/style.css").read_bytes()
STYLE_NAME: Final = f"style-{hashlib.sha256(STYLE).hexdigest()[:12]}.css"


class Painter:
    """Renders scenes; `public_url` is where the suite itself is found."""

    def __init__(self, public_url: str) -> None:
        self._url = public_url
        self._templates = _templates()

    def paint(self, scene: Scene, at: datetime) -> Iterator[tuple[str, bytes]]:
        """(path below the page's root, content), one by one: whoever takes them may breathe in between."""
        yield STYLE_NAME, STYLE
        address = looks.address_of(scene, self._url)
        yield from feeds.json_files(scene, address)
        yield "feed.atom", feeds.atom(scene, address, self._url)
        yield "index.html", self._render("index.html", scene, "", **self._index(scene, at))
        for number, stories in enumerate(_leaves(scene), 1):
            path, root = ("history.html", "") if number == 1 else (f"history/{number}.html", "../")
            older = number * HISTORY_ROWS < len(scene.past_incidents)
            yield path, self._render("history.html", scene, root, stories=stories, number=number, has_older=older)
        for story in scene.incidents:
            yield f"incidents/{story.incident}.html", self._render("incident.html", scene, "../", story=story)
        for window in scene.maintenances:
            path = f"maintenance/{window.now.maintenance}.html"
            yield path, self._render("maintenance.html", scene, "../", window=window)

    def _index(self, scene: Scene, at: datetime) -> dict[str, Any]:
        status = looks.overall(scene)
        rows = _in_tongue(scene, lambda: looks.rows(scene, at))
        return {
            "overall": looks.OVERALL[status],
            "overall_kind": looks.KIND[status],
            "rows": rows,
            "recent": scene.past_incidents[:RECENT],
        }

    def _render(self, template: str, scene: Scene, root: str, **values: Any) -> bytes:
        settings = scene.page.settings
        common = {
            "scene": scene,
            "page": scene.page,
            "settings": settings,
            "title": looks.title_of(scene),
            "root": root,
            "home": root or "./",
            "style": STYLE_NAME,
            "subscribing": f"{self._url}/subscribers/{scene.page.subdomain}",
            "address": looks.address_of(scene, self._url),
            "may_subscribe": settings.get("showSubscribeAction", True),
            "has_history": settings.get("showIncidentHistoryOption", True),
            "named": lambda affected: looks.named(scene, affected),
            "names_of": lambda window: looks.names_of(scene, window.now.services),
        }

        def render() -> str:
            return self._templates.get_template(f"public/{template}").render(common | values)

        return _in_tongue(scene, render).encode()


def _templates() -> Environment:
    made = environment("statuspage")
    made.globals.update(
        service_word=words.SERVICE.__getitem__,
        incident_word=words.INCIDENT.__getitem__,
        status_kind=looks.KIND.__getitem__,
        impact_of=looks.impact_of,
        window_word=window_word,
        is_group=lambda row: isinstance(row, looks.Group),
    )
    return made


def window_word(window: Kept) -> str:
    match window:
        case Running():
            return "In progress"
        case Over():
            return "Completed"
        case _:
            return "Planned"


def _leaves(scene: Scene) -> list[Sequence[Any]]:
    """The past incidents, leaf by leaf; one empty leaf where there are none."""
    past = scene.past_incidents
    return [past[start : start + HISTORY_ROWS] for start in range(0, len(past), HISTORY_ROWS)] or [[]]


def _in_tongue(scene: Scene, work: Callable[[], T]) -> T:
    """Dates are said in the page's zone."""
    with speaking(Tongue(scene.page.timezone, "en-GB")):
        return work()
