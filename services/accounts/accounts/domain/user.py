"""A person, from the day somebody adds them to the day they leave.

    Nobody --Describe--> Active --Describe, SetPassword--> Active
                            \\--Leave--> Left    (final: the id is never given again, the person's cell is erased)

Names and addresses never enter here: they are in the cell `person-<user>`; the state knows a mask.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from events.accounts import Role, UserChanged, UserDeleted, UserPasswordSet
from events.core import Decider, Event, Outcome, Refusal


@dataclass(frozen=True)
class Profile:
    """What everybody in the suite may know of a person."""

    role: Role
    timezone: str
    language: str
    region: str | None = None
    position: str | None = None
    department: str | None = None
    shift_color: str | None = None
    email_mask: str = ""


@dataclass(frozen=True)
class Describe:
    """Be so from now on. The two facts about others are read under the lock that all changes of users share."""

    user: int
    profile: Profile
    is_email_taken: bool
    is_last_admin: bool
    at: datetime


@dataclass(frozen=True)
class SetPassword:
    """The hash is in `cell`."""

    cell: str
    at: datetime


@dataclass(frozen=True)
class Leave:
    is_last_admin: bool
    at: datetime


@dataclass(frozen=True)
class Nobody:
    pass


@dataclass(frozen=True)
class Active:
    user: int
    profile: Profile
    created_at: datetime
    updated_at: datetime
    password_cell: str | None = None


@dataclass(frozen=True)
class Left:
    user: int


State = Nobody | Active | Left
Command = Describe | SetPassword | Leave

EMAIL_TAKEN = Refusal("EMAIL_TAKEN", "email: somebody else signs in with this address")
LAST_ADMIN = Refusal("LAST_ADMIN", "This is the last administrator: make somebody else one first")
NO_USER = Refusal("NOT_FOUND", "There is no such user")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Left() | Nobody(), SetPassword():
            return NO_USER
        case Left(), Describe():
            return NO_USER
        case Left() | Nobody(), Leave():
            return []
        case ((Nobody() | Active()), Describe(is_email_taken=True)):
            return EMAIL_TAKEN
        case Active(), Describe(profile=profile, is_last_admin=True) if profile.role is not Role.ADMIN:
            return LAST_ADMIN
        case Active(profile=known), Describe(profile=profile) if profile == known:
            return []
        case ((Nobody() | Active()), Describe(user, profile, at=at)):
            return [UserChanged(user=user, **asdict(profile), created=isinstance(state, Nobody), at=at)]
        case Active(user=user), SetPassword(cell, at):
            return [UserPasswordSet(user=user, cell=cell, at=at)]
        case Active(), Leave(is_last_admin=True):
            return LAST_ADMIN
        case Active(user=user), Leave(at=at):
            return [UserDeleted(user=user, at=at)]
    return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Left(), _:
            return state
        case Active(), UserChanged(at=at):
            return replace(state, profile=_profile(event), updated_at=at)
        case _, UserChanged(user=user, at=at):
            return Active(user, _profile(event), created_at=at, updated_at=at)
        case Active(), UserPasswordSet(cell=cell):
            return replace(state, password_cell=cell)
        case _, UserDeleted(user=user):
            return Left(user)
    return state


def mask(email: str) -> str:
    """`a***@example.org`: enough for the owner to recognise, too little to write to."""
    local, _, host = email.rpartition("@")
    return f"{local[:1]}***@{host}"


def _profile(event: UserChanged) -> Profile:
    return Profile(
        role=event.role,
        timezone=event.timezone,
        language=event.language,
        region=event.region,
        position=event.position,
        department=event.department,
        shift_color=event.shift_color,
        email_mask=event.email_mask,
    )


user: Decider[State, Command] = Decider(Nobody(), decide, evolve)
