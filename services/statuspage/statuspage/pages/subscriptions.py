"""The buttons «Subscribe» and «Leave», and the list of others, on the pages of incidents, services and status pages."""

from typing import Final

from fastapi import APIRouter, Request, Response

from events.statuspage import Subject
from runtime.refusals import invalid_field
from runtime.resources import LARGEST_ID
from statuspage.desk import Anybody, AtDesk
from statuspage.domain.subscription import About, Who
from statuspage.pages.front import AtFront
from statuspage.subscriptions import ADDRESSES
from web.forms import Posted, Values
from web.guards import Id
from web.words import gettext as _

router: Final = APIRouter()


def _serve(subject: Subject) -> None:
    """The routes of one kind of thing; all lead back to its page."""
    base = f"{ADDRESSES[subject]}/{{number}}"

    def back(number: int) -> str:
        return f"{ADDRESSES[subject]}/{number}#subscription"

    @router.post(f"{base}/subscription")
    async def subscribe(
        request: Request, number: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted
    ) -> Response:
        """Subscribe oneself, or (`op` is `leave`) leave."""
        about, own = About(subject, number), Who(user=caller.user)
        if form.get("op") == "leave":
            await desk.subscriptions.remove(about, own, caller)
            return front.pages.redirect(request, back(number), _("You are not told of it any more"))
        await desk.subscriptions.add(about, [own], caller)
        return front.pages.redirect(request, back(number), _("You are told of it from now on"))

    @router.post(f"{base}/subscribers")
    async def add(
        request: Request, number: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted
    ) -> Response:
        await desk.subscriptions.add(About(subject, number), [_who(form)], caller)
        return front.pages.redirect(request, back(number), _("Added"))

    @router.post(f"{base}/subscribers/delete")
    async def remove(
        request: Request, number: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted
    ) -> Response:
        await desk.subscriptions.remove(About(subject, number), _who(form), caller)
        return front.pages.redirect(request, back(number), _("Removed"))


def _who(form: Values) -> Who:
    """`user:7` or `team:3`. Raises `Refused`."""
    kind, _colon, text = str(form.get("who", "")).partition(":")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if kind not in ("user", "team") or not 1 <= number <= LARGEST_ID:
        raise invalid_field("who", "must be a user or a team")
    return Who(user=number) if kind == "user" else Who(team=number)


for _subject in Subject:
    _serve(_subject)
