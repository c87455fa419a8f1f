"""What clients send about status pages, their groups and their public subscribers."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from channels.mail import is_address
from events.statuspage import PageElement, PageLeaf
from runtime.resources import Body, Ref, ResourceId
from statuspage.bodies.fields import Refs, Text, Words, Zone, broken

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!\d+$){_LABEL}")
_NOT_YET: Final = ("metrics", "ip_whitelist", "email_whitelist", "audience_specific", "custom_css")
"""What would be a lie to take: each would promise something that pages do not do yet."""

SWITCHES: Final = {
    "hiddenFromSearch": False,
    "showSubscribeAction": True,
    "showIncidentHistoryOption": True,
    "announcementInWidget": False,
    "accountWideView": False,
}
TEXTS: Final = ("pageTitle", "pageDescription", "logoUrl", "faviconUrl", "logoRedirectUrl")


def _subdomain(text: str) -> str:
    text = text.strip().lower()
    if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
        raise broken("must be a DNS label: small letters, digits and hyphens, such as acme")
    return text


def _domain(text: str) -> str:
    text = text.strip().lower().rstrip(".")
    if text and (len(text) > 253 or not _DOMAIN.fullmatch(text)):
        raise broken("must be a host name such as status.example.org")
    return text


def _web_address(text: str) -> str:
    text = text.strip()
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s\"<>]", text)
    except ValueError:
        is_good = False
    if text and not is_good:
        raise broken("must be an http or https address")
    return text


def _address(text: str) -> str:
    if not is_address(text.strip()):
        raise broken("must be an e-mail address")
    return text.strip()


def _several(options: Any) -> Any:
    """Clients send one option as a text, or several as a list."""
    return [options] if isinstance(options, str) else options


WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]
Subdomain = Annotated[str, AfterValidator(_subdomain)]
Domain = Annotated[str, AfterValidator(_domain)]
Options = Annotated[tuple[Literal["expand", "no-graph"], ...], BeforeValidator(_several), Field(max_length=2)]


class LeafBody(Body):
    id: ResourceId
    type: Literal["SERVICE"] = "SERVICE"
    options: Options | None = None

    @model_validator(mode="after")
    def _fits(self) -> "LeafBody":
        if "expand" in (self.options or ()):
            raise broken("expand is an option of groups")
        return self


class ElementBody(Body):
    id: ResourceId
    type: Literal["SERVICE", "GROUP"]
    options: Options | None = None
    children: Annotated[tuple[LeafBody, ...], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "ElementBody":
        if self.type == "SERVICE" and self.children:
            raise broken("only a GROUP has children")
        wrong = "expand" if self.type == "SERVICE" else "no-graph"
        if wrong in (self.options or ()):
            raise broken(f"{wrong} is an option of {'groups' if wrong == 'expand' else 'services'}")
        return self

    @property
    def element(self) -> PageElement:
        leaves = tuple(PageLeaf(id=leaf.id, options=leaf.options or ()) for leaf in self.children or ())
        return PageElement(id=self.id, type=self.type, options=self.options or (), children=leaves)


class StructureBody(Body):
    elements: Annotated[tuple[ElementBody, ...], Field(max_length=200)]


class StatusPageBody(Body):
    """A whole status page: what is left out is as if it had never been set. Groups have a resource of their own."""

    name: Words
    subdomain: Subdomain
    domain: Domain | None = None
    timezone: Zone | None = None
    visibility: Literal["PUBLIC", "PRIVATE"] | None = None
    activated: bool | None = None
    services: Refs | None = None
    structure: StructureBody | None = None
    page_layout: Literal["SINGLE_COLUMN", "RESPONSIVE"] | None = None
    appearance: Literal["LIGHT", "DARK"] | None = None
    page_title: Annotated[str, Field(max_length=255)] | None = None
    page_description: Annotated[str, Field(max_length=1000)] | None = None
    logo_url: WebAddress | None = None
    favicon_url: WebAddress | None = None
    logo_redirect_url: WebAddress | None = None
    hidden_from_search: bool | None = None
    show_subscribe_action: bool | None = None
    show_incident_history_option: bool | None = None
    announcement: Text | None = None
    announcement_on_page: bool | None = None
    announcement_in_widget: bool | None = None
    account_wide_view: bool | None = None
    teams: Refs | None = None
    metrics: Any = None
    ip_whitelist: Any = None
    email_whitelist: Any = None
    audience_specific: Any = None
    custom_css: Any = None

    @model_validator(mode="after")
    def _can_be_kept(self) -> "StatusPageBody":
        for name in _NOT_YET:
            if getattr(self, name):
                field = type(self).model_fields[name].alias
                raise broken(f"{field} is not supported yet: leave it out")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Texts, links and switches, by their names in the API; what is empty is not there."""
        return dict(self._settings())

    @property
    def label(self) -> str:
        """The first label of the subdomain: what the page's address is made of."""
        return self.subdomain.partition(".")[0]

    def _settings(self) -> Iterator[tuple[str, Any]]:
        names = {info.alias: name for name, info in type(self).model_fields.items()}
        for text in TEXTS:
            if value := (getattr(self, names[text]) or "").strip():
                yield text, value
        for switch, otherwise in SWITCHES.items():
            said = getattr(self, names[switch])
            yield switch, otherwise if said is None else said
        if self.subdomain != self.label:
            yield "subdomain", self.subdomain


class GroupBody(Body):
    name: Words


class PublicSubscriberBody(Body):
    """One of a bulk: confirmed elsewhere."""

    target: Annotated[str, Field(max_length=254), AfterValidator(_address)]
    type: Literal["EMAIL"] = "EMAIL"
    locale: Literal["en-GB", "de-DE"] | None = None
    services: Annotated[tuple[Ref, ...], Field(max_length=100)] | None = None
