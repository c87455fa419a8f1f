"""The page «my notifications» (`/me`): a person's addresses, and for each occasion the rules by which they are told.

Every form works without a script; what is wrong stands at its field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError

from channels import attempts
from events.notifier import AlertPreferenceType, UpdatePreferenceType
from notifier.contacts import Address, AnyWish, Choices, DutyWish, Kind, SubscriptionWish, UpdateWish, Wish
from notifier.desk import AtDesk, Desk, Knows
from notifier.domain.reach import (
    BEFORE_MIN,
    LONGEST_DELAY_MIN,
    AnyPreference,
    DutyPreference,
    Preference,
    SubscriptionPreference,
    UpdatePreference,
)
from notifier.pages import AtFront, Front, SignedIn, text_of, viewer_of, words_of
from runtime.refusals import Refused
from runtime.resources import ResourceId
from web import words
from web.forms import Posted, Values, field_errors
from web.guards import ApiError, Id
from web.pages import Viewer
from web.words import Tongue, noop
from web.words import gettext as _

router: Final = APIRouter()

# -- forms: each names its fields apart, since all stand on one page


class AlertForm(BaseModel):
    """A rule for alerts as its form sends it."""

    type: AlertPreferenceType
    contact: ResourceId
    delay_min: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MIN)]

    @property
    def wish(self) -> AnyWish:
        return Wish(self.type, self.contact, self.delay_min)


class UpdateForm(BaseModel):
    """A rule for what others do with an alert."""

    update_type: UpdatePreferenceType
    update_contact: ResourceId

    @property
    def wish(self) -> AnyWish:
        return UpdateWish(self.update_type, self.update_contact)


class DutyForm(BaseModel):
    """A rule for duties ahead."""

    duty_before: int
    duty_contact: ResourceId

    @property
    def wish(self) -> AnyWish:
        return DutyWish(self.duty_contact, self.duty_before)


class SubscriptionForm(BaseModel):
    """A rule for what was subscribed to."""

    subscription_contact: ResourceId

    @property
    def wish(self) -> AnyWish:
        return SubscriptionWish(self.subscription_contact)


AnyForm = type[AlertForm] | type[UpdateForm] | type[DutyForm] | type[SubscriptionForm]


@dataclass(frozen=True)
class Occasion:
    """What one kind of rule is made with: its form, its fields by their names in the API, what it says when it is there."""

    kind: Kind
    form: AnyForm
    fields: Mapping[str, str]

    def errors(self, refused: Refused) -> dict[str, str]:
        """The refusal at the field that it names, else at the address."""
        named = refused.refusal.message.partition(":")[0]
        name = named if named in self.fields else "contact.id"
        return {self.fields[name]: words_of(refused, named)}


OCCASIONS: Final = {
    "preferences": Occasion(Preference, AlertForm, {"contact.id": "contact", "delayMin": "delay_min"}),
    "updates": Occasion(UpdatePreference, UpdateForm, {"contact.id": "update_contact"}),
    "duties": Occasion(DutyPreference, DutyForm, {"contact.id": "duty_contact", "beforeMin": "duty_before"}),
    "subscriptions": Occasion(SubscriptionPreference, SubscriptionForm, {"contact.id": "subscription_contact"}),
}
EMPTY: Final = {
    "target": "",
    "type": "",
    "contact": "",
    "delay_min": "0",
    "update_type": "",
    "update_contact": "",
    "duty_before": "15",
    "duty_contact": "",
    "subscription_contact": "",
}
UPDATES: Final = {
    UpdatePreferenceType.ALERT_ACCEPTED: noop("Somebody accepts it"),
    UpdatePreferenceType.ALERT_RESOLVED: noop("It is resolved"),
    UpdatePreferenceType.ALERT_ESCALATED: noop("It is escalated"),
}


@dataclass(frozen=True)
class Rule:
    """A preference as a sentence has it: `when` in words, and whom it tells."""

    preference: AnyPreference
    when: str
    target: str


# -- the page


@router.get("/me")
async def me(request: Request, who: SignedIn, front: AtFront, desk: AtDesk, access: Knows) -> Response:
    return await _me(request, front, desk, viewer_of(who.user, access))


async def _me(
    request: Request,
    front: Front,
    desk: Desk,
    viewer: Viewer,
    errors: Mapping[str, str] | None = None,
    form: Mapping[str, Any] | None = None,
) -> Response:
    chosen = await desk.contacts.choices(viewer.id)
    with words.speaking(Tongue(viewer.zone, viewer.locale)):
        values = _values(chosen) | {"errors": errors or {}, "form": {**EMPTY, **(form or {})}}
    return front.pages.render(request, "me.html", viewer, status=422 if errors else 200, **values)


def _values(chosen: Choices) -> dict[str, Any]:
    person, addresses = chosen.person, chosen.addresses
    return {
        "addresses": list(addresses.values()),
        "options": [(one.contact.id, one.target) for one in addresses.values()],
        "high": _alert_rules(chosen, AlertPreferenceType.HIGH_PRIORITY),
        "low": _alert_rules(chosen, AlertPreferenceType.LOW_PRIORITY),
        "updates": [_rule(one, _(UPDATES[one.type]), addresses) for one in person.updates],
        "update_types": [(kind.value, _(word)) for kind, word in UPDATES.items()],
        "duties": [_rule(one, _before(one.before_min), addresses) for one in _by_lead(person.duties)],
        "befores": [(minutes, _before(minutes)) for minutes in BEFORE_MIN],
        "subscriptions": [_rule(one, _("At once"), addresses) for one in person.subscriptions],
        "longest": LONGEST_DELAY_MIN,
    }


def _alert_rules(chosen: Choices, kind: AlertPreferenceType) -> list[Rule]:
    mine = [one for one in chosen.person.preferences if one.type is kind]
    in_time = sorted(mine, key=lambda one: one.delay_min)
    return [_rule(one, _after(one.delay_min), chosen.addresses) for one in in_time]


def _rule(preference: AnyPreference, when: str, addresses: Mapping[int, Address]) -> Rule:
    return Rule(preference, when, addresses[preference.contact].target)


def _by_lead(duties: Iterable[DutyPreference]) -> Sequence[DutyPreference]:
    """The earliest reminder first."""
    return sorted(duties, key=lambda one: -one.before_min)


def _after(minutes: int) -> str:
    if minutes == 0:
        return _("At once")
    return _("%(count)s minutes after you are called, unless somebody answered") % {"count": minutes}


def _before(minutes: int) -> str:
    if minutes == 0:
        return _("When it begins")
    return _("%(length)s before it begins") % {"length": words.duration(timedelta(minutes=minutes))}


# -- addresses


@router.post("/me/contacts")
async def add_contact(
    request: Request, who: SignedIn, form: Posted, front: AtFront, desk: AtDesk, access: Knows
) -> Response:
    target = text_of(form, "target")
    try:
        made = await desk.contacts.add(who.user, target)
    except Refused as refused:
        errors = {"target": words_of(refused, "target")}
        return await _me(request, front, desk, viewer_of(who.user, access), errors, {"target": target})
    added = _("%(address)s was added. Send a test to see whether it can be reached.") % {"address": made.target}
    return front.pages.redirect(request, "/me", flash=added)


@router.post("/me/contacts/{contact}/delete")
async def delete_contact(request: Request, contact: Id, who: SignedIn, front: AtFront, desk: AtDesk) -> Response:
    await desk.contacts.remove(who.user, contact)
    return front.pages.redirect(request, "/me", flash=_("The address was deleted"))


@router.post("/me/contacts/{contact}/test")
async def test_contact(
    request: Request, contact: Id, who: SignedIn, front: AtFront, desk: AtDesk, access: Knows
) -> Response:
    attempt = await desk.test(who.user, await desk.contacts.address(who.user, contact), access)
    return front.pages.redirect(request, "/me", flash=_tested(attempt))


def _tested(attempt: attempts.Attempt) -> str:
    match attempt:
        case attempts.Sent(reply):
            return _("The mail server took the test: %(reply)s") % {"reply": reply}
        case attempts.Later(error) | attempts.Refused(error):
            return _("The test could not be sent: %(error)s") % {"error": error}


# -- rules


@router.post("/me/{occasion}")
async def add_rule(
    request: Request, occasion: str, who: SignedIn, form: Posted, front: AtFront, desk: AtDesk, access: Knows
) -> Response:
    known = _occasion(occasion)
    try:
        await desk.contacts.prefer(who.user, known.form.model_validate(form).wish)
    except ValidationError as error:
        return await _me(request, front, desk, viewer_of(who.user, access), field_errors(error, form), _texts(form))
    except Refused as refused:
        return await _me(request, front, desk, viewer_of(who.user, access), known.errors(refused), _texts(form))
    return front.pages.redirect(request, "/me", flash=_("The rule was added"))


@router.post("/me/{occasion}/{preference}/delete")
async def delete_rule(
    request: Request, occasion: str, preference: Id, who: SignedIn, front: AtFront, desk: AtDesk
) -> Response:
    await desk.contacts.drop(who.user, preference, _occasion(occasion).kind)
    return front.pages.redirect(request, "/me", flash=_("The rule was deleted"))


def _occasion(name: str) -> Occasion:
    if name not in OCCASIONS:
        raise ApiError(404, "NOT_FOUND", _("There is no such page"))
    return OCCASIONS[name]


def _texts(form: Values) -> dict[str, str]:
    """What was typed; a field that came as a group is shown empty."""
    return {name: value for name, value in form.items() if isinstance(value, str)}
