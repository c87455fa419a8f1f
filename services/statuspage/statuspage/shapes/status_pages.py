"""The JSON of status pages, their groups and their public subscribers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from events.statuspage import PageGroup, ServiceStatus, StatuspageChanged
from runtime.access import Access
from runtime.resources import Resource, TeamRel
from statuspage.bodies.status_pages import SWITCHES
from statuspage.domain.service import Known
from statuspage.domain.uptime import worst
from statuspage.publics import Listed
from statuspage.shapes.services import UptimeResource


class PageServiceResource(Resource):
    """A service as it stands on a page."""

    id: int
    name: str
    status: ServiceStatus
    description: str
    uptime: UptimeResource | None = None

    @classmethod
    def of(cls, known: Known, uptime_at: datetime | None) -> "PageServiceResource":
        return cls(
            id=known.now.service,
            name=known.now.name,
            status=known.status,
            description=known.now.description,
            uptime=UptimeResource.of(known.history, uptime_at) if uptime_at else None,
        )


class LeafResource(Resource):
    id: int
    type: str = "SERVICE"
    options: list[str]


class ElementResource(Resource):
    id: int
    type: str
    options: list[str]
    children: list[LeafResource]


class StructureResource(Resource):
    elements: list[ElementResource]


class GroupResource(Resource):
    id: int
    name: str

    @classmethod
    def of(cls, group: PageGroup) -> "GroupResource":
        return cls(id=group.id, name=group.name)


class StatusPageResource(Resource):
    """`status` is the worst of its services; `subscribed`, `groups` and the services' `uptime` are there when asked for.

    A list does not tell `structure` and `announcement`. `address` is where the page is found.
    """

    id: int
    name: str
    subdomain: str
    domain: str | None
    timezone: str
    visibility: str
    activated: bool
    status: ServiceStatus
    services: list[PageServiceResource]
    page_layout: str
    appearance: str
    page_title: str | None
    page_description: str | None
    logo_url: str | None
    favicon_url: str | None
    logo_redirect_url: str | None
    hidden_from_search: bool
    show_subscribe_action: bool
    show_incident_history_option: bool
    announcement: str | None
    announcement_on_page: bool
    announcement_in_widget: bool
    account_wide_view: bool
    teams: list[TeamRel]
    address: str
    structure: StructureResource | None = None
    groups: list[GroupResource] | None = None
    subscribed: bool | None = None

    @classmethod
    def of(
        cls,
        page: StatuspageChanged,
        services: Mapping[int, Known],
        access: Access,
        address: str,
        *,
        full: bool = True,
        groups: bool = False,
        uptime_at: datetime | None = None,
        subscribed: bool | None = None,
    ) -> "StatusPageResource":
        known = [services[number] for number in page.services if number in services]
        switches: dict[str, Any] = {name: page.settings.get(name, SWITCHES[name]) for name in SWITCHES}
        texts = page.settings
        return cls(
            id=page.page,
            name=page.name,
            subdomain=texts.get("subdomain", page.subdomain),
            domain=page.domain,
            timezone=page.timezone,
            visibility=page.visibility,
            activated=page.activated,
            status=worst([one.status for one in known]) or ServiceStatus.OPERATIONAL,
            services=[PageServiceResource.of(one, uptime_at) for one in known],
            page_layout=page.layout,
            appearance=page.appearance,
            page_title=texts.get("pageTitle"),
            page_description=texts.get("pageDescription"),
            logo_url=texts.get("logoUrl"),
            favicon_url=texts.get("faviconUrl"),
            logo_redirect_url=texts.get("logoRedirectUrl"),
            hidden_from_search=switches["hiddenFromSearch"],
            show_subscribe_action=switches["showSubscribeAction"],
            show_incident_history_option=switches["showIncidentHistoryOption"],
            announcement=page.announcement if full else None,
            announcement_on_page=page.announcement_on_page,
            announcement_in_widget=switches["announcementInWidget"],
            account_wide_view=switches["accountWideView"],
            teams=[access.team_rel(team) for team in page.teams],
            address=address,
            structure=_structure(page, services) if full else None,
            groups=[GroupResource.of(group) for group in page.groups] if groups else None,
            subscribed=subscribed,
        )


def _structure(page: StatuspageChanged, services: Mapping[int, Known]) -> StructureResource | None:
    """Without services that are gone; absent where there is none."""
    if not page.elements:
        return None
    elements = [
        ElementResource(
            id=element.id,
            type=element.type,
            options=list(element.options),
            children=[
                LeafResource(id=leaf.id, options=list(leaf.options)) for leaf in element.children if leaf.id in services
            ],
        )
        for element in page.elements
        if element.type == "GROUP" or element.id in services
    ]
    return StructureResource(elements=elements)


class ServiceRef(Resource):
    id: int


class PublicSubscriberResource(Resource):
    """`target` is masked; no `services`: of all on the page. `status` is `PENDING` or `CONFIRMED`."""

    id: int
    type: str = "EMAIL"
    target: str
    status: str
    services: list[ServiceRef]
    since: datetime

    @classmethod
    def of(cls, listed: Listed) -> "PublicSubscriberResource":
        return cls(
            id=listed.subscriber,
            target=listed.mask,
            status="CONFIRMED" if listed.is_confirmed else "PENDING",
            services=[ServiceRef(id=service) for service in listed.services],
            since=listed.since,
        )
