"""What routes and pages work with: who asks, what can be done, and by which clock."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from events.accounts import Role
from runtime.access import Access, Caller, caller, door_of, require
from runtime.ports import Clock
from statuspage.incident_templates import Templates
from statuspage.incidents import Incidents
from statuspage.maintenance import Maintenances
from statuspage.previews import Previews
from statuspage.publics import Publics
from statuspage.services import Services
from statuspage.status_pages import StatusPages
from statuspage.subscriptions import Subscriptions


@dataclass(frozen=True)
class Desk:
    services: Services
    templates: Templates
    maintenances: Maintenances
    incidents: Incidents
    subscriptions: Subscriptions
    status_pages: StatusPages
    publics: Publics
    previews: Previews
    clock: Clock
    public_url: str


async def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def access_of(request: Request) -> Access:
    return door_of(request).access


Anybody = Annotated[Caller, Depends(caller)]
"""Whoever is signed in, stakeholders too; what they see is another question."""
Responder = Annotated[Caller, Depends(require(Role.RESPONDER))]
AtDesk = Annotated[Desk, Depends(desk_of)]
Knows = Annotated[Access, Depends(access_of)]
