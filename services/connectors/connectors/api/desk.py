"""What the routes of connectors work with, and who may use them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from connectors.buttons import Buttons
from connectors.configuration import Actions, Connectors
from connectors.outside import Outside
from connectors.projection import Others
from connectors.references import References
from connectors.tokens import hook_path
from events.accounts import Role
from runtime.access import Access, Caller, door_of, require
from runtime.shell import Shell


@dataclass(frozen=True)
class Desk:
    """One per web role."""

    shell: Shell
    connectors: Connectors
    actions: Actions
    buttons: Buttons
    references: References
    outside: Outside

    @property
    def access(self) -> Access:
        return self.references.access

    @property
    def others(self) -> Others:
        return self.references.others

    @property
    def public_url(self) -> str:
        return self.shell.settings.public_url

    def callback(self, connector: int, kind: str) -> str:
        """Where the tool of a connector calls back."""
        return self.public_url + hook_path(kind, connector, self.shell.settings.secret_key.get_secret_value())


async def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def access_of(request: Request) -> Access:
    return door_of(request).access


Admin = Annotated[Caller, Depends(require(Role.ADMIN))]
Reader = Annotated[Caller, Depends(require(Role.RESPONDER))]
AtDesk = Annotated[Desk, Depends(desk_of)]
Knows = Annotated[Access, Depends(access_of)]
