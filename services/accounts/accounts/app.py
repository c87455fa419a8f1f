"""The wiring of accounts: settings and adapters come in, the role `accounts.web` goes out."""

from collections.abc import Sequence

from fastapi import FastAPI

from accounts import api, pages
from accounts.api import Desk
from accounts.apikeys import Apikeys
from accounts.first_admin import FirstAdmin, Wanted
from accounts.indexes import Reindex
from accounts.pages.front import Front
from accounts.passwords import Passwords
from accounts.people import Keys, People
from accounts.sign_in import SignIn
from accounts.streams import KINDS
from accounts.teams import Teams
from accounts.throttle import Throttle
from events.topics import ACCOUNTS, PEOPLE, VAULTS
from runtime.access import Access, Door
from runtime.audit import Audit
from runtime.edge import install_refusals
from runtime.ports import Broker, Clock, Ledger
from runtime.restore import Restore
from runtime.role import Part, Role
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.views import Tail
from runtime.wiring import people_keys_of, real, vault_of
from web.errors import answer
from web.guards import ApiError, SignInNeeded, install
from web.pages import Pages, environment
from web.session import Sessions

OWN = (ACCOUNTS, PEOPLE, VAULTS["accounts"])


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(settings, "accounts", shell_of, web_role, OWN)


def keys_from(settings: Settings) -> Keys:
    """Raises ValueError that names the setting which is missing or malformed."""
    return Keys(
        people=people_keys_of(settings),
        vault=vault_of(settings),
    )


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    reindex = Reindex(keys_from(settings).people)
    return Shell("accounts", settings=settings, ledger=ledger, broker=broker, clock=clock, kinds=KINDS, reindex=reindex)


def web_role(shell: Shell, passwords: Passwords | None = None) -> Role:
    """`accounts.web` on any adapters. The first administrator waits for the restore, so two never come of one."""
    keys, passwords = keys_from(shell.settings), passwords or Passwords()
    access = Access(keys.people)
    tail = Tail(shell, access)
    people, apikeys = People(shell, keys, passwords), Apikeys(shell)
    desk = Desk(people, Teams(shell), apikeys, shell.settings.public_url)
    first = FirstAdmin(shell, Wanted.from_settings(shell.settings), people, apikeys, passwords)
    parts: Sequence[Part] = (
        shell.relay,
        Restore(shell, [topic.name for topic in OWN]),
        Wakes(shell),
        tail,
        first,
        Audit(shell),
    )
    sign_in = SignIn(shell, people, Throttle())
    return Role("accounts.web", parts, http_app(shell.settings, desk, sign_in, access, tail))


def http_app(settings: Settings, desk: Desk, sign_in: SignIn, access: Access, tail: Tail) -> FastAPI:
    app = FastAPI(title="accounts", openapi_url=None)
    looks = Pages(environment("accounts"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url)
    Door(access, tail, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.desk, app.state.front = desk, Front(looks, sessions, sign_in)
    app.include_router(api.router)
    app.include_router(pages.router)
    install_refusals(app, answer)
    install(app, pages=looks)
    return app
