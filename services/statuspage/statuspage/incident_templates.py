"""Units of work on incident templates: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Iterable

from events.statuspage import TemplateChanged
from runtime.access import Caller
from runtime.refusals import granted, missing
from runtime.resources import ids_of
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage import indexes
from statuspage.bodies.templates import TemplateBody
from statuspage.domain.template import Delete, Kept, Set
from statuspage.references import References, places
from statuspage.streams import TEMPLATE


class Templates:
    """What can be asked and done about incident templates, by whom."""

    def __init__(self, shell: Shell, references: References) -> None:
        self._shell = shell
        self.references = references

    async def seen(self, caller: Caller) -> list[TemplateChanged]:
        """All that the caller may see, by id."""
        return [one for one in await self._shell.run(every_template) if self.references.may_see(caller, one.teams)]

    async def get(self, template: int, caller: Caller) -> TemplateChanged:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def find(unit: Unit) -> TemplateChanged | None:
            return (await templates_by_id(unit, [template])).get(template)

        found = await self._shell.run(find)
        if found is None or not self.references.may_see(caller, found.teams):
            raise missing(f"There is no incident template {template}")
        return found

    async def create(self, body: TemplateBody, caller: Caller) -> TemplateChanged:
        await self._check(body, caller)

        async def work(unit: Unit) -> TemplateChanged:
            [template] = await unit.draw("template")
            unit.fresh(TEMPLATE, template)
            return _set(unit, template, body)

        return await self._shell.do(work)

    async def change(self, template: int, body: TemplateBody, caller: Caller) -> TemplateChanged:
        """Replace everything about a template."""
        await self._check(body, caller, (await self.get(template, caller)).teams)

        async def work(unit: Unit) -> TemplateChanged:
            await unit.load(TEMPLATE, [template])
            return _set(unit, template, body)

        return await self._shell.do(work)

    async def remove(self, template: int, caller: Caller) -> None:
        """Actions that name it are refused from then on, with the reason on the alert's timeline."""
        self.references.only_writers(caller, (await self.get(template, caller)).teams)

        async def work(unit: Unit) -> None:
            await unit.load(TEMPLATE, [template])
            granted(unit.decide(TEMPLATE, template, Delete(unit.at)))
            unit.put(indexes.TEMPLATES, {indexes.padded(template): None})

        await self._shell.do(work)

    async def _check(self, body: TemplateBody, caller: Caller, *owners: tuple[int, ...]) -> None:
        teams = ids_of(body.teams or ())
        self.references.only_writers(caller, *owners, teams)
        await self.references.check_teams(places("teams", teams))


async def templates_by_id(unit: Unit, templates: Iterable[int]) -> dict[int, TemplateChanged]:
    """Templates as they stand, by id; those that are gone are not in it."""
    wanted = set(templates)
    known = await unit.peek(TEMPLATE, wanted)
    states = {template: known[TEMPLATE.stream(template)].state for template in sorted(wanted)}
    return {template: state.now for template, state in states.items() if isinstance(state, Kept)}


async def every_template(unit: Unit) -> list[TemplateChanged]:
    """All templates, by id."""
    return list((await templates_by_id(unit, await indexes.ids_in(unit, indexes.TEMPLATES))).values())


def _set(unit: Unit, template: int, body: TemplateBody) -> TemplateChanged:
    changed = TemplateChanged(
        template=template,
        name=body.name,
        summary=body.summary,
        status=body.status,
        message=body.message or "",
        send_notification=bool(body.send_notification),
        teams=ids_of(body.teams or ()),
        at=unit.at,
    )
    granted(unit.decide(TEMPLATE, template, Set(changed)))
    unit.put(indexes.TEMPLATES, {indexes.padded(template): body.name})
    return changed
