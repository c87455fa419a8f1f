"""From raw mails to a folder that holds the last 2,000 of them, and to what the page and the API say about each."""

import base64
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path
from typing import Any

KEPT = 2_000


@dataclass(frozen=True)
class Mail:
    """One mail as it came. `sender` and `recipients` are the envelope's: who really was to get it."""

    id: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @cached_property
    def parsed(self) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.raw)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The first of each name. A header that cannot be decoded is shown as it came."""
        found: dict[str, str] = {}
        for name, raw in self.parsed.raw_items():
            if name not in found:
                found[name] = _decoded(self.parsed, name, raw)
        return found

    @cached_property
    def text(self) -> str | None:
        return _body(self.parsed, "plain")

    @cached_property
    def html(self) -> str | None:
        return _body(self.parsed, "html")

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    @cached_property
    def described(self) -> dict[str, Any]:
        """The API's form: `to` is the envelope's, the header of that name is among `headers`."""
        return {
            "id": self.id,
            "receivedAt": self.received_at.isoformat(),
            "from": self.header("From") or self.sender,
            "to": list(self.recipients),
            "subject": self.header("Subject"),
            "date": self.header("Date"),
            "headers": self.headers,
            "text": self.text,
            "html": self.html,
        }


class Mailbox:
    """Mails newest first, each a file in the folder, so that a restart finds them."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder = folder
        self._kept = kept
        folder.mkdir(parents=True, exist_ok=True)
        self._mails = {mail.id: mail for mail in map(_read, sorted(folder.glob("*.json"))) if mail is not None}
        self._last = max([_number(folder / "last"), *self._mails])

    def add(self, sender: str, recipients: Sequence[str], raw: bytes) -> Mail:
        """Keep a mail, on disk before this returns; the oldest makes room."""
        self._last += 1
        mail = Mail(self._last, datetime.now(UTC), sender, tuple(recipients), raw)
        _write(self._file(mail.id), mail)
        self._mails[mail.id] = mail
        while len(self._mails) > self._kept:
            self._remove(next(iter(self._mails)))
        return mail

    def get(self, number: int) -> Mail | None:
        return self._mails.get(number)

    def newest(self, to: str = "", limit: int = KEPT) -> list[Mail]:
        """Newest first; `to` is a piece of a recipient's address."""
        found = (mail for mail in reversed(self._mails.values()) if any(to in address for address in mail.recipients))
        return [mail for mail, _ in zip(found, range(limit), strict=False)]

    def clear(self) -> None:
        """Forget all; numbers are not used again."""
        (self._folder / "last").write_text(str(self._last))
        for number in list(self._mails):
            self._remove(number)

    def _remove(self, number: int) -> None:
        del self._mails[number]
        self._file(number).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:010}.json"


def _write(file: Path, mail: Mail) -> None:
    content = {
        "id": mail.id,
        "received_at": mail.received_at.isoformat(),
        "sender": mail.sender,
        "recipients": mail.recipients,
        "raw": base64.b64encode(mail.raw).decode(),
    }
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(file)


def _read(file: Path) -> Mail | None:
    """None for what is no mail of ours: one bad file must not hide the others."""
    try:
        content = json.loads(file.read_text())
        received = datetime.fromisoformat(content["received_at"])
        recipients = tuple(content["recipients"])
        return Mail(content["id"], received, content["sender"], recipients, base64.b64decode(content["raw"]))
    except (ValueError, KeyError, TypeError):
        return None


def _number(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    return 0


def _decoded(message: EmailMessage, name: str, raw: object) -> str:
    try:
        return str(message[name])
    except Exception:  # noqa: BLE001 - the standard library's parser raises whatever it stumbles over
        return str(raw)


def _body(message: EmailMessage, kind: str) -> str | None:
    """The part of this kind, its lines ended by a newline alone."""
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        text = str(part.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows, or bytes that are not of it
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)
    return text.replace("\r\n", "\n")
