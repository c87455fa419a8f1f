"""What the HTTP edge of notifier stands on: the desk that its routes work with, and who may use it for whom."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from channels import attempts
from events.accounts import Role
from notifier.contacts import Address, Contacts
from notifier.mailer import Post
from notifier.mails import Writer
from runtime.access import Access, Caller, caller, door_of, require
from runtime.gate import Gate
from runtime.shell import Shell
from web.guards import ApiError, Id
from web.words import Tongue


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
