"""What clients send about connectors and alert actions: bodies in the published shapes are checked here, params by type."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from channels.mail import is_address
from connectors.sealed import MASK, SIGNING
from connectors.targets import TargetRefused, parse
from events.connectors import TriggerMode
from events.statuspage import ServiceStatus
from runtime.resources import Body, Ref, ResourceId, ids_of

CONNECTOR_TYPES: Final = ("jira", "slack")
ACTION_TYPES: Final = ("webhook", "jira", "slack", "email", "reroute", "automation_rule")
TRIGGERS: Final = (
    "alert-created",
    "alert-assigned",
    "alert-auto-escalated",
    "alert-acknowledged",
    "alert-raised",
    "alert-comment-added",
    "alert-escalation-ended",
    "alert-resolved",
    "alert-auto-resolved",
    "alert-responder-added",
    "alert-responder-removed",
    "alert-channel-attached",
    "alert-channel-detached",
    "v-alert-not-resolved",
)
ESCALATION_ENDED: Final = "alert-escalation-ended"
NOT_RESOLVED: Final = "v-alert-not-resolved"
ESCALATION_ENDED_DELAY_S: Final = range(30, 7_200 + 1)
NOT_RESOLVED_DELAY_S: Final = range(60, 172_800 + 1)
"""Published up to 7,200; Terraform's provider allows two days."""
SLACK_API: Final = "https://slack.com/api/"
HEADERS_OF_OURS: Final = frozenset(
    [
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    ]
)

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def broken(rule: str) -> PydanticCustomError:
    """`rule` is the end of a sentence about the field."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _told(text: str) -> str:
    if not text.strip():
        raise broken("must not be blank")
    return text.strip()


def _one_of(known: tuple[str, ...], rule: str = "must be one of") -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise broken(f"{rule} {', '.join(known)}")
        return value

    return check


def _address(url: str) -> str:
    """An address that can be called: whether it may be is asked each time, since names change their meaning."""
    try:
        parse(url)
        is_good = urlsplit(url).netloc.count("@") <= 1
    except (TargetRefused, ValueError):
        is_good = False
    if not is_good or _CONTROL.search(url) or " " in url or "\\" in url:
        raise broken("must be an address such as https://example.org/path")
    return url


def _bare_address(url: str) -> str:
    if "@" in urlsplit(_address(url)).netloc:
        raise broken("must not hold a user or a password")
    return url


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise broken("must be the name of an HTTP header, such as X-Team")
    if name.lower() in HEADERS_OF_OURS:
        raise broken("is set by us and cannot be chosen")
    return name


def _header_value(value: str) -> str:
    if _CONTROL.search(value) or not value.isascii():
        raise broken("must be one line of ASCII")
    return value.strip()


def _mail_address(address: str) -> str:
    if MASK in address or not is_address(address):
        raise broken("must be an e-mail address")
    return address


def _number_or_nothing(value: object) -> object:
    return None if value == "" else value


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_told)]
Words = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_told)]
Template = Annotated[str, Field(max_length=50_000)]
Secret = Annotated[str, Field(min_length=1, max_length=2_000)]
Address = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]
BareAddress = Annotated[str, Field(max_length=2_000), AfterValidator(_bare_address)]
MailAddress = Annotated[str, Field(max_length=254), AfterValidator(_mail_address)]
Refs = Annotated[tuple[Ref, ...], Field(max_length=1_000)]
HERE: Final = "must be one of those that exist here:"
NUMBER_AS_TEXT: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9]+$"}
"""How the published API writes ids of connectors and actions; a number is taken too."""
OptionalId = Annotated[ResourceId | None, BeforeValidator(_number_or_nothing)]


# -- parameters, by type


class JiraConnector(Body):
    url: BareAddress
    email: MailAddress
    password: Secret | None = None


class SlackConnector(Body):
    bot_token: Secret | None = None
    signing_secret: Secret | None = None
    api_url: BareAddress = SLACK_API


class HeaderBody(Body):
    key: Annotated[str, Field(max_length=255), AfterValidator(_header_name)]
    value: Annotated[str, Field(max_length=4_000), AfterValidator(_header_value)]


class WebhookParams(Body):
    webhook_url: Address
    body_template: Template | None = None
    headers: Annotated[tuple[HeaderBody, ...], Field(max_length=50)] | None = None

    @field_validator("headers")
    @classmethod
    def _each_once(cls, headers: tuple[HeaderBody, ...] | None) -> tuple[HeaderBody, ...] | None:
        names = [header.key.lower() for header in headers or ()]
        if len(names) != len(set(names)):
            raise broken("must name each header once")
        return headers


class JiraParams(Body):
    project: Words
    issue_type: Words = "Task"
    body_template: Template | None = None


class SlackParams(Body):
    channel_id: Words
    channel_name: Words | None = None
    team_domain: Words | None = None
    team_id: Words | None = None


class EmailParams(Body):
    recipients: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=100)]
    subject: Annotated[str, Field(max_length=500)] | None = None
    body_template: Template | None = None


class RerouteParams(Body):
    escalation_policy_id: ResourceId


class AutomationParams(Body):
    """`alertType` says when: as an alert is created, or as it is accepted."""

    alert_type: Literal["CREATED", "ACCEPTED"]
    service_ids: Annotated[tuple[ResourceId, ...], Field(min_length=1, max_length=100)]
    service_status: ServiceStatus
    template_id: OptionalId = None
    resolve_incident: bool = False
    send_notification: bool = False


OF_CONNECTOR: Final[Mapping[str, type[Body]]] = {"jira": JiraConnector, "slack": SlackConnector}
OF_ACTION: Final[Mapping[str, type[Body]]] = {
    "webhook": WebhookParams,
    "jira": JiraParams,
    "slack": SlackParams,
    "email": EmailParams,
    "reroute": RerouteParams,
    "automation_rule": AutomationParams,
}
NEEDED_SECRETS: Final[Mapping[str, tuple[str, ...]]] = {"jira": ("password",), "slack": ("botToken", SIGNING)}
"""Of connectors: what must be given at first, and is kept when it is left out later."""
BEGINS: Final = {"CREATED": "alert-created", "ACCEPTED": "alert-acknowledged"}
"""What an automation rule's `alertType` means as a trigger."""


