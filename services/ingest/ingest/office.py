"""What the routes of `ingest.web` work with: desks to write, pictures to read, names to show."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from events.accounts import Role, Visibility
from events.ingest import SourceChanged
from events.shared import Actor
from ingest.desk import AlertDesk, Beliefs, SourceDesk
from ingest.maintenance import Maintenance, Window
from ingest.names import Names
from ingest.reads import AlertRow, Sight, one_alert
from ingest.setup import Setup
from runtime.access import Access, Caller
from runtime.refusals import missing
from runtime.shell import Shell

T = TypeVar("T")


@dataclass(frozen=True)
class Office:
    """One per web role."""

    shell: Shell
    alerts: AlertDesk
    sources: SourceDesk
    beliefs: Beliefs
    names: Names
    maintenance: Maintenance
    setup: Setup
    public_url: str

    @property
    def access(self) -> Access:
        return self.beliefs.access

    async def read(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """Ask the pictures in SQL."""
        async with self.shell.ledger.begin() as tx:
            return await question(tx.sql)

    def sight(self, caller: Caller) -> Sight:
        """What the caller may see."""
        private = {team.team for team in self.access.teams() if team.visibility is Visibility.PRIVATE}
        own = tuple(sorted(private & caller.teams))
        return Sight(caller.user, caller.role is Role.ADMIN, tuple(sorted(private)), own)

    async def alert(self, alert: int, caller: Caller) -> AlertRow:
        """Raises `Refused` (404) when it is not there, or not the caller's to see."""
        row = await self.read(lambda sql: one_alert(sql, alert, self.sight(caller)))
        if row is None:
            raise missing(f"There is no alert {alert}")
        return row

    async def source(self, source: int, caller: Caller) -> SourceChanged:
        """Raises `Refused` (404) when it is not there, or not the caller's to see."""
        known = await self.sources.get(source)
        if known is None or not self.access.may_see(caller, known.teams):
            raise missing(f"There is no alert source {source}")
        return known

    def window_of(self, source: int) -> Window | None:
        """The maintenance that silences a source now."""
        return self.maintenance.window_of(source, self.shell.clock.now())

    def status_of(self, source: SourceChanged, open_alerts: str | None) -> str:
        """As published; `open_alerts` is PENDING or ALL_ACCEPTED where there are any."""
        if not source.active:
            return "DISABLED"
        if self.window_of(source.source) is not None:
            return "IN_MAINTENANCE"
        return open_alerts or "ALL_RESOLVED"

    def may_change(self, caller: Caller, source: SourceChanged) -> bool:
        """Users and up, by the role that counts for its teams."""
        return self.access.role_in(caller, source.teams) in (Role.USER, Role.ADMIN)


def office_of(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def actor_of(caller: Caller) -> Actor:
    return Actor.by_user(caller.user, caller.channel)
