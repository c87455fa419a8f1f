"""Units of work on connectors and alert actions: wishes of people come in, events, cells and index entries go out.

gather (locks, indexes, cells) -> decide (`domain`) -> apply, in one transaction each. Refusals are raised as `Refused`.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors import indexes, sealed
from connectors.bodies import NEEDED_SECRETS, ActionBody, ConnectorBody
from connectors.domain import action as actions
from connectors.domain import connector as connectors
from connectors.indexes import actions_of, assigned, ids_in, padded
from connectors.references import References
from connectors.sealed import SIGNING
from connectors.streams import ACTION, CONNECTOR
from events.accounts import Role
from events.connectors import ActionConfigured, ConnectorChanged, TriggerMode
from events.core import Refusal
from events.topics import VAULTS
from runtime.access import Access, Caller
from runtime.refusals import Refused, forbidden, granted, invalid_field, missing
from runtime.shell import Shell
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable, new_cell, read_cell

VAULT: Final = VAULTS["connectors"].name
WEBHOOK: Final = "webhook"


@dataclass(frozen=True)
class ConnectorCard:
    """A connector with its parameters as they may be read back."""

    connector: ConnectorChanged
    params: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class ActionCard:
    """An alert action with its parameters as they may be read back. `secret`: made just now, to be shown this once."""

    action: ActionConfigured
    params: Mapping[str, Any]
    created_at: datetime
    secret: str | None = None


class Cells:
    """What the vault holds for a connector or an action: a JSON object."""

    def __init__(self, shell: Shell, keyring: Keyring) -> None:
        self._shell, self._keyring = shell, keyring

    async def open(self, unit: Unit, cell: str | None) -> dict[str, Any]:
        """Empty when there is none; one that our keys do not open is as good as none, and logged."""
        found = await read_cell(unit.tx, cell) if cell else None
        try:
            kept: dict[str, Any] = json.loads(self._keyring.open(found)) if found else {}
        except Unreadable as unreadable:
            self._shell.log.error("cell.unreadable", cell=cell, reason=str(unreadable))
            return {}
        return kept

    async def keep(
        self, unit: Unit, cell: str | None, before: Mapping[str, Any], kept: Mapping[str, Any]
    ) -> str | None:
        """Seal what is to be kept, if it is other than before; the cell that holds it, or None."""
        if kept and kept != before:
            cell = cell or new_cell()
            content = json.dumps(kept, ensure_ascii=False)
            await unit.put_cell(VAULT, self._keyring.seal(cell, content, unit.at))
        elif cell and not kept:
            await unit.erase_cell(VAULT, cell)
            cell = None
        return cell


class Connectors:
    """What can be asked and done about connectors; all of it is an administrator's."""

    def __init__(self, shell: Shell, cells: Cells) -> None:
        self._shell, self._cells = shell, cells

    async def all(self) -> list[connectors.Kept]:
        """By id."""
        return await self._shell.run(every_connector)

    async def cards(self, found: Sequence[connectors.Kept]) -> list[ConnectorCard]:
        """With their parameters as they may be read back."""

        async def work(unit: Unit) -> list[ConnectorCard]:
            return [await self._card(unit, one) for one in found]

        return await self._shell.run(work)

    async def get(self, number: int) -> ConnectorCard:
        """Raises `Refused` when it is not there."""

        async def work(unit: Unit) -> ConnectorCard:
            return await self._card(unit, await _connector(unit, number))

        return await self._shell.run(work)

    async def used_by(self, number: int) -> list[ActionConfigured]:
        """The alert actions that call with this connector, by id."""

        async def work(unit: Unit) -> list[ActionConfigured]:
            return await _users_of(unit, number)

        return await self._shell.run(work)

    async def create(self, body: ConnectorBody) -> ConnectorCard:
        async def work(unit: Unit) -> ConnectorCard:
            (number,) = await unit.draw("connector")
            unit.fresh(CONNECTOR, number)
            return await self._save(unit, number, body, None, {})

        return await self._shell.do(work)

    async def change(self, number: int, body: ConnectorBody) -> ConnectorCard:
        """The whole connector anew; secrets that are left out stay."""

        async def work(unit: Unit) -> ConnectorCard:
            now = (await _locked_connector(unit, number)).now
            if body.type != now.type:
                raise Refused(connectors.other_type(now))
            return await self._save(unit, number, body, now, await self._cells.open(unit, now.cell))

        return await self._shell.do(work)

    async def delete(self, number: int) -> None:
        """Refused with the list while alert actions use it. Its secrets are erased."""

        async def work(unit: Unit) -> None:
            now = (await _locked_connector(unit, number)).now
            if used := await _users_of(unit, number):
                names = ", ".join(f"«{one.name}» ({one.action})" for one in used)
                raise Refused(Refusal("IN_USE", f"Alert actions use this connector: {names}"))
            granted(unit.decide(CONNECTOR, number, connectors.Delete(unit.at)))
            unit.put(indexes.CONNECTORS, {padded(number): None})
            if now.cell:
                await unit.erase_cell(VAULT, now.cell)

        await self._shell.do(work)

    async def credentials(self, number: int) -> tuple[str, dict[str, Any]]:
        """(type, all its parameters), to call the tool with."""

        async def work(unit: Unit) -> tuple[str, dict[str, Any]]:
            now = (await _connector(unit, number)).now
            return now.type, sealed.joined(now.params, await self._cells.open(unit, now.cell))

        return await self._shell.run(work)

    async def credentials_of(self, body: ConnectorBody, number: int | None = None) -> tuple[str, dict[str, Any]]:
        """The same of a connector as it would be saved: new, or in the place of `number`."""

        async def work(unit: Unit) -> tuple[str, dict[str, Any]]:
            if number is None:
                return body.type, _complete(body, {}, {})
            now = (await _connector(unit, number)).now
            if body.type != now.type:
                raise Refused(connectors.other_type(now))
            return now.type, _complete(body, now.params, await self._cells.open(unit, now.cell))

        return await self._shell.run(work)

    async def _save(
        self, unit: Unit, number: int, body: ConnectorBody, now: ConnectorChanged | None, before: Mapping[str, Any]
    ) -> ConnectorCard:
        plain, kept = sealed.split(_complete(body, now.params if now else {}, before))
        cell = await self._cells.keep(unit, now.cell if now else None, before, kept)
        connector = ConnectorChanged(
            connector=number, name=body.name, type=body.type, params=plain, cell=cell, at=unit.at
        )
        granted(unit.decide(CONNECTOR, number, connectors.Save(connector, fresh_secret=kept != before)))
        unit.put(indexes.CONNECTORS, {padded(number): body.name})
        state = unit.state(CONNECTOR, number)
        assert isinstance(state, connectors.Kept), "it was saved just now"
        return ConnectorCard(state.now, sealed.shown(plain, kept), state.since)

    async def _card(self, unit: Unit, kept: connectors.Kept) -> ConnectorCard:
        content = await self._cells.open(unit, kept.now.cell)
        return ConnectorCard(kept.now, sealed.shown(kept.now.params, content), kept.since)


