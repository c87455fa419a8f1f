"""What the escalator believes of others: who has left and who is in which team (`accounts`), which source uses which policy (`sources`)."""

from escalator.roster import TeamSeen
from events.accounts import TeamChanged, TeamDeleted, UserChanged, UserDeleted
from events.core import Event
from events.ingest import SourceChanged, SourceDeleted
from events.topics import ACCOUNTS, SOURCES
from runtime.records import Received
from runtime.views import View


class Staff(View):
    """The picture of people that a decision needs: no names, no addresses."""

    topics = (ACCOUNTS.name,)

    def __init__(self) -> None:
        self._gone: set[int] = set()
        self._teams: dict[int, TeamSeen] = {}

    @property
    def gone(self) -> frozenset[int]:
        """Users who were deleted."""
        return frozenset(self._gone)

    def team(self, team: int) -> TeamSeen | None:
        return self._teams.get(team)

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case UserDeleted(user=user):
                self._gone.add(user)
            case UserChanged(user=user):
                self._gone.discard(user)
            case TeamChanged(team=team, name=name, members=members):
                self._teams[team] = TeamSeen(name, tuple(member.user for member in members))
            case TeamDeleted(team=team):
                self._teams.pop(team, None)
            case _:
                pass


class Sources(View):
    """Which alert sources use a policy: what would break when it goes."""

    topics = (SOURCES.name,)

    def __init__(self) -> None:
        self._sources: dict[int, SourceChanged] = {}

    def of_policy(self, policy: int) -> list[SourceChanged]:
        """By id."""
        return [self._sources[source] for source in sorted(self._sources) if self._sources[source].policy == policy]

    def apply(self, received: Received) -> None:
        match received.envelope.event:
            case SourceChanged() as changed:
                self._sources[changed.source] = changed
            case SourceDeleted(source=source):
                self._sources.pop(source, None)
            case _:
                pass
