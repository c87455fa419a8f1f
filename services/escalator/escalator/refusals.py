"""A refusal that must leave nothing behind: raised inside a unit of work, it rolls the whole unit back."""

from typing import Final

from events.core import Event, Outcome, Refusal

STATUS_OF: Final = {"NOT_FOUND": 404, "FORBIDDEN": 403, "IN_USE": 409}
"""HTTP statuses by code; every other refusal is a 400."""


class Refused(Exception):
    """What was asked is not carried out; `refusal` has the code and the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal

    @property
    def status(self) -> int:
        return STATUS_OF.get(self.refusal.code, 400)


def granted(outcome: Outcome) -> list[Event]:
    """The events that were decided. Raises `Refused`."""
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return outcome


def missing(what: str) -> Refused:
    return Refused(Refusal("NOT_FOUND", f"There is no {what}"))


def invalid(field: str, rule: str) -> Refused:
    """`field` by its name in the API, `rule` as the end of a sentence about it."""
    return Refused(Refusal("VALIDATION_ERROR", f"{field}: {rule}"))


def forbidden(why: str) -> Refused:
    return Refused(Refusal("FORBIDDEN", why))