class Actions:
    """What can be asked and done about alert actions, by whom."""

    def __init__(self, shell: Shell, cells: Cells, references: References) -> None:
        self._shell, self._cells, self._references = shell, cells, references

    @property
    def access(self) -> Access:
        return self._references.access

    async def all(
        self, caller: Caller, source: int | None = None, connector: int | None = None
    ) -> list[actions.Configured]:
        """What the caller may see, by id; of one source, of one connector."""
        found = await self._shell.run(every_action)
        return [
            one
            for one in found
            if self.access.may_see(caller, one.now.teams)
            and (source is None or source in one.now.sources)
            and (connector is None or one.now.connector == connector)
        ]

    async def cards(self, found: Sequence[actions.Configured]) -> list[ActionCard]:
        """With their parameters as they may be read back."""

        async def work(unit: Unit) -> list[ActionCard]:
            return [await self._card(unit, one) for one in found]

        return await self._shell.run(work)

    async def get(self, number: int, caller: Caller) -> ActionCard:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def work(unit: Unit) -> ActionCard | None:
            state = (await unit.peek(ACTION, [number]))[ACTION.stream(number)].state
            return await self._card(unit, state) if isinstance(state, actions.Configured) else None

        found = await self._shell.run(work)
        if found is None or not self.access.may_see(caller, found.action.teams):
            raise missing(f"There is no alert action {number}")
        return found

    async def manual_of(self, source: int, caller: Caller) -> list[ActionConfigured]:
        """What people may run by hand for alerts of this source, by id."""

        async def work(unit: Unit) -> list[ActionConfigured]:
            return [one.now for one in await _some_actions(unit, await actions_of(unit, source))]

        found = await self._shell.run(work)
        return [one for one in found if one.mode is TriggerMode.MANUAL and self.access.may_see(caller, one.teams)]

    async def create(self, body: ActionBody, caller: Caller) -> ActionCard:
        """A webhook's signing secret is made here; the card tells it this once."""
        self._only_writers(caller, body.owners)
        await self._check(body, caller)

        async def work(unit: Unit) -> ActionCard:
            (number,) = await unit.draw("action")
            unit.fresh(ACTION, number)
            return await self._save(unit, number, body, None, {})

        return await self._shell.do(work)

    async def change(self, number: int, body: ActionBody, caller: Caller) -> ActionCard:
        """The whole action anew; secrets that are masked stay, the signing secret always."""
        self._only_writers(caller, (await self.get(number, caller)).action.teams, body.owners)
        await self._check(body, caller)

        async def work(unit: Unit) -> ActionCard:
            now = (await _locked_action(unit, number)).now
            if body.connector_type != now.type:
                raise Refused(actions.other_type(now))
            return await self._save(unit, number, body, now, await self._cells.open(unit, now.cell))

        return await self._shell.do(work)

    async def renew_secret(self, number: int, caller: Caller) -> str:
        """A new signing secret; the one before signs nothing any more. Only webhooks have one."""
        known = (await self.get(number, caller)).action
        self._only_writers(caller, known.teams)
        if known.type != WEBHOOK:
            raise Refused(
                Refusal("NO_SIGNATURE", f"Only webhooks are signed; this alert action is of the type {known.type}")
            )

        async def work(unit: Unit) -> str:
            now = (await _locked_action(unit, number)).now
            before, secret = await self._cells.open(unit, now.cell), new_signing_secret()
            cell = await self._cells.keep(unit, now.cell, before, {**before, SIGNING: secret})
            renewed = now.model_copy(update={"cell": cell, "at": unit.at})
            granted(unit.decide(ACTION, number, actions.Save(renewed, fresh_secret=True)))
            return secret

        return await self._shell.do(work)

    async def delete(self, number: int, caller: Caller) -> None:
        """Nothing begins any more; its secrets are erased."""
        self._only_writers(caller, (await self.get(number, caller)).action.teams)

        async def work(unit: Unit) -> None:
            now = (await _locked_action(unit, number)).now
            granted(unit.decide(ACTION, number, actions.Remove(unit.at)))
            unit.put(indexes.CONFIGURED, {padded(number): None})
            unit.put(indexes.OF_SOURCE, assigned(number, now.sources, ()))
            if now.cell:
                await unit.erase_cell(VAULT, now.cell)

        await self._shell.do(work)

    def may_write(self, caller: Caller, *owners: tuple[int, ...]) -> bool:
        """Users and up, by the role that counts for each set of owning teams."""
        return all(self.access.role_in(caller, teams) in (Role.USER, Role.ADMIN) for teams in owners)

    def _only_writers(self, caller: Caller, *owners: tuple[int, ...]) -> None:
        if not self.may_write(caller, *owners):
            raise forbidden(f"This needs the role {Role.USER}; you have {caller.role}")

    async def _check(self, body: ActionBody, caller: Caller) -> None:
        await self._references.check_teams(body.owners)
        await self._references.check_sources(body.named_sources, caller)
        await self._references.check_params(body.params, caller)

    async def _save(
        self, unit: Unit, number: int, body: ActionBody, now: ActionConfigured | None, before: Mapping[str, Any]
    ) -> ActionCard:
        await _check_connector(unit, body)
        params, secret = _filled(body.params, now.params if now else {}, before), None
        if body.connector_type == WEBHOOK and SIGNING not in params:
            secret = params[SIGNING] = new_signing_secret()
        plain, kept = sealed.split(params)
        cell = await self._cells.keep(unit, now.cell if now else None, before, kept)
        action = _action(number, body, plain, cell, unit.at)
        granted(unit.decide(ACTION, number, actions.Save(action, fresh_secret=kept != before)))
        unit.put(indexes.CONFIGURED, {padded(number): body.name})
        unit.put(indexes.OF_SOURCE, assigned(number, now.sources if now else (), action.sources))
        state = unit.state(ACTION, number)
        assert isinstance(state, actions.Configured), "it was saved just now"
        return ActionCard(state.now, sealed.shown(plain, kept), state.since, secret)

    async def _card(self, unit: Unit, one: actions.Configured) -> ActionCard:
        content = await self._cells.open(unit, one.now.cell)
        return ActionCard(one.now, sealed.shown(one.now.params, content), one.since)


