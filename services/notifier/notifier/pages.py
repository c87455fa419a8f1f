"""What people see of notifier: the page behind a link in a message (`/answer`), and what `/me` (`me.py`) is made with.

A GET never changes anything: scanners open every link in a mail. The page that opens has the button.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from events.notifier import AnswerAction
from events.shared import Actor, ActorType
from notifier.answers import Answers, Became, Found
from notifier.desk import Knows
from notifier.domain.dossier import AlertState, Dossier
from runtime.access import Access, Caller, caller
from runtime.refusals import Refused
from web.forms import Posted, Values
from web.guards import ApiError
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


AtFront = Annotated[Front, Depends(front_of)]
SignedIn = Annotated[Caller, Depends(caller)]

router: Final = APIRouter()


def viewer_of(user: int, access: Access) -> Viewer:
    """Who looks, for zone and language."""
    person = access.person(user)
    if person is None:
        return Viewer(user, access.name(user))
    return Viewer(user, access.name(user), role=person.role, zone=person.timezone, locale=person.language)


def text_of(form: Values, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def words_of(refused: Refused, field: str) -> str:
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
    pressed = text_of(form, "action")
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
