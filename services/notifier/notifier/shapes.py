"""The JSON of contacts, preferences and notifications: bodies are checked on the way in, states become resources."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from events.notifier import AlertPreferenceType, ContactStatus, DutyPreferenceType, Method, UpdatePreferenceType
from notifier.contacts import Address, DutyWish, SubscriptionWish, UpdateWish, Wish
from notifier.domain import notice
from notifier.domain.page import Failed, Fate, Held, Notification, Sent, Suppressed, Underway, Waiting
from notifier.domain.reach import (
    LONGEST_DELAY_MIN,
    DutyPreference,
    Preference,
    SubscriptionPreference,
    UpdatePreference,
)
from runtime.access import Access
from runtime.resources import Body, Ref, Resource


class EmailBody(Body):
    target: Annotated[str, Field(min_length=3, max_length=254)]


class EmailResource(Resource):
    id: int
    target: str
    status: ContactStatus

    @classmethod
    def of(cls, address: Address) -> "EmailResource":
        return cls(id=address.contact.id, target=address.target, status=address.contact.status)


class PublishedMethod(StrEnum):
    """What the published API knows."""

    EMAIL = "EMAIL"
    SMS = "SMS"
    PUSH = "PUSH"
    VOICE = "VOICE"
    WHATSAPP = "WHATSAPP"
    TELEGRAM = "TELEGRAM"


def _available(method: PublishedMethod) -> PublishedMethod:
    if method is not PublishedMethod.EMAIL:
        raise PydanticCustomError("method", "only EMAIL is available in this installation")
    return method


class PreferenceBody(Body):
    method: Annotated[PublishedMethod, AfterValidator(_available)]
    contact: Ref
    delay_min: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MIN)] = 0
    type: AlertPreferenceType

    @property
    def wish(self) -> Wish:
        return Wish(self.type, self.contact.id, self.delay_min)


class PreferenceResource(Resource):
    id: int
    method: Method
    contact: EmailResource
    delay_min: int
    type: AlertPreferenceType

    @classmethod
    def of(cls, one: Preference, address: Address) -> "PreferenceResource":
        contact = EmailResource.of(address)
        return cls(id=one.id, method=one.method, contact=contact, delay_min=one.delay_min, type=one.type)


class DutyBody(Body):
    method: Annotated[PublishedMethod, AfterValidator(_available)]
    contact: Ref
    before_min: Literal[0, 15, 30, 60, 180, 360, 720, 1440] = 0
    type: DutyPreferenceType = DutyPreferenceType.ON_CALL

    @property
    def wish(self) -> DutyWish:
        return DutyWish(self.contact.id, self.before_min, self.type)


class DutyResource(Resource):
    id: int
    method: Method
    contact: EmailResource
    before_min: int
    type: DutyPreferenceType

    @classmethod
    def of(cls, one: DutyPreference, address: Address) -> "DutyResource":
        contact = EmailResource.of(address)
        return cls(id=one.id, method=one.method, contact=contact, before_min=one.before_min, type=one.type)


class UpdateBody(Body):
    method: Annotated[PublishedMethod, AfterValidator(_available)]
    contact: Ref
    type: UpdatePreferenceType

    @property
    def wish(self) -> UpdateWish:
        return UpdateWish(self.type, self.contact.id)


class UpdateResource(Resource):
    id: int
    method: Method
    contact: EmailResource
    type: UpdatePreferenceType

    @classmethod
    def of(cls, one: UpdatePreference, address: Address) -> "UpdateResource":
        return cls(id=one.id, method=one.method, contact=EmailResource.of(address), type=one.type)


class SubscriptionBody(Body):
    method: Annotated[PublishedMethod, AfterValidator(_available)]
    contact: Ref

    @property
    def wish(self) -> SubscriptionWish:
        return SubscriptionWish(self.contact.id)


class SubscriptionResource(Resource):
    id: int
    method: Method
    contact: EmailResource

    @classmethod
    def of(cls, one: SubscriptionPreference, address: Address) -> "SubscriptionResource":
        return cls(id=one.id, method=one.method, contact=EmailResource.of(address))


class TestResource(Resource):
    """What a test message met."""

    status: str
    error_message: str | None = None
    reply: str | None = None


# -- an alert's notifications


class PersonRel(Resource):
    """Spelled as the published schema of notifications spells it."""

    id: int
    firstname: Annotated[str | None, Field(alias="firstname")] = None
    lastname: Annotated[str | None, Field(alias="lastname")] = None


class NotificationResource(Resource):
    """`SUPPRESSED` and the last four fields are ours; the rest is the published shape.

    `occasion` is what somebody is merely told of: then there is no `level`."""

    id: int
    method: Method
    target: str
    subject: str
    alert_id: int
    user: PersonRel
    notification_time: datetime | None
    status: str
    error_message: str | None = None
    message: int | None = None
    level: int | None = None
    occasion: str | None = None
    reason: str

    @classmethod
    def of(cls, alert: int, subject: str, user: int, one: Notification, access: Access) -> "NotificationResource":
        rel = access.user_rel(user)
        return cls(
            id=one.id,
            method=one.method,
            target=one.mask,
            subject=subject,
            alert_id=alert,
            user=PersonRel(id=user, firstname=rel.first_name, lastname=rel.last_name),
            notification_time=_time(one.fate),
            status=_STATUS[type(one.fate)],
            error_message=_error(one.fate),
            message=_message(one.fate),
            level=one.level,
            reason=one.reason,
        )

    @classmethod
    def of_notice(cls, alert: int, subject: str, one: notice.Known, access: Access) -> "NotificationResource":
        rel = access.user_rel(one.told.user)
        at, status, error, message = _fate(one)
        return cls(
            id=one.told.notice,
            method=one.told.method,
            target=one.told.mask,
            subject=subject,
            alert_id=alert,
            user=PersonRel(id=one.told.user, firstname=rel.first_name, lastname=rel.last_name),
            notification_time=at,
            status=status,
            error_message=error,
            message=message,
            occasion=one.told.occasion,
            reason=one.told.reason,
        )


def _fate(one: notice.Known) -> tuple[datetime, str, str | None, int | None]:
    """When, which status, which error, in which mail."""
    match one:
        case notice.Sent(_, at, message):
            return at, "SUCCESS", None, message
        case notice.Failed(_, at, error):
            return at, "ERROR", error, None
        case notice.Cancelled(_, at, reason):
            return at, "SUPPRESSED", reason, None
        case _:
            return one.told.send_at, "SCHEDULED", None, None


_STATUS: Final[dict[type, str]] = {
    Waiting: "SCHEDULED",
    Held: "SCHEDULED",
    Underway: "SCHEDULED",
    Sent: "SUCCESS",
    Failed: "ERROR",
    Suppressed: "SUPPRESSED",
}


def _time(fate: Fate) -> datetime:
    """When it went, ended, or is going to go."""
    match fate:
        case Waiting(at) | Held(at) | Underway(_, at) | Sent(_, at) | Failed(_, at) | Suppressed(_, at):
            return at


def _error(fate: Fate) -> str | None:
    match fate:
        case Failed(error):
            return error
        case Underway(trouble=trouble):
            return trouble
        case Suppressed(reason):
            return reason
        case _:
            return None


def _message(fate: Fate) -> int | None:
    match fate:
        case Underway(message) | Sent(message):
            return message
        case _:
            return None
