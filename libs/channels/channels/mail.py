"""A mail: in come texts that anybody may have written, out comes a message whose headers are only ours."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}\Z)[^\W_](?:[\w.-]*[^\W_])?\Z")
_IN_TEXT: Final = re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]++@[\w.-]+")
LONGEST_SUBJECT: Final = 200
LONGEST_ADDRESS: Final = 254
LONGEST_LINK: Final = 900


class _Link(UnstructuredHeader, BaseHeader):
    """A header that holds one address of the web: on one line, for broken or encoded it leads nowhere."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Link)
_POLICY: Final = SMTP.clone(header_factory=_HEADERS)


@dataclass(frozen=True)
class Mail:
    """`message_id` and `thread` are written `<…@…>`; `thread` is what the mail answers to, so that clients group it.

    `is_repeat` marks a mail that may have been taken before, under the same id. `unsubscribe` is an address that ends
    further mails by a POST (RFC 8058).
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime
    thread: str | None = None
    is_repeat: bool = False
    unsubscribe: str | None = None


def is_address(text: str) -> bool:
    """Whether this is an address that we can send to: ASCII before the @, a domain (also a non-English one) behind it."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.match(text) is not None and ".." not in text and _encodes(text)


def mask(address: str) -> str:
    """`ada@example.org` is shown as `a***@example.org`."""
    local, at_sign, domain = address.partition("@")
    return f"{local[:1]}***{at_sign}{domain}" if at_sign else "***"


def masked(text: str) -> str:
    """A text of somebody else with all addresses in it masked: servers like to repeat whom they refuse."""
    return _IN_TEXT.sub(lambda found: mask(found.group()), text)


def one_line(text: str, longest: int) -> str:
    """On one line, without what controls terminals or headers, at most so long."""
    flat = " ".join(_SURROGATE.sub("�", _CONTROL.sub(" ", text)).split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def compose(mail: Mail, sender: str) -> EmailMessage:
    """The message as SMTP wants it. Raises ValueError when `mail.to` is no address."""
    if not is_address(mail.to):
        raise ValueError("not an e-mail address")
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(sender)
    message["To"] = Address(addr_spec=_ascii(mail.to))
    message["Subject"] = one_line(mail.subject, LONGEST_SUBJECT)
    message["Date"] = format_datetime(mail.date)
    message["Message-ID"] = one_line(mail.message_id, LONGEST_ADDRESS)
    message["Auto-Submitted"] = "auto-generated"
    if mail.thread is not None and mail.thread != mail.message_id:
        message["In-Reply-To"] = message["References"] = one_line(mail.thread, LONGEST_ADDRESS)
    if mail.is_repeat:
        message["X-Alarum-Repeat"] = "yes"
    if mail.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{one_line(mail.unsubscribe, LONGEST_LINK)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_storable(mail.text))
    message.add_alternative(_storable(mail.html), subtype="html")
    return message


def envelope_sender(sender: str) -> str:
    """The bare address of `Alarum <alarum@example.org>`."""
    return parseaddr(sender)[1]


def _address(sender: str) -> Address:
    name, address = parseaddr(sender)
    return Address(display_name=one_line(name, 100), addr_spec=address)


def _ascii(address: str) -> str:
    local, _, domain = address.partition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _encodes(address: str) -> bool:
    try:
        _ascii(address)
    except UnicodeError:
        return False
    return True


def _storable(text: str) -> str:
    """NULs and half characters end a mail early, or keep it from being written at all."""
    return _SURROGATE.sub("�", text.replace("\x00", ""))
