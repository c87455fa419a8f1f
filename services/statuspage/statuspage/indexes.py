"""Statuspage's small indexes: every service, template and maintenance window by id, aliases; and how they are rebuilt from events."""

from collections.abc import Sequence
from typing import Final

from events.envelope import Envelope
from events.statuspage import (
    MaintenanceChanged,
    MaintenanceDeleted,
    ServiceChanged,
    ServiceDeleted,
    TemplateChanged,
    TemplateDeleted,
)
from runtime.unit import Unit

SERVICES: Final = "services"
"""`<padded service>` -> name."""
ALIASES: Final = "service_aliases"
"""alias, its case folded -> service."""
ALIAS_OF: Final = "service_alias_of"
"""`<service>` -> its alias, case folded."""
TEMPLATES: Final = "templates"
"""`<padded template>` -> name."""
MAINTENANCES: Final = "maintenances"
"""`<padded maintenance>` -> summary."""

CATALOGUE: Final = "catalogue-1"


async def lock_catalogue(unit: Unit) -> None:
    """One change of services at a time: an alias stays unique."""
    await unit.tx.lock([CATALOGUE])


def padded(number: int) -> str:
    """An id as a key whose order is the order of ids."""
    return f"{number:019}"


async def ids_in(unit: Unit, index: str) -> list[int]:
    """All ids in an index, ascending."""
    return [int(key) for key in await unit.scan(index, "")]


async def enter_alias(unit: Unit, service: int, alias: str | None) -> None:
    """From now on this service has this alias (None: none)."""
    before = (await unit.index(ALIAS_OF, [str(service)])).get(str(service))
    now = alias.casefold() if alias else None
    if before and before != now:
        unit.put(ALIASES, {before: None})
    if now:
        unit.put(ALIASES, {now: str(service)})
    unit.put(ALIAS_OF, {str(service): now})


async def holder_of(unit: Unit, alias: str) -> int | None:
    """The service that has this alias, in whatever case."""
    key = alias.casefold()
    found = (await unit.index(ALIASES, [key])).get(key)
    return int(found) if found else None


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Bring the indexes up to what these events say (after a restore)."""
    for envelope in envelopes:
        match envelope.event:
            case ServiceChanged(service=service, name=name, alias=alias):
                unit.put(SERVICES, {padded(service): name})
                await enter_alias(unit, service, alias)
            case ServiceDeleted(service=service):
                unit.put(SERVICES, {padded(service): None})
                await enter_alias(unit, service, None)
            case TemplateChanged(template=template, name=name):
                unit.put(TEMPLATES, {padded(template): name})
            case TemplateDeleted(template=template):
                unit.put(TEMPLATES, {padded(template): None})
            case MaintenanceChanged(maintenance=maintenance, summary=summary):
                unit.put(MAINTENANCES, {padded(maintenance): summary})
            case MaintenanceDeleted(maintenance=maintenance):
                unit.put(MAINTENANCES, {padded(maintenance): None})
            case _:
                pass
