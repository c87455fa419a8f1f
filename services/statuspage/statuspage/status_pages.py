"""Units of work on status pages: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from events.core import Refusal
from events.statuspage import PageGroup, StatuspageChanged
from runtime.access import Caller
from runtime.refusals import Refused, granted, invalid_field, missing
from runtime.resources import ids_of
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage import publics, showing
from statuspage.bodies.status_pages import GroupBody, StatusPageBody
from statuspage.domain.service import Known
from statuspage.domain.statuspage import Delete, DropGroup, Kept, Set, SetGroup
from statuspage.references import References, check_services, places
from statuspage.services import services_by_id
from statuspage.streams import STATUSPAGE


class StatusPages:
    """What can be asked and done about status pages, by whom."""

    def __init__(self, shell: Shell, references: References, public_url: str) -> None:
        self._shell = shell
        self.references = references
        self._url = public_url

    async def seen(self, caller: Caller) -> list[StatuspageChanged]:
        """All that the caller may see, by id."""
        return [page for page in await self._shell.run(showing.every_page) if self.may_see(caller, page)]

    async def get(self, page: int, caller: Caller) -> StatuspageChanged:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def find(unit: Unit) -> list[StatuspageChanged]:
            return await showing.pages_of(unit, [page])

        found = await self._shell.run(find)
        if not found or not self.may_see(caller, found[0]):
            raise missing(f"There is no status page {page}")
        return found[0]

    async def writable(self, page: int, caller: Caller) -> StatuspageChanged:
        """Raises `Refused` when the caller may not change it."""
        found = await self.get(page, caller)
        self.references.only_writers(caller, found.teams)
        return found

    async def services_of(self, pages: Iterable[StatuspageChanged]) -> Mapping[int, Known]:
        """The services that these pages show, by id; those that are gone are not in it."""
        wanted = {service for page in pages for service in page.services}

        async def find(unit: Unit) -> Mapping[int, Known]:
            return await services_by_id(unit, wanted)

        return await self._shell.run(find)

    async def create(self, body: StatusPageBody, caller: Caller) -> StatuspageChanged:
        await self._check(body, caller)

        async def work(unit: Unit) -> StatuspageChanged:
            await showing.lock_names(unit)
            [page] = await unit.draw("page")
            unit.fresh(STATUSPAGE, page)
            return await self._set(unit, page, body)

        return await self._shell.do(work)

    async def change(self, page: int, body: StatusPageBody, caller: Caller) -> StatuspageChanged:
        """Replace everything about a page but its groups."""
        await self._check(body, caller, (await self.get(page, caller)).teams)

        async def work(unit: Unit) -> StatuspageChanged:
            await showing.lock_names(unit)
            await unit.load(STATUSPAGE, [page])
            return await self._set(unit, page, body)

        return await self._shell.do(work)

    async def remove(self, page: int, caller: Caller) -> None:
        """Its address answers 404 from then on, its public subscribers are forgotten."""
        await self.writable(page, caller)

        async def work(unit: Unit) -> None:
            await showing.lock_names(unit)
            await unit.load(STATUSPAGE, [page])
            before = _now(unit, page)
            granted(unit.decide(STATUSPAGE, page, Delete(unit.at)))
            showing.moved(unit, before, None)
            await publics.forget_page(unit, page)

        await self._shell.do(work)

    # -- groups

    async def group(self, page: int, group: int, caller: Caller) -> PageGroup:
        found = next((one for one in (await self.get(page, caller)).groups if one.id == group), None)
        if found is None:
            raise missing(f"Status page {page} has no group {group}")
        return found

    async def add_group(self, page: int, body: GroupBody, caller: Caller) -> PageGroup:
        await self.writable(page, caller)

        async def work(unit: Unit) -> PageGroup:
            [number] = await unit.draw("group")
            return await _put_group(unit, page, PageGroup(id=number, name=body.name))

        return await self._shell.do(work)

    async def change_group(self, page: int, group: int, body: GroupBody, caller: Caller) -> PageGroup:
        await self.writable(page, caller)
        await self.group(page, group, caller)

        async def work(unit: Unit) -> PageGroup:
            return await _put_group(unit, page, PageGroup(id=group, name=body.name))

        return await self._shell.do(work)

    async def drop_group(self, page: int, group: int, caller: Caller) -> None:
        """Its services stay on the page, where the group was."""
        await self.writable(page, caller)

        async def work(unit: Unit) -> None:
            await unit.load(STATUSPAGE, [page])
            granted(unit.decide(STATUSPAGE, page, DropGroup(group, unit.at)))

        await self._shell.do(work)

    # -- who

    def may_see(self, caller: Caller, page: StatuspageChanged) -> bool:
        """A page for the whole account is seen by all of it, whosever it is."""
        return bool(page.settings.get("accountWideView")) or self.references.may_see(caller, page.teams)

    def may_write(self, caller: Caller, page: StatuspageChanged) -> bool:
        return self.references.may_write(caller, page.teams)

    def address(self, page: StatuspageChanged) -> str:
        """Where the public finds it, once it is activated and public."""
        return f"https://{page.domain}/" if page.domain else f"{self._url}/status/{page.subdomain}/"

    # -- checks

    async def _check(self, body: StatusPageBody, caller: Caller, *owners: tuple[int, ...]) -> None:
        teams = ids_of(body.teams or ())
        self.references.only_writers(caller, *owners, teams)
        await self.references.check_teams(places("teams", teams))
        if body.domain and body.domain == urlsplit(self._url).hostname:
            raise invalid_field("domain", "is where Alarum itself is found")

    async def _set(self, unit: Unit, page: int, body: StatusPageBody) -> StatuspageChanged:
        await check_services(unit, places("services", ids_of(body.services or ())))
        before = _now(unit, page)
        then = _page_of(page, body, unit.at)
        await _check_free(unit, then)
        granted(unit.decide(STATUSPAGE, page, Set(then)))
        after = _now(unit, page)
        showing.moved(unit, before, after)
        assert after is not None
        return after


async def _check_free(unit: Unit, page: StatuspageChanged) -> None:
    holder = await showing.page_at(unit, page.subdomain)
    if holder is not None and holder.page != page.page:
        raise Refused(Refusal("DUPLICATE", f"subdomain: status page {holder.page} has {page.subdomain} already"))
    holder = await showing.page_with(unit, page.domain) if page.domain else None
    if holder is not None and holder.page != page.page:
        raise Refused(Refusal("DUPLICATE", f"domain: status page {holder.page} has {page.domain} already"))


async def _put_group(unit: Unit, page: int, group: PageGroup) -> PageGroup:
    await unit.load(STATUSPAGE, [page])
    granted(unit.decide(STATUSPAGE, page, SetGroup(group, unit.at)))
    return group


def _now(unit: Unit, page: int) -> StatuspageChanged | None:
    state = unit.state(STATUSPAGE, page)
    return state.now if isinstance(state, Kept) else None


def _page_of(page: int, body: StatusPageBody, at: datetime) -> StatuspageChanged:
    return StatuspageChanged(
        page=page,
        name=body.name,
        subdomain=body.label,
        domain=body.domain or None,
        timezone=body.timezone or "UTC",
        visibility=body.visibility or "PUBLIC",
        activated=bool(body.activated),
        services=ids_of(body.services or ()),
        elements=tuple(one.element for one in body.structure.elements) if body.structure else (),
        layout=body.page_layout or "SINGLE_COLUMN",
        appearance=body.appearance or "LIGHT",
        settings=body.settings,
        announcement=body.announcement or "",
        announcement_on_page=bool(body.announcement_on_page),
        teams=ids_of(body.teams or ()),
        at=at,
    )
