"""A refusal that must leave nothing behind: raised inside a unit of work, it rolls the whole unit back."""

from events.core import Event, Outcome, Refusal


class Refused(Exception):
    """What was asked is not carried out; `refusal` has the code and the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def granted(outcome: Outcome) -> list[Event]:
    """The events that were decided. Raises `Refused`."""
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return outcome


def invalid(message: str) -> Refused:
    """A wish that names something that is not there, or that contradicts itself."""
    return Refused(Refusal("VALIDATION_ERROR", message))


def missing(message: str) -> Refused:
    return Refused(Refusal("NOT_FOUND", message))