def new_signing_secret() -> str:
    """As Standard Webhooks writes them: 24 random bytes."""
    return f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"


# -- looking up, without locks


async def every_connector(unit: Unit) -> list[connectors.Kept]:
    """All connectors, by id."""
    ids = await ids_in(unit, indexes.CONNECTORS)
    known = await unit.peek(CONNECTOR, ids)
    states = [known[CONNECTOR.stream(number)].state for number in ids]
    return [state for state in states if isinstance(state, connectors.Kept)]


async def every_action(unit: Unit) -> list[actions.Configured]:
    """All alert actions, by id."""
    return await _some_actions(unit, await ids_in(unit, indexes.CONFIGURED))


async def _some_actions(unit: Unit, ids: Iterable[int]) -> list[actions.Configured]:
    ids = list(ids)
    known = await unit.peek(ACTION, ids)
    states = [known[ACTION.stream(number)].state for number in ids]
    return [state for state in states if isinstance(state, actions.Configured)]


async def _users_of(unit: Unit, connector: int) -> list[ActionConfigured]:
    return [one.now for one in await every_action(unit) if one.now.connector == connector]


async def _connector(unit: Unit, number: int) -> connectors.Kept:
    state = (await unit.peek(CONNECTOR, [number]))[CONNECTOR.stream(number)].state
    if not isinstance(state, connectors.Kept):
        raise missing(f"There is no connector {number}")
    return state


