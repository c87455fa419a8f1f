"""What the `notifier` service says: how each person is reached, what was sent, and what became of it."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from events.core import Event, Value
from events.shared import Actor, Priority


class Method(StrEnum):
    EMAIL = "EMAIL"


class ContactStatus(StrEnum):
    OK = "OK"
    LOCKED = "LOCKED"
    BLACKLISTED = "BLACKLISTED"


class AlertPreferenceType(StrEnum):
    HIGH_PRIORITY = "HIGH_PRIORITY"
    LOW_PRIORITY = "LOW_PRIORITY"


class ReachEvent(Event):
    topic = "reach.v1"

    user: int

    @property
    def stream(self) -> str:
        return f"reach-{self.user}"


class ContactChanged(ReachEvent):
    """An address of a person as it is from now on: in the vault `cell`, or the sign-in address where there is none."""

    contact: int
    method: Method = Method.EMAIL
    cell: str | None = None
    mask: str = ""
    status: ContactStatus = ContactStatus.OK


class ContactDeleted(ReachEvent):
    """The address is gone, and with it the preferences that used it."""

    contact: int


class PreferenceChanged(ReachEvent):
    """Where and how long after being asked a person wants to hear of alerts of this priority."""

    preference: int
    type: AlertPreferenceType
    method: Method = Method.EMAIL
    contact: int
    delay_min: int = 0


class PreferenceDeleted(ReachEvent):
    """A way of being told is dropped."""

    preference: int


class ReachForgotten(ReachEvent):
    """The person left: nothing reaches them any more."""


class NotificationEvent(Event):
    topic = "notifications.v1"

    alert: int
    user: int

    @property
    def stream(self) -> str:
        return f"page-{self.alert}-{self.user}"

    @property
    def key(self) -> str:
        return f"alert-{self.alert}"


class NotificationQueued(NotificationEvent):
    """A person is to be told by this contact at `send_at`, unless the alert is answered before."""

    notification: int
    alert_version: int
    run: int = 1
    level: int
    contact: int
    method: Method
    mask: str = Field(default="", description="The address, made unreadable.")
    send_at: AwareDatetime
    source: int | None = None
    preference: int | None = None
    reason: str = Field(description="Why this person and this contact, as a sentence.")


class NotificationParked(NotificationEvent):
    """A person who must be told is not known here yet; the page waits for them, it is not dropped."""

    alert_version: int
    run: int = 1
    level: int
    priority: Priority = Priority.HIGH
    source: int | None = None
    reason: str = ""


class NotificationHeld(NotificationEvent):
    """Too many messages to one contact from one source: this one waits for the message that names all the rest."""

    notification: int
    until: AwareDatetime


class NotificationDispatched(NotificationEvent):
    """It is part of a message now, which is on its way; what becomes of the message becomes of it."""

    notification: int
    message: int


class NotificationSent(NotificationEvent):
    """The other side took it: `message` says in which message, `reply` in which words."""

    notification: int
    message: int
    message_id: str = ""
    reply: str = ""
    attempt: int = 1
    gate_timed_out: bool = Field(
        default=False, description="It was claimed although the newest answers could not be awaited (30 s)."
    )


class NotificationDeferred(NotificationEvent):
    """An attempt came to nothing that is final; the next one is at `next_at`."""

    notification: int
    message: int
    attempt: int
    error: str
    next_at: AwareDatetime


class NotificationFailed(NotificationEvent):
    """It cannot be sent this way: the other side's words. The person's next contact is tried."""

    notification: int
    message: int | None = None
    error: str


class NotificationSuppressed(NotificationEvent):
    """It is not sent, and this is why: the alert was answered before, the person is gone, the contact was removed."""

    notification: int
    reason: str


class NotificationUnreachable(NotificationEvent):
    """A person was to be told and has no contact or no preference for it."""

    alert_version: int
    run: int = 1
    level: int
    reason: str


class AnswerAction(StrEnum):
    ACCEPT = "ACCEPT"
    ESCALATE = "ESCALATE"
    RESOLVE = "RESOLVE"


class NotificationAnswered(NotificationEvent):
    """A person answered through a message; what it means is the alert's owner's to decide."""

    notification: int
    action: AnswerAction
    channel: str = "email"


class Carried(Value):
    """One notification inside a message."""

    notification: int
    alert: int
    user: int


class MessageEvent(Event):
    topic = "notifications.v1"

    contact: int
    source: int | None = None

    @property
    def stream(self) -> str:
        return f"window-{self.source or 0}-{self.contact}"


class MessageComposed(MessageEvent):
    """One message carries these notifications; `place` is 1 to 3 in its window, or 0 for the one that names the rest."""

    message: int
    method: Method = Method.EMAIL
    user: int
    carries: tuple[Carried, ...]
    alerts: int | None = Field(default=None, description="How many alerts it names, where `carries` is only a part.")
    place: int
    window_ends_at: AwareDatetime


class MessageHeld(MessageEvent):
    """One more notification waits for the message that will name all the rest, when the window ends."""

    held: Carried
    until: AwareDatetime


class MessageWindowClosed(MessageEvent):
    """The storm, if it was one, is over: the next message goes at once."""


# -- the other occasions: news of alerts, duties ahead, incidents and maintenance


class UpdatePreferenceType(StrEnum):
    ALERT_ACCEPTED = "ALERT_ACCEPTED"
    ALERT_RESOLVED = "ALERT_RESOLVED"
    ALERT_ESCALATED = "ALERT_ESCALATED"


class DutyPreferenceType(StrEnum):
    ON_CALL = "ON_CALL"


class DutyPreferenceChanged(ReachEvent):
    """How long before a duty begins a person wants to be reminded, and by which contact."""

    preference: int
    type: DutyPreferenceType = DutyPreferenceType.ON_CALL
    method: Method = Method.EMAIL
    contact: int
    before_min: int = 0


class UpdatePreferenceChanged(ReachEvent):
    """By which contact a responder wants to hear what others did with an alert."""

    preference: int
    type: UpdatePreferenceType
    method: Method = Method.EMAIL
    contact: int


class SubscriptionPreferenceChanged(ReachEvent):
    """By which contact a person wants to hear of incidents and maintenance that they subscribed to."""

    preference: int
    method: Method = Method.EMAIL
    contact: int


class NoticeKind(StrEnum):
    ALERT_UPDATE = "ALERT_UPDATE"
    DUTY = "DUTY"
    INCIDENT = "INCIDENT"
    MAINTENANCE = "MAINTENANCE"


class NoticeEvent(Event):
    topic = "notifications.v1"

    notice: int
    user: int
    alert: int | None = None

    @property
    def stream(self) -> str:
        return f"notice-{self.notice}"

    @property
    def key(self) -> str:
        return f"alert-{self.alert}" if self.alert is not None else self.stream


class NoticeQueued(NoticeEvent):
    """A person is to be told of something that asks nothing of them, by this contact at `send_at`."""

    notification: int = Field(description="The same number: notices and notifications are counted together.")
    kind: NoticeKind
    occasion: str = Field(default="", description="ALERT_ACCEPTED, INCIDENT_CREATED, ON_CALL …")
    schedule: int | None = None
    incident: int | None = None
    maintenance: int | None = None
    contact: int
    method: Method = Method.EMAIL
    mask: str = Field(default="", description="The address, made unreadable.")
    send_at: AwareDatetime
    title: str = Field(description="What it is about: an alert's summary, a schedule's name, an incident's summary.")
    text: str = ""
    lines: tuple[str, ...] = ()
    status: str = ""
    path: str = Field(default="", description="Where a signed-in user reads on.")
    by: Actor | None = Field(default=None, description="Who did it, for an update of an alert.")
    begins_at: AwareDatetime | None = Field(default=None, description="When the duty begins.")
    ends_at: AwareDatetime | None = Field(default=None, description="When it ends, where that is known.")
    preference: int | None = None
    reason: str = Field(default="", description="Why this person and this contact, as a sentence.")
    occurrence: str = Field(default="", description="What it is told about: the same is never told twice.")


class NoticeGathered(NoticeEvent):
    """Its time has come: it is in a mail on its way (`message`), or waits for the one that gathers the rest (`until`)."""

    message: int | None = None
    until: AwareDatetime | None = None


class NoticeSent(NoticeEvent):
    """The other side took it."""

    message: int | None = None
    message_id: str = ""
    reply: str = ""
    attempt: int = 1


class NoticeFailed(NoticeEvent):
    """It cannot be sent this way: the other side's words."""

    error: str = ""


class NoticeCancelled(NoticeEvent):
    """It is not sent, and this is why: the duty was handed over, the person is gone."""

    reason: str = ""


class DigestEvent(Event):
    topic = "notifications.v1"

    contact: int
    user: int

    @property
    def stream(self) -> str:
        return f"digest-{self.contact}"


class DigestComposed(DigestEvent):
    """One mail carries these notices; `place` is 1 to 3 in its window, or 0 for the one that names the rest."""

    message: int
    carries: tuple[int, ...]
    place: int
    window_ends_at: AwareDatetime


class DigestHeld(DigestEvent):
    """One more notice waits for the mail that names all the rest, when the window ends."""

    notice: int
    until: AwareDatetime


class DigestWindowClosed(DigestEvent):
    """The contact is quiet again: the next notice goes at once."""