def _checked(params: dict[str, Any], kind: type[Body]) -> dict[str, Any]:
    """The parameters of this type and no others, as the published API names them. What is wrong is below `params`."""
    return kind.model_validate(params).model_dump(mode="json", by_alias=True, exclude_none=True)


# -- whole resources


class Complete(Body):
    """What is checked also where it is left out, under the name that clients know."""

    checked: ClassVar[Mapping[str, Any]]

    @model_validator(mode="before")
    @classmethod
    def _with_what_is_checked(cls, data: Any) -> Any:
        return {**cls.checked, **data} if isinstance(data, dict) else data


class ConnectorBody(Complete):
    """A whole connector. Secrets that are left out stay as they are."""

    checked = {"params": {}}  # noqa: RUF012

    type: Annotated[
        str,
        Field(json_schema_extra={"enum": list(CONNECTOR_TYPES)}),
        AfterValidator(_one_of(CONNECTOR_TYPES, HERE)),
    ]
    name: Name
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("params")
    @classmethod
    def _of_its_type(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        kind = OF_CONNECTOR.get(info.data.get("type", ""))
        return _checked(params, kind) if kind else params


class ActionBody(Complete):
    """A whole alert action. What is left out gets its default: PUT replaces; secrets that are masked stay."""

    checked = {"connectorId": None, "triggerTypes": None, "notResolvedDelaySec": None, "params": {}}  # noqa: RUF012

    name: Name
    connector_type: Annotated[
        str, Field(json_schema_extra={"enum": list(ACTION_TYPES)}), AfterValidator(_one_of(ACTION_TYPES, HERE))
    ]
    connector_id: Annotated[OptionalId, WithJsonSchema(NUMBER_AS_TEXT)] = None
    alert_sources: Refs | None = None
    alert_source_ids: Annotated[tuple[ResourceId, ...], Field(max_length=1_000)] | None = None
    teams: Refs | None = None
    trigger_mode: TriggerMode = TriggerMode.AUTOMATIC
    trigger_types: (
        Annotated[
            tuple[
                Annotated[str, Field(json_schema_extra={"enum": list(TRIGGERS)}), AfterValidator(_one_of(TRIGGERS))],
                ...,
            ],
            Field(max_length=50),
        ]
        | None
    ) = None
    escalation_ended_delay_sec: Annotated[int, Field(ge=0)] | None = None
    not_resolved_delay_sec: Annotated[int, Field(ge=0)] | None = None
    conditions: str | None = None
    alert_filter: dict[str, Any] | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("conditions", "alert_filter")
    @classmethod
    def _nothing(cls, value: object) -> object:
        if value:
            raise broken("is not supported yet; leave it out, and the action runs for every alert of its sources")
        return value

    @field_validator("connector_id")
    @classmethod
    def _where_needed(cls, connector: int | None, info: ValidationInfo) -> int | None:
        kind = info.data.get("connector_type")
        if connector is None and kind in CONNECTOR_TYPES:
            raise broken(f"is required for the type {kind}")
        if connector is not None and kind in OF_ACTION and kind not in CONNECTOR_TYPES:
            raise broken(f"cannot be given for the type {kind}, which needs no connector")
        return connector

    @field_validator("params")
    @classmethod
    def _of_its_type(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        kind = OF_ACTION.get(info.data.get("connector_type", ""))
        return _checked(params, kind) if kind else params

    @field_validator("trigger_types")
    @classmethod
    def _in_automatic_mode(cls, triggers: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        is_needed = info.data.get("trigger_mode") is TriggerMode.AUTOMATIC
        if not triggers and is_needed and info.data.get("connector_type") != "automation_rule":
            raise broken("needs at least one trigger while triggerMode is AUTOMATIC")
        return triggers

    @field_validator("escalation_ended_delay_sec")
    @classmethod
    def _after_the_escalation(cls, delay_s: int | None, info: ValidationInfo) -> int | None:
        return _delay(delay_s, ESCALATION_ENDED_DELAY_S, ESCALATION_ENDED, info, needed=False)

    @field_validator("not_resolved_delay_sec")
    @classmethod
    def _after_the_creation(cls, delay_s: int | None, info: ValidationInfo) -> int | None:
        return _delay(delay_s, NOT_RESOLVED_DELAY_S, NOT_RESOLVED, info, needed=True)

    @property
    def sources(self) -> tuple[int, ...]:
        """Ids, each once, in the order given."""
        return tuple(dict.fromkeys(number for _, number in self.named_sources))

    @property
    def named_sources(self) -> list[tuple[str, int]]:
        """(field, id)."""
        references = [(f"alertSources.{place}.id", one.id) for place, one in enumerate(self.alert_sources or ())]
        return references or [(f"alertSourceIds.{place}", one) for place, one in enumerate(self.alert_source_ids or ())]

    @property
    def owners(self) -> tuple[int, ...]:
        return ids_of(self.teams or ())

    @property
    def triggers(self) -> tuple[str, ...]:
        """In the order of the list of all, each once."""
        named = self.trigger_types or ()
        if not named and self.connector_type == "automation_rule" and self.trigger_mode is TriggerMode.AUTOMATIC:
            named = (BEGINS[self.params["alertType"]],)
        return tuple(dict.fromkeys(named))


def _delay(delay_s: int | None, allowed: range, trigger: str, info: ValidationInfo, *, needed: bool) -> int | None:
    """0 and nothing are the same. The trigger may be named without a delay, unless it is `needed`."""
    is_named = trigger in (info.data.get("trigger_types") or ())
    if delay_s and not is_named:
        raise broken(f"can only be given with the trigger {trigger}")
    if is_named and needed and not delay_s:
        raise broken(f"is required with the trigger {trigger}")
    if delay_s and delay_s not in allowed:
        raise broken(f"must be 0 or between {allowed.start} and {allowed.stop - 1}")
    return delay_s


class RunBody(Body):
    """Which alert action to run, as it was listed; what else was listed of it is passed over."""

    alert_action_id: Annotated[ResourceId, WithJsonSchema(NUMBER_AS_TEXT)]
