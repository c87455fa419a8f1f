"""A refusal that must leave nothing behind: raised inside a unit of work, it rolls the whole unit back."""

from events.core import Event, Outcome, Refusal


class NotGranted(Exception):
    """What was asked is not carried out; `refusal` has the code and the sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message)


def granted(outcome: Outcome) -> list[Event]:
    """The events that were decided. Raises `NotGranted`."""
    if isinstance(outcome, Refusal):
        raise NotGranted(outcome.code, outcome.message)
    return outcome
