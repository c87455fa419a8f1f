"""Every component in every state on one page, for eyes and for axe: in come pages, out goes a router."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from web.calendar import Calendar, Shift, calendar
from web.pages import Pages, Viewer

ADA = Viewer(1, "Ada", role="ADMIN", zone="Europe/Berlin")
ERRORS = {"delay": "must be a whole number", "name": "is required"}
DETAILS = """**db-1** does not answer

- `pg_isready` says *no response*
- see [runbook](https://example.org/runbook)

<script>alert(1)</script>
"""
LABELS = {"delay": "Delay in minutes", "name": "Name"}


def routes(pages: Pages) -> APIRouter:
    """`/styleguide`, without a sign-in: it shows no data."""
    router = APIRouter(include_in_schema=False)

    @router.get("/styleguide")
    async def styleguide(request: Request) -> Response:
        hour = timedelta(hours=1)
        values: dict[str, Any] = {
            "errors": ERRORS,
            "labels": LABELS,
            "details": DETAILS,
            "calendar": _week(),
            "hour": hour,
        }
        return pages.render(request, "styleguide.html", ADA, **values)

    return router


def _week() -> Calendar:
    """The week in which summer time ends in Berlin: its Sunday has 25 hours."""
    monday = datetime(2026, 10, 19, 8, tzinfo=UTC)
    people = ("Ada", "Bob", "Cyd", "Ada", "Bob", None, "Cyd")
    turns = [
        Shift(who, monday + timedelta(days=n - 1), monday + timedelta(days=n), "/schedules/1")
        for n, who in enumerate(people)
    ]
    override = [
        Shift(
            "Bob",
            monday + timedelta(days=1, hours=9),
            monday + timedelta(days=1, hours=12),
            "/schedules/1",
            is_override=True,
        )
    ]
    layers = [("Overrides", override), ("Everyday", turns)]
    return calendar("Week of 19 October 2026", date(2026, 10, 19), 7, "Europe/Berlin", layers, today=date(2026, 10, 21))
