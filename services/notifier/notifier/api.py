"""The REST edge of notifier: contacts, notification preferences, and what was sent for an alert, in the published shapes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from channels import attempts
from events.accounts import Role
from notifier.contacts import Address, Contacts
from notifier.domain.dossier import Dossier
from notifier.domain.page import Paging
from notifier.mailer import Post
from notifier.mails import Writer
from notifier.planning import page_number, read_dossiers
from notifier.shapes import (
    EmailBody,
    EmailResource,
    NotificationResource,
    PreferenceBody,
    PreferenceResource,
    TestResource,
)
from notifier.streams import PAGE
from runtime.access import Access, Caller, caller, door_of, require
from runtime.gate import Gate
from runtime.resources import answer, no_content
from runtime.shell import Shell
from runtime.unit import Unit
from web.guards import ApiError, Id
from web.words import Tongue

BARRIER_S: Final = 2.0


@dataclass(frozen=True)
class Desk:
    """What the routes work with. `gate` waits until our worker has read what `alerts` holds."""

    shell: Shell
    contacts: Contacts
    writer: Writer
    post: Post
    gate: Gate

    async def test(self, user: int, address: Address, access: Access) -> attempts.Attempt:
        """Send a mail to this address now, and say what became of it."""
        person = access.person(user)
        tongue = Tongue(person.timezone, person.language) if person else Tongue()
        now = self.shell.clock.now()
        return await self.post.send(self.writer.write_test(address.target, address.contact.id, now, tongue))


async def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def access_of(request: Request) -> Access:
    return door_of(request).access


async def owner(user: Id, caller: Annotated[Caller, Depends(caller)]) -> int:
    """The user in the path: the caller's own self, or anybody for an administrator."""
    if caller.user != user and not caller.is_at_least(Role.ADMIN):
        raise ApiError(403, "FORBIDDEN", "This is for the user themselves, or for an administrator")
    return user


Owner = Annotated[int, Depends(owner)]
Responder = Annotated[Caller, Depends(require(Role.RESPONDER))]
AtDesk = Annotated[Desk, Depends(desk_of)]
Knows = Annotated[Access, Depends(access_of)]

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


# -- preferences

PREFERENCES: Final = "/api/users/{user}/notification-preferences/alerts"


@router.get(
    PREFERENCES, summary="List a user's notification preferences for alerts", response_model=list[PreferenceResource]
)
async def preferences(user: Owner, desk: AtDesk) -> Response:
    return answer(await _preferences(desk, user))


@router.post(
    PREFERENCES, summary="Add a notification preference for alerts", response_model=PreferenceResource, status_code=201
)
async def add_preference(user: Owner, body: PreferenceBody, desk: AtDesk) -> Response:
    number = await desk.contacts.prefer(user, body.wish)
    location = f"{desk.shell.settings.public_url}/api/users/{user}/notification-preferences/alerts/{number}"
    return answer(await _preference(desk, user, number), 201, location=location)


@router.get(
    PREFERENCES + "/{preference}", summary="Get a notification preference for alerts", response_model=PreferenceResource
)
async def preference(user: Owner, preference: Id, desk: AtDesk) -> Response:
    return answer(await _preference(desk, user, preference))


@router.put(
    PREFERENCES + "/{preference}",
    summary="Replace a notification preference for alerts",
    response_model=PreferenceResource,
)
async def change_preference(user: Owner, preference: Id, body: PreferenceBody, desk: AtDesk) -> Response:
    await desk.contacts.prefer(user, body.wish, preference)
    return answer(await _preference(desk, user, preference))


@router.delete(PREFERENCES + "/{preference}", summary="Delete a notification preference for alerts", status_code=204)
async def delete_preference(user: Owner, preference: Id, desk: AtDesk) -> Response:
    await desk.contacts.drop(user, preference)
    return no_content()


async def _preferences(desk: Desk, user: int) -> list[PreferenceResource]:
    wishes, addresses = await desk.contacts.preferences(user)
    return [PreferenceResource.of(one, addresses[one.contact]) for one in wishes]


async def _preference(desk: Desk, user: int, number: int) -> PreferenceResource:
    found = next((one for one in await _preferences(desk, user) if one.id == number), None)
    if found is None:
        raise ApiError(404, "NOT_FOUND", f"There is no preference {number}")
    return found


# -- an alert's notifications


@router.get(
    "/api/alerts/{alert}/notifications",
    summary="List an alert's notifications",
    response_model=list[NotificationResource],
)
async def notifications(alert: Id, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    """What is planned, was sent, failed or was suppressed, in the order in which it was planned."""
    known = await _dossier(desk, alert)
    if not access.may_see(caller, known.teams):
        raise _no_alert(alert)
    found = [
        NotificationResource.of(alert, known.summary, page.user, one, access)
        for page in await _pages(desk, known)
        for one in page.notifications
    ]
    in_order = sorted(found, key=lambda one: one.id)
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