# -- with locks


async def _locked_connector(unit: Unit, number: int) -> connectors.Kept:
    await unit.load(CONNECTOR, [number])
    state = unit.state(CONNECTOR, number)
    if not isinstance(state, connectors.Kept):
        raise missing(f"There is no connector {number}")
    return state


async def _locked_action(unit: Unit, number: int) -> actions.Configured:
    await unit.load(ACTION, [number])
    state = unit.state(ACTION, number)
    if not isinstance(state, actions.Configured):
        raise missing(f"There is no alert action {number}")
    return state


async def _check_connector(unit: Unit, body: ActionBody) -> None:
    """The connector is there, and of the action's type. Locked: it cannot be deleted between this look and the commit."""
    number = body.connector_id
    if number is None:
        return
    await unit.load(CONNECTOR, [number])
    state = unit.state(CONNECTOR, number)
    if not isinstance(state, connectors.Kept):
        raise invalid_field("connectorId", f"there is no connector {number}")
    if state.now.type != body.connector_type:
        raise invalid_field("connectorId", f"connector {number} is of the type {state.now.type}")


# -- from bodies to events


def _complete(body: ConnectorBody, plain: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A connector's parameters with the secrets that it has. Raises `Refused` when one is lacking."""
    params = _filled(body.params, plain, kept)
    for name in NEEDED_SECRETS[body.type]:
        if name not in params:
            raise invalid_field(f"params.{name}", "is required")
    return params


def _filled(given: Mapping[str, Any], plain: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    params = sealed.filled(given, plain, kept)
    if isinstance(params, Refusal):
        raise Refused(params)
    return params


def _action(
    number: int, body: ActionBody, plain: Mapping[str, Any], cell: str | None, at: datetime
) -> ActionConfigured:
    return ActionConfigured(
        action=number,
        name=body.name,
        type=body.connector_type,
        connector=body.connector_id,
        mode=body.trigger_mode,
        triggers=body.triggers,
        sources=body.sources,
        teams=body.owners,
        params=dict(plain),
        cell=cell,
        escalation_ended_delay_s=body.escalation_ended_delay_sec or 0,
        not_resolved_delay_s=body.not_resolved_delay_sec or 0,
        at=at,
    )
