"""What a link in a message opens: in comes a token, out comes how the alert stands, and what became of an answer.

The answer is a fact of ours; what it means is the alert's owner's to decide, and we wait a moment for that decision.
"""

from dataclasses import dataclass
from typing import Final

from events.core import Event, Refusal
from events.envelope import Envelope
from events.ingest import AlertAccepted, AlertAnswerNoted, AlertEscalationRequested, AlertResolved
from events.notifier import AnswerAction
from notifier.domain.dossier import AlertState, Dossier
from notifier.domain.page import Answer, Paging
from notifier.planning import page_number, read_dossiers
from notifier.streams import PAGE
from runtime.outcomes import Outcomes
from runtime.shell import Shell
from runtime.unit import Cause, Unit
from web.session import Answer as Ticket

PATIENCE_S: Final = 3.0
CHANNEL: Final = "email"


@dataclass(frozen=True)
class Found:
    """What a good link leads to."""

    ticket: Ticket
    dossier: Dossier

    @property
    def notification(self) -> int:
        return int(self.ticket.notification)


@dataclass(frozen=True)
class Became:
    """What became of an answer: `said` is the owner's event; None where it did not come yet, or nothing had to change."""

    action: AnswerAction
    said: Event | None
    dossier: Dossier

    @property
    def is_so_already(self) -> bool:
        """Whether the alert stands as the answer wants it."""
        return self.dossier.state is _WANTED.get(self.action) or self.dossier.state is AlertState.RESOLVED

    @property
    def outcome(self) -> str:
        """`ACCEPTED`, `RESOLVED`, `ESCALATED`, `ALREADY_ACCEPTED`, `ALREADY_RESOLVED`, …, or `RECORDED`."""
        match self.said:
            case AlertAccepted():
                return "ACCEPTED"
            case AlertResolved():
                return "RESOLVED"
            case AlertEscalationRequested():
                return "ESCALATED"
            case AlertAnswerNoted(outcome=outcome):
                return outcome
            case _:
                return "RECORDED"


_WANTED: Final = {AnswerAction.ACCEPT: AlertState.ACCEPTED, AnswerAction.RESOLVE: AlertState.RESOLVED}


def _is_mine_already(found: Found, action: AnswerAction) -> bool:
    """Who presses the same button again is told so at once: the alert's owner has nothing to say to it."""
    known = found.dossier
    return known.state is _WANTED.get(action) and known.by is not None and known.by.user == found.ticket.user


class Answers:
    """Looks links up and records answers."""

    def __init__(self, shell: Shell, outcomes: Outcomes) -> None:
        self._shell, self._outcomes = shell, outcomes

    async def find(self, ticket: Ticket) -> Found | None:
        """What the link is about; None when the message it came with is not known here."""

        async def look(unit: Unit) -> Found | None:
            if not ticket.notification.isdecimal():
                return None
            page = page_number(ticket.alert, ticket.user)
            state = (await unit.peek(PAGE, [page]))[PAGE.stream(page)].state
            if not isinstance(state, Paging) or state.notification(int(ticket.notification)) is None:
                return None
            return Found(ticket, (await read_dossiers(unit, [ticket.alert]))[ticket.alert])

        return await self._shell.run(look)

    async def give(self, found: Found, action: AnswerAction) -> Became:
        """Record the answer, and wait a moment for what the alert's owner makes of it."""
        recorded = await self._shell.do(lambda unit: self._record(unit, found, action))
        is_news = recorded is not None and not _is_mine_already(found, action)
        said = await self._outcomes.await_outcome(recorded.id, PATIENCE_S) if recorded and is_news else None
        known = await self._shell.run(lambda unit: read_dossiers(unit, [found.ticket.alert]))
        return Became(action, said.event if said else None, known[found.ticket.alert])

    async def _record(self, unit: Unit, found: Found, action: AnswerAction) -> Envelope | None:
        page = page_number(found.ticket.alert, found.ticket.user)
        await unit.load(PAGE, [page])
        answer = Answer(found.notification, action, CHANNEL, unit.at)
        outcome = unit.decide(PAGE, page, answer, Cause(None, found.dossier.trace))
        return None if isinstance(outcome, Refusal) else unit.decided[-1]
