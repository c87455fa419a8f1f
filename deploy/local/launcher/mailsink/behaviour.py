"""What the mail server was told to do to some mails: refuse, be busy, be slow. For tests of whoever sends to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Reply = Annotated[str, StringConstraints(pattern=r"^[245]\d\d [\x20-\x7e]+$")]


class Behaviour(BaseModel):
    """One wish. It concerns recipients whose address contains `match`, the next `times` times (None: until cleared)."""

    model_config = ConfigDict(extra="forbid")

    rcpt_reply: Reply | None = None  # instead of «250 OK» to RCPT TO
    data_reply: Reply | None = None  # instead of «250 OK» to the mail itself, which is then not kept
    delay_s: float = 0.0  # before the answer
    match: str = ""
    times: int | None = None


@dataclass
class Mood:
    """The wishes in force, oldest first."""

    wishes: list[Behaviour] = field(default_factory=list)

    def at_rcpt(self, address: str) -> Behaviour | None:
        """The wish for this recipient; taking it uses one of its times."""
        return self._take(address, lambda wish: wish.rcpt_reply is not None)

    def at_data(self, addresses: list[str]) -> Behaviour | None:
        """The wish for a mail to these recipients; taking it uses one of its times."""
        return next((wish for to in addresses if (wish := self._take(to, lambda wish: wish.rcpt_reply is None))), None)

    def _take(self, address: str, concerns: Callable[[Behaviour], bool]) -> Behaviour | None:
        for number, wish in enumerate(self.wishes):
            if wish.match in address and concerns(wish):
                self._use(number, wish)
                return wish
        return None

    def _use(self, number: int, wish: Behaviour) -> None:
        if wish.times is None:
            return
        if wish.times <= 1:
            del self.wishes[number]
        else:
            self.wishes[number] = wish.model_copy(update={"times": wish.times - 1})
