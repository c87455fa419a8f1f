"""Pages in one look: in come a template and values, out comes the whole page, or the block that htmx asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2_fragments import render_block
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from web import words
from web.assets import asset
from web.markup import markdown
from web.states import looks_of
from web.words import Tongue

__all__ = ["Pages", "Viewer", "environment", "markdown", "viewer_of"]

FLASH: Final = "alarum-flash"
FLASH_S: Final = 60
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Viewer:
    """Who looks at the page: for the navigation, for zone and language. Permissions are the service's to check."""

    id: int
    name: str
    role: str = "USER"
    zone: str = "UTC"
    locale: str = "en"


class Person(Protocol):
    """What pages need to know of somebody."""

    @property
    def timezone(self) -> str: ...
    @property
    def language(self) -> str: ...


class People(Protocol):
    """Who there is: `runtime.access.Access` is one."""

    def person(self, user: int) -> Person | None: ...
    def name(self, user: int) -> str: ...


class Asking(Protocol):
    """Who asks: `runtime.access.Caller` is one."""

    @property
    def user(self) -> int: ...
    @property
    def role(self) -> str: ...


def viewer_of(caller: Asking, people: People) -> Viewer:
    """Who looks, for zone and language."""
    person = people.person(caller.user)
    zone, language = (person.timezone, person.language) if person else ("UTC", "en")
    return Viewer(caller.user, people.name(caller.user), role=caller.role, zone=zone, locale=language)


@dataclass(frozen=True)
class Place:
    """One entry of the navigation; what is `for_set_up` stands behind a button where there is room for one line only."""

    key: str
    href: str
    label: str
    for_set_up: bool = False


NAVIGATION: Final = (
    Place("alerts", "/alerts", words.noop("Alerts")),
    Place("on-call", "/on-call", words.noop("On call")),
    Place("schedules", "/schedules", words.noop("Schedules")),
    Place("incidents", "/incidents", words.noop("Incidents")),
    Place("services", "/services", words.noop("Services")),
    Place("status-pages", "/status-pages", words.noop("Status pages")),
    Place("sources", "/sources", words.noop("Sources"), for_set_up=True),
    Place("policies", "/policies", words.noop("Policies"), for_set_up=True),
    Place("actions", "/actions", words.noop("Actions"), for_set_up=True),
    Place("templates", "/templates", words.noop("Templates"), for_set_up=True),
    Place("maintenance", "/maintenance", words.noop("Maintenance"), for_set_up=True),
    Place("users", "/users", words.noop("Users"), for_set_up=True),
    Place("teams", "/teams", words.noop("Teams"), for_set_up=True),
    Place("me", "/me", words.noop("My notifications"), for_set_up=True),
)


def environment(package: str, *packages: str) -> Environment:
    """Templates of the package's `templates/`, then ours; an unknown name is an error, every value is escaped."""
    loaders = [PackageLoader(name) for name in (package, *packages, "web") if name != "web"]
    made = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("web")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    _speak(made)
    made.filters.update(_FILTERS)
    made.globals.update(looks_of=looks_of)
    made.globals.update(
        asset=asset, navigation=NAVIGATION, zone_name=words.zone_name, now=_now, language=words.language
    )
    # a block rendered alone does not see what its template imports: the components are therefore global
    made.globals["ui"] = made.get_template("ui.html").module
    return made


def _speak(made: Environment) -> None:
    """Before any template is imported: macros bind the callables they find."""
    install: Any = made.install_gettext_callables  # type: ignore[attr-defined]
    install(words.gettext, words.ngettext, newstyle=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _initials(name: str) -> str:
    parts = name.replace("@", " ").split()
    return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper() or "?"


def _hue(name: str) -> int:
    """One of eight colours, always the same for the same name."""
    return sum(name.encode()) % 8


def _with_query(url: str, **changes: object) -> str:
    """The URL with some of its query's values replaced; None takes one away."""
    path, _, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    kept = [
        (unquote(name), unquote(value.replace("+", " "))) for name, _, value in pairs if unquote(name) not in changes
    ]
    added = [(name, str(value)) for name, value in changes.items() if value is not None]
    return path + ("?" + urlencode([*kept, *added]) if kept or added else "")


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "short_date": words.short_date,
    "near_date": words.near_date,
    "exact_date": words.exact_date,
    "clock_time": words.clock_time,
    "ago": words.ago,
    "duration": words.duration,
    "markdown": markdown,
    "initials": _initials,
    "hue": _hue,
    "with_query": _with_query,
}


class Pages:
    """Renders a service's templates for one request."""

    def __init__(self, env: Environment) -> None:
        self.env = env

    def render(
        self,
        request: Request,
        template: str,
        viewer: Viewer | None = None,
        *,
        block: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """The page, or `block` of it when htmx asks for a part. `viewer` is None on pages without a sign-in."""
        flash = _flash_of(request)
        values = {"viewer": viewer, "request": request, "flash": flash, "nav": "", **values}
        partial = block is not None and _wants_part(request)
        with words.speaking(_tongue(request, viewer)):
            html = self._html(template, block if partial else None, values)
        response = HTMLResponse(
            html, status, headers={"Cache-Control": "no-store", "Vary": "HX-Request", **(headers or {})}
        )
        if flash and not partial:
            response.delete_cookie(FLASH)
        return response

    def redirect(self, request: Request, to: str, flash: str | None = None) -> Response:
        """Go to this page (a path of this site), with a sentence to show there once."""
        if _is_htmx(request):
            response = Response(status_code=200, headers={"HX-Redirect": to, "Cache-Control": "no-store"})
        else:
            response = RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})
        if flash:
            response.set_cookie(FLASH, quote(flash), max_age=FLASH_S, httponly=True, samesite="lax")
        return response

    def problem(self, request: Request, status: int, message: str) -> Response:
        """The page of a refusal; htmx gets only its part, as a toast."""
        if _is_htmx(request):
            headers = {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
            return self.render(request, "problem.html", block="toast", status=status, message=message, headers=headers)
        return self.render(request, "problem.html", status=status, message=message, problem_status=status)

    def _html(self, template: str, block: str | None, values: dict[str, Any]) -> str:
        if block is None:
            return self.env.get_template(template).render(values)
        html: str = render_block(self.env, template, block, values)
        return html


def _is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def _wants_part(request: Request) -> bool:
    """htmx says `full` when it is going to replace the whole body."""
    return _is_htmx(request) and request.headers.get("hx-request-type") != "full"


def _tongue(request: Request, viewer: Viewer | None) -> Tongue:
    if viewer is not None:
        return Tongue(viewer.zone, viewer.locale)
    preferred = request.headers.get("accept-language", "en").split(",")[0].split(";")[0].strip()
    return Tongue(locale=preferred or "en")


def _flash_of(request: Request) -> str | None:
    return unquote(request.cookies[FLASH])[:500] if FLASH in request.cookies else None
