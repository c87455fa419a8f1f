"""The JSON of users, teams and API keys: bodies are checked on the way in, states become resources on the way out."""

import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from accounts.domain.apikey import Issued
from accounts.domain.team import Formed
from accounts.domain.user import Profile
from accounts.people import Person
from events.accounts import Member, Role, Visibility
from runtime.access import Access, Name
from runtime.resources import Body, Ref, Resource, UserRel

DEFAULT_ZONE = "Europe/Berlin"
DEFAULT_LANGUAGE = "en"


@cache
def zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(name: str) -> str:
    if name not in zones():
        raise PydanticCustomError("time_zone", "must be an IANA time zone such as Europe/Berlin")
    return name


Words = Annotated[str, Field(min_length=1, max_length=255)]
Zone = Annotated[str, AfterValidator(_zone)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]
Password = Annotated[SecretStr, Field(min_length=8, max_length=1024)]
Colour = Annotated[str, Field(pattern=r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class UserBody(Body):
    """A whole user. What is left out is empty; role, zone and language, which cannot be, stay as they are."""

    first_name: Words
    last_name: Annotated[str, Field(max_length=255)]
    email: Email
    timezone: Zone | None = None
    position: Annotated[str, Field(max_length=255)] | None = None
    department: Annotated[str, Field(max_length=255)] | None = None
    language: Language | None = None
    region: Region | None = None
    role: Role | None = None
    shift_color: Colour | None = None

    @property
    def name(self) -> Name:
        return Name(self.first_name, self.last_name, self.email)

    def profile(self, known: Profile | None = None) -> Profile:
        """`known` is what the user was before, None for a new one."""
        return Profile(
            role=self.role or (known.role if known else Role.RESPONDER),
            timezone=self.timezone or (known.timezone if known else DEFAULT_ZONE),
            language=self.language or (known.language if known else DEFAULT_LANGUAGE),
            region=self.region,
            position=self.position,
            department=self.department,
            shift_color=self.shift_color,
        )


class NewUserBody(UserBody):
    password: Password | None = None


class PasswordBody(Body):
    """`currentPassword` is asked of who changes their own."""

    password: Password
    current_password: SecretStr | None = None


class EmailBody(Body):
    email: Annotated[str, Field(max_length=254)]


class MemberBody(Body):
    user: Ref
    role: Role = Role.RESPONDER

    @property
    def member(self) -> Member:
        return Member(user=self.user.id, role=self.role)


class TeamBody(Body):
    name: Words
    visibility: Visibility = Visibility.PUBLIC
    members: Annotated[tuple[MemberBody, ...], Field(max_length=1000)] = ()

    @property
    def all_members(self) -> tuple[Member, ...]:
        return tuple(member.member for member in self.members)


class ApikeyBody(Body):
    name: Words
    user: Ref | None = None


class UserResource(Resource):
    id: int
    first_name: str
    last_name: str
    email: str
    timezone: str
    position: str | None
    department: str | None
    language: str
    region: str | None
    role: Role
    shift_color: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, person: Person) -> "UserResource":
        state, profile, name = person.state, person.state.profile, person.name
        return cls(
            id=state.user,
            first_name=name.first,
            last_name=name.last,
            email=name.email,
            timezone=profile.timezone,
            position=profile.position,
            department=profile.department,
            language=profile.language,
            region=profile.region,
            role=profile.role,
            shift_color=profile.shift_color,
            created_at=state.created_at,
            updated_at=state.updated_at,
        )


class MemberResource(Resource):
    user: UserRel
    role: Role

    @classmethod
    def of(cls, member: Member, access: Access) -> "MemberResource":
        return cls(user=access.user_rel(member.user), role=member.role)


class TeamResource(Resource):
    id: int
    name: str
    visibility: Visibility
    members: list[MemberResource]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, team: Formed, access: Access) -> "TeamResource":
        return cls(
            id=team.team,
            name=team.name,
            visibility=team.visibility,
            members=_members(team.members, access),
            created_at=team.created_at,
            updated_at=team.updated_at,
        )


def _members(members: Iterable[Member], access: Access) -> list[MemberResource]:
    return [MemberResource.of(member, access) for member in members]


class ApikeyResource(Resource):
    """`key` is there only in the answer that made it."""

    id: int
    name: str
    mask: str
    user: UserRel
    created_at: datetime
    key: str | None = None

    @classmethod
    def of(cls, issued: Issued, access: Access, key: str | None = None) -> "ApikeyResource":
        return cls(
            id=issued.apikey,
            name=issued.name,
            mask=issued.mask,
            user=access.user_rel(issued.user),
            created_at=issued.created_at,
            key=key,
        )
