"""A refusal that must leave nothing behind: raised inside a unit of work, it rolls the whole unit back."""

from typing import Final

from events.core import Event, Outcome, Refusal

STATUS_OF: Final = {
    "NOT_FOUND": 404,
    "FORBIDDEN": 403,
    "VALIDATION_ERROR": 400,
    "OVERRIDE_IN_THE_PAST": 400,
    "SHIFT_IN_THE_PAST": 400,
    "SCHEDULE_HAS_GAPS": 400,
    "PRECONDITION_FAILED": 412,
}
"""HTTP statuses by code; every other refusal is a 409: what was asked conflicts with how things stand."""


class Refused(Exception):
    """What was asked is not carried out; `refusal` has the code and the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal

    @property
    def status(self) -> int:
        """The HTTP status that says so."""
        return STATUS_OF.get(self.refusal.code, 409)


def granted(outcome: Outcome) -> list[Event]:
    """The events that were decided. Raises `Refused`."""
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return outcome


def invalid(message: str) -> Refused:
    """A wish that names something that is not there, or that contradicts itself."""
    return Refused(Refusal("VALIDATION_ERROR", message))


def invalid_field(field: str, rule: str) -> Refused:
    """`field` by its name in the API, `rule` as the end of a sentence about it."""
    return invalid(f"{field}: {rule}")


def missing(message: str) -> Refused:
    return Refused(Refusal("NOT_FOUND", message))


def forbidden(message: str) -> Refused:
    return Refused(Refusal("FORBIDDEN", message))
