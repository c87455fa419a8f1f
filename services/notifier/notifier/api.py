"""The REST edge of notifier: contacts, and what was sent for an alert, in the published shapes.

Notification preferences are `preferences.py`'s.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Response

from channels import attempts
from notifier.desk import AtDesk, Desk, Knows, Owner, Responder
from notifier.domain.dossier import Dossier
from notifier.domain.notice import Known
from notifier.domain.page import Paging
from notifier.notices import notices_of
from notifier.planning import page_number, read_dossiers
from notifier.shapes import EmailBody, EmailResource, NotificationResource, TestResource
from notifier.streams import PAGE
from runtime.resources import answer, no_content
from runtime.unit import Unit
from web.guards import ApiError, Id

BARRIER_S: Final = 2.0

router: Final = APIRouter()

# -- contacts

EMAILS: Final = "/api/users/{user}/contacts/emails"


@router.get(EMAILS, summary="List a user's e-mail contacts", response_model=list[EmailResource])
async def emails(user: Owner, desk: AtDesk) -> Response:
    return answer([EmailResource.of(one) for one in await desk.contacts.addresses(user)])


@router.post(EMAILS, summary="Add an e-mail contact", response_model=EmailResource, status_code=201)
async def add_email(user: Owner, body: EmailBody, desk: AtDesk) -> Response:
    made = await desk.contacts.add(user, body.target)
    location = f"{desk.shell.settings.public_url}/api/users/{user}/contacts/emails/{made.contact.id}"
    return answer(EmailResource.of(made), 201, location=location)


@router.post(
    EMAILS + "/search-target", summary="Find a user's e-mail contact by its address", response_model=EmailResource
)
async def search_email(user: Owner, body: EmailBody, desk: AtDesk) -> Response:
    wanted = body.target.strip().casefold()
    for one in await desk.contacts.addresses(user):
        if one.target.casefold() == wanted:
            return answer(EmailResource.of(one))
    raise ApiError(404, "NOT_FOUND", "This user has no contact with this address")


@router.get(EMAILS + "/{contact}", summary="Get an e-mail contact", response_model=EmailResource)
async def email(user: Owner, contact: Id, desk: AtDesk) -> Response:
    return answer(EmailResource.of(await desk.contacts.address(user, contact)))


@router.put(EMAILS + "/{contact}", summary="Replace an e-mail contact", response_model=EmailResource)
async def change_email(user: Owner, contact: Id, body: EmailBody, desk: AtDesk) -> Response:
    return answer(EmailResource.of(await desk.contacts.change(user, contact, body.target)))


@router.delete(EMAILS + "/{contact}", summary="Delete an e-mail contact", status_code=204)
async def delete_email(user: Owner, contact: Id, desk: AtDesk) -> Response:
    await desk.contacts.remove(user, contact)
    return no_content()


@router.post(EMAILS + "/{contact}/test", summary="Send a test mail to a contact", response_model=TestResource)
async def test_email(user: Owner, contact: Id, desk: AtDesk, access: Knows) -> Response:
    """Send a test mail and say what became of it (an extension of the published API)."""
    return answer(tested(await desk.test(user, await desk.contacts.address(user, contact), access)))


def tested(attempt: attempts.Attempt) -> TestResource:
    match attempt:
        case attempts.Sent(reply):
            return TestResource(status="SUCCESS", reply=reply)
        case attempts.Later(error) | attempts.Refused(error):
            return TestResource(status="ERROR", error_message=error)


# -- an alert's notifications


@router.get(
    "/api/alerts/{alert}/notifications",
    summary="List an alert's notifications",
    response_model=list[NotificationResource],
)
async def notifications(alert: Id, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    """What is planned, was sent, failed or was suppressed, in the order in which it was planned: to those who were asked
    to answer, and to those who are told what others did."""
    known = await _dossier(desk, alert)
    if not access.may_see(caller, known.teams):
        raise _no_alert(alert)
    asked = [
        NotificationResource.of(alert, known.summary, page.user, one, access)
        for page in await _pages(desk, known)
        for one in page.notifications
    ]
    told = [NotificationResource.of_notice(alert, known.summary, one, access) for one in await _notices(desk, alert)]
    in_order = sorted([*asked, *told], key=lambda one: one.id)
    return answer(in_order)


async def _dossier(desk: Desk, alert: int) -> Dossier:
    """An alert of a moment ago may not have been read yet: our worker gets two seconds for it."""
    known = await _look(desk, alert)
    if known.version == 0:
        try:
            async with asyncio.timeout(BARRIER_S):
                await desk.gate.pass_()
        except TimeoutError:
            raise ApiError(503, "UNAVAILABLE", "This cannot be known right now; try again in a moment") from None
        known = await _look(desk, alert)
    if known.version == 0:
        raise _no_alert(alert)
    return known


def _no_alert(alert: int) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"There is no alert {alert}")


async def _look(desk: Desk, alert: int) -> Dossier:
    return (await desk.shell.run(lambda unit: read_dossiers(unit, [alert])))[alert]


async def _pages(desk: Desk, known: Dossier) -> Sequence[Paging]:
    async def find(unit: Unit) -> list[Paging]:
        pages = await unit.peek(PAGE, [page_number(known.alert, user) for user in known.users])
        return [page.state for page in pages.values() if isinstance(page.state, Paging)]

    return await desk.shell.run(find)


async def _notices(desk: Desk, alert: int) -> Sequence[Known]:
    return await desk.shell.run(lambda unit: notices_of(unit, alert))
