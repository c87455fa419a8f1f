"""Actions that people run by hand: which an alert has, what became of their runs, and the press of the button."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.configuration import Actions
from connectors.domain.dossier import Dossier
from connectors.endings import Ending, Endings
from connectors.manual import run_now
from connectors.references import References
from connectors.running import read_dossiers
from connectors.streams import RUNS
from events.connectors import ActionConfigured, ActionDeferred, ActionFailed, ActionQueued, ActionSucceeded
from events.core import Event, Refusal
from events.envelope import decode
from events.shared import Actor
from runtime.access import Caller
from runtime.gate import Gate
from runtime.ports import Unavailable
from runtime.refusals import Refused, missing
from runtime.shell import Shell
from runtime.unit import Unit

BARRIER_S: Final = 2.0
PATIENCE_S: Final = 5.0
"""How long a press waits for what became of it."""
LATEST: Final = 10


@dataclass(frozen=True)
class RunCard:
    """A run and what became of it: `success` is None while nothing has; `text` has the other side's words."""

    run: int
    alert: int
    action: int
    name: str
    trigger: str
    connector: int | None = None
    by: Actor | None = None
    success: bool | None = None
    text: str = ""
    link: str | None = None


@dataclass(frozen=True)
class Button:
    """An action that may be run on an alert, and its latest runs there, newest first."""

    action: ActionConfigured
    runs: Sequence[RunCard]


class Buttons:
    """`gate` waits until our worker has read what `alerts` holds."""

    def __init__(self, shell: Shell, actions: Actions, references: References, endings: Endings, gate: Gate) -> None:
        self._shell, self._actions, self._references = shell, actions, references
        self._endings, self._gate = endings, gate

    async def of(self, alert: int, caller: Caller) -> list[Button]:
        """Raises `Refused` when there is no such alert, or it is not the caller's to see."""
        known = await self._alert(alert, caller)
        offered = await self._actions.manual_of(known.source or 0, caller)
        runs = await self._shell.run(lambda unit: runs_of(unit, alert)) if offered else []
        return [Button(one, _latest(runs, one.action)) for one in offered]

    async def press(self, alert: int, action: int, caller: Caller) -> RunCard:
        """Run it now, and wait a moment for what becomes of it. Refusals are raised as `Refused`."""
        await self._alert(alert, caller)
        await self._actions.get(action, caller)

        async def work(unit: Unit) -> ActionQueued:
            queued = await run_now(unit, alert, action, Actor.by_user(caller.user, caller.channel))
            if isinstance(queued, Refusal):
                raise Refused(queued)
            return queued

        queued = await self._shell.do(work)
        ending = await self._endings.of(queued.run, PATIENCE_S)
        if ending is not None:
            return _ended(_begun(queued), ending)
        runs = await self._shell.run(lambda unit: runs_of(unit, alert))
        return next(run for run in runs if run.run == queued.run)

    async def _alert(self, alert: int, caller: Caller) -> Dossier:
        """An alert of a moment ago may not have been read yet: our worker gets two seconds for it."""
        known = await self._look(alert)
        if not known.known:
            try:
                async with asyncio.timeout(BARRIER_S):
                    await self._gate.pass_()
            except TimeoutError:
                raise Unavailable("alerts could not be read to the end in time") from None
            known = await self._look(alert)
        source = await self._references.source(known.source) if known.source is not None else None
        if not known.known or not self._references.access.may_see(caller, source.teams if source else ()):
            raise missing(f"There is no alert {alert}")
        return known

    async def _look(self, alert: int) -> Dossier:
        return (await self._shell.run(lambda unit: read_dossiers(unit, [alert])))[alert]


async def runs_of(unit: Unit, alert: int) -> list[RunCard]:
    """Every run of an alert, oldest first."""
    lines = await unit.tx.history(RUNS.stream(alert))
    return told(decode(line.body).event for line in lines if line.body is not None)


def told(events: Iterable[Event]) -> list[RunCard]:
    """The runs that an alert's events tell of, in the order in which they were queued; each waits for those before it."""
    cards: dict[int, RunCard] = {}
    for event in events:
        match event:
            case ActionQueued():
                cards[event.run] = _begun(event)
            case ActionDeferred(run=run, error=error) if run in cards:
                cards[run] = replace(cards[run], text=error)
            case ActionSucceeded(run=run) | ActionFailed(run=run) if run in cards:
                cards[run] = _ended(cards[run], event)
            case _:
                pass
    head = next((card for card in cards.values() if card.success is None), None)
    return [card if head is None else _behind(card, head) for card in cards.values()]


def _behind(card: RunCard, head: RunCard) -> RunCard:
    if card.success is not None or card.run == head.run:
        return card
    return replace(card, text=f"It waits until «{head.name}» has ended{f': {head.text}' if head.text else ''}")


def _begun(event: ActionQueued) -> RunCard:
    return RunCard(event.run, event.alert, event.action, event.name, event.trigger, event.connector, event.by)


def _ended(card: RunCard, ending: Ending) -> RunCard:
    match ending:
        case ActionSucceeded(text=text, link=link):
            return replace(card, success=True, text=text, link=link)
        case ActionFailed(error=error):
            return replace(card, success=False, text=error)


def _latest(runs: Sequence[RunCard], action: int) -> list[RunCard]:
    return [run for run in reversed(runs) if run.action == action][:LATEST]
