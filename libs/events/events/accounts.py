"""What the `accounts` service says: who people are and what they may do. Names and addresses are in `people`."""

from enum import StrEnum

from events.core import Event, Value


class Role(StrEnum):
    """What a person may do, from least to most (reference: the published roles)."""

    STAKEHOLDER = "STAKEHOLDER"
    RESPONDER = "RESPONDER"
    USER = "USER"
    ADMIN = "ADMIN"


class Visibility(StrEnum):
    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class Member(Value):
    user: int
    role: Role = Role.RESPONDER


class AccountEvent(Event):
    topic = "accounts.v1"


class UserChanged(AccountEvent):
    """A person as they are from now on; name and address are in the cell `person-<user>` of the topic `people`."""

    user: int
    role: Role
    timezone: str = "Europe/Berlin"
    language: str = "en"
    region: str | None = None
    position: str | None = None
    department: str | None = None
    shift_color: str | None = None
    email_mask: str = ""
    created: bool = False

    @property
    def stream(self) -> str:
        return f"user-{self.user}"


class UserDeleted(AccountEvent):
    """The person left: they hold no key, no session and no duty any more."""

    user: int

    @property
    def stream(self) -> str:
        return f"user-{self.user}"


class UserPasswordSet(AccountEvent):
    """A person can sign in with a new password, whose hash is in `cell`; older sessions are void."""

    user: int
    cell: str

    @property
    def stream(self) -> str:
        return f"user-{self.user}"


class TeamChanged(AccountEvent):
    """A team as it is from now on."""

    team: int
    name: str
    visibility: Visibility = Visibility.PUBLIC
    members: tuple[Member, ...] = ()

    @property
    def stream(self) -> str:
        return f"team-{self.team}"


class TeamDeleted(AccountEvent):
    """The team is gone; what it owned is owned by nobody, hence public."""

    team: int

    @property
    def stream(self) -> str:
        return f"team-{self.team}"


class ApikeyIssued(AccountEvent):
    """A key acts for a person from now on; only its SHA-256 digest (hex) is known."""

    apikey: int
    user: int
    name: str
    digest: str
    mask: str

    @property
    def stream(self) -> str:
        return f"apikey-{self.apikey}"


class ApikeyRevoked(AccountEvent):
    """The key acts for nobody any more."""

    apikey: int

    @property
    def stream(self) -> str:
        return f"apikey-{self.apikey}"


class SessionOpened(AccountEvent):
    """A person signed in."""

    session: str
    user: int

    @property
    def stream(self) -> str:
        return f"session-{self.session}"


class SessionRevoked(AccountEvent):
    """A session is over before its time: signed out, or taken away."""

    session: str

    @property
    def stream(self) -> str:
        return f"session-{self.session}"
