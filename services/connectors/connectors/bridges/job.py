"""What a bridge works on: one run with everything that it needs, secrets and all. It lives for one attempt."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connectors.domain.runs import Made, Run
from connectors.domain.templates import facts_of
from connectors.outside import Outside
from runtime.deliveries import Result


@dataclass(frozen=True)
class Job:
    """`params` are the action's, `tool` the connector's, both as they were written.

    `made` is what this action made for this alert before; `is_repeat`: an attempt of this run may have succeeded
    already. `url` is where people see the alert, `public_url` where Alarum is.
    """

    run: Run
    at: datetime
    public_url: str
    params: Mapping[str, Any] = field(repr=False)
    tool: Mapping[str, Any] = field(default_factory=dict, repr=False)
    made: Made | None = None
    is_repeat: bool = False

    @property
    def url(self) -> str:
        return f"{self.public_url}/alerts/{self.run.alert}"

    @property
    def facts(self) -> dict[str, str]:
        """What a template may name."""
        return facts_of(self.run.alert, self.run.picture, self.run.trigger, self.url)

    def text_of(self, name: str) -> str:
        """A parameter as a text; empty when it is absent."""
        value = self.params.get(name)
        return value if isinstance(value, str) else ""


class Bridge(Protocol):
    """One attempt. May raise `TargetRefused` and `Away`; everything else is a result."""

    def __call__(self, outside: Outside, job: Job) -> Awaitable[Result]: ...
