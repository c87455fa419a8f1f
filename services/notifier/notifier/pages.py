"""What people see of notifier: how they are reached (`/me`), and the page behind a link in a message (`/answer`).

A GET never changes anything: scanners open every link in a mail. The page that opens has the button.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, ValidationError

from channels import attempts
from events.notifier import AlertPreferenceType, AnswerAction
from events.shared import Actor, ActorType
from notifier.answers import Answers, Became, Found
from notifier.contacts import Wish
from notifier.desk import AtDesk, Desk, Knows
from notifier.domain.dossier import AlertState, Dossier
from notifier.domain.reach import LONGEST_DELAY_MIN, Preference
from runtime.access import Access, Caller, caller
from runtime.refusals import Refused
from runtime.resources import ResourceId
from web.forms import Values, field_errors, nest
from web.guards import ApiError, Id
from web.pages import Pages, Viewer
from web.session import AnswerLinks, Expired
from web.words import gettext as _
from web.words import noop


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages
    links: AnswerLinks
    answers: Answers


async def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


async def form_of(request: Request) -> Values:
    """The posted fields, nested by their dotted names; texts only."""
    async with request.form() as form:
        return nest((name, value) for name, value in form.multi_items() if isinstance(value, str))


AtFront = Annotated[Front, Depends(front_of)]
Posted = Annotated[Values, Depends(form_of)]
SignedIn = Annotated[Caller, Depends(caller)]

router: Final = APIRouter()


def viewer_of(user: int, access: Access) -> Viewer:
    """Who looks, for zone and language."""
    person = access.person(user)
    if person is None:
        return Viewer(user, access.name(user))
    return Viewer(user, access.name(user), role=person.role, zone=person.timezone, locale=person.language)


# -- me


class PreferenceForm(BaseModel):
    """A preference as the form sends it."""

    type: AlertPreferenceType
    contact: ResourceId
    delay_min: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MIN)]


@dataclass(frozen=True)
class Rule:
    """A preference as a sentence has it: whom it tells, and after how many minutes."""

    preference: Preference
    target: str


@router.get("/me")
async def me(request: Request, who: SignedIn, front: AtFront, desk: AtDesk, access: Knows) -> Response:
    return await _me(request, front, desk, viewer_of(who.user, access))


@router.post("/me/contacts")
async def add_contact(
    request: Request, who: SignedIn, form: Posted, front: AtFront, desk: AtDesk, access: Knows
) -> Response:
    target = _text(form, "target")
    try:
        made = await desk.contacts.add(who.user, target)
    except Refused as refused:
        errors = {"target": _words(refused, "target")}
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


@router.post("/me/preferences")
async def add_preference(
    request: Request, who: SignedIn, form: Posted, front: AtFront, desk: AtDesk, access: Knows
) -> Response:
    try:
        wished = PreferenceForm.model_validate(form)
        await desk.contacts.prefer(who.user, Wish(wished.type, wished.contact, wished.delay_min))
    except ValidationError as error:
        return await _me(request, front, desk, viewer_of(who.user, access), field_errors(error, form), form)
    except Refused as refused:
        errors = {"contact": _words(refused, "contact.id")}
        return await _me(request, front, desk, viewer_of(who.user, access), errors, form)
    return front.pages.redirect(request, "/me", flash=_("The rule was added"))


@router.post("/me/preferences/{preference}/delete")
async def delete_preference(request: Request, preference: Id, who: SignedIn, front: AtFront, desk: AtDesk) -> Response:
    await desk.contacts.drop(who.user, preference)
    return front.pages.redirect(request, "/me", flash=_("The rule was deleted"))


async def _me(
    request: Request,
    front: Front,
    desk: Desk,
    viewer: Viewer,
    errors: Mapping[str, str] | None = None,
    form: Mapping[str, Any] | None = None,
) -> Response:
    chosen = await desk.contacts.choices(viewer.id)
    addresses = chosen.addresses
    rules = [Rule(one, addresses[one.contact].target) for one in chosen.person.preferences]
    values: dict[str, Any] = {
        "addresses": list(addresses.values()),
        "options": [(one.contact.id, one.target) for one in addresses.values()],
        "high": _in_time(rules, AlertPreferenceType.HIGH_PRIORITY),
        "low": _in_time(rules, AlertPreferenceType.LOW_PRIORITY),
        "errors": errors or {},
        "form": {"target": "", "type": "", "contact": "", "delay_min": "0", **(form or {})},
        "longest": LONGEST_DELAY_MIN,
    }
    return front.pages.render(request, "me.html", viewer, status=422 if errors else 200, **values)


def _in_time(rules: Sequence[Rule], kind: AlertPreferenceType) -> list[Rule]:
    mine = [rule for rule in rules if rule.preference.type is kind]
    return sorted(mine, key=lambda rule: rule.preference.delay_min)


def _text(form: Values, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _words(refused: Refused, field: str) -> str:
    """The sentence without the name of the field, which stands beside it."""
    return refused.refusal.message.removeprefix(f"{field}: ")


# -- the page behind a link in a message


@dataclass(frozen=True)
class Button:
    action: str
    word: str


BUTTONS: Final = {
    AnswerAction.ACCEPT: noop("Accept"),
    AnswerAction.ESCALATE: noop("Escalate"),
    AnswerAction.RESOLVE: noop("Resolve"),
}


@router.api_route("/answer/{token}", methods=["GET", "HEAD"])
async def answer_page(request: Request, token: str, front: AtFront, access: Knows) -> Response:
    """How the alert stands, and a button. Changes nothing, however often it is opened."""
    found = await _found(token, front)
    known = found.dossier
    notice = _standing(known, found.ticket.user, access)
    return _answer_page(request, front, access, found, _action(found), known, notice, kind="info")


@router.post("/answer/{token}")
async def give_answer(request: Request, token: str, form: Posted, front: AtFront, access: Knows) -> Response:
    """Record the answer of the button that was pressed, and say what became of it."""
    found = await _found(token, front)
    action = _pressed(form, found)
    became = await front.answers.give(found, action)
    said = _said(became, found.ticket.user, access)
    kind = "info" if became.outcome == "RECORDED" and not became.is_so_already else "good"
    return _answer_page(request, front, access, found, None, _shown(became), said, kind=kind)


def _shown(became: Became) -> Dossier:
    """What the reader just did is what they see, though this service may hear of it a moment later."""
    if became.said is None or became.outcome not in {AlertState.ACCEPTED, AlertState.RESOLVED}:
        return became.dossier
    return replace(became.dossier, state=AlertState(became.outcome), since=became.said.at)


async def _found(token: str, front: Front) -> Found:
    match front.links.read(token):
        case None:
            raise ApiError(
                404, "NOT_FOUND", _("This link is not complete, or not one of ours. Copy it whole, or sign in.")
            )
        case Expired():
            raise ApiError(410, "EXPIRED", _("This link is older than seven days. Sign in to answer the alert."))
        case ticket:
            found = await front.answers.find(ticket)
    if found is None:
        raise ApiError(404, "NOT_FOUND", _("The message that this link came with is not known here."))
    return found


def _action(found: Found) -> AnswerAction:
    return AnswerAction[found.ticket.action.name]


def _pressed(form: Values, found: Found) -> AnswerAction:
    """The link lets its reader answer the message; which button they press is theirs to choose."""
    pressed = _text(form, "action")
    if not pressed:
        return _action(found)
    if pressed not in AnswerAction.__members__:
        raise ApiError(400, "VALIDATION_ERROR", "action: must be one of ACCEPT, ESCALATE, RESOLVE")
    return AnswerAction[pressed]


def _answer_page(
    request: Request,
    front: Front,
    access: Access,
    found: Found,
    action: AnswerAction | None,
    known: Dossier,
    notice: str | None,
    *,
    kind: str,
) -> Response:
    """`action` is the big button; after an answer there is none, only what can still be done."""
    offered = _offered(known, action)
    values: dict[str, Any] = {
        "known": known,
        "main": offered.get(action) if action else None,
        "others": [button for one, button in offered.items() if one is not action],
        "notice": notice,
        "notice_kind": kind,
        "answered": action is None,
    }
    viewer = viewer_of(found.ticket.user, access)
    return front.pages.render(request, "answer.html", viewer, headers={"X-Robots-Tag": "noindex"}, **values)


def _offered(known: Dossier, action: AnswerAction | None) -> dict[AnswerAction, Button]:
    """What can still be done: nothing once it is resolved; a second acceptance only where the link is for it."""
    if known.state is AlertState.RESOLVED:
        return {}
    done = {AnswerAction.ACCEPT} if known.state is AlertState.ACCEPTED and action is not AnswerAction.ACCEPT else set()
    return {one: Button(one.value, _(word)) for one, word in BUTTONS.items() if one not in done}


def _standing(known: Dossier, me: int, access: Access) -> str | None:
    match known.state:
        case AlertState.ACCEPTED:
            return _sentence(noop("Already accepted by %(who)s"), known, me, access)
        case AlertState.RESOLVED:
            return _sentence(noop("Already resolved by %(who)s"), known, me, access)
        case AlertState.PENDING:
            return None


def _said(became: Became, me: int, access: Access) -> str:
    match became.outcome:
        case "ACCEPTED":
            return _("Accepted by you")
        case "RESOLVED":
            return _("Resolved by you")
        case "ESCALATED":
            return _("Escalated: whoever is next is called now")
        case "RECORDED" if not became.is_so_already:
            return _("Your answer is recorded; it takes effect in a moment")
        case _:
            return _standing(became.dossier, me, access) or _("Nothing had to change: somebody was faster")


def _sentence(words: str, known: Dossier, me: int, access: Access) -> str:
    return _(words) % {"who": _who(known.by, me, access)}


def _who(by: Actor | None, me: int, access: Access) -> str:
    match by:
        case Actor(type=ActorType.USER, user=user) if user is not None:
            return _("you") if user == me else access.name(user)
        case Actor(type=ActorType.SOURCE):
            return _("the monitoring tool")
        case _:
            return _("a rule")
