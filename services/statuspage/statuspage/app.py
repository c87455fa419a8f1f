"""The wiring of statuspage: settings and adapters come in, the roles `statuspage.worker`, `statuspage.web` and `statuspage.reader` go out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from channels.smtp import SmtpSender
from events.envelope import Envelope
from events.topics import (
    ACCOUNTS,
    ACTIONS,
    INCIDENTS,
    PEOPLE,
    POSITIONS,
    SOURCES,
    STATUSPAGES,
    VAULTS,
)
from runtime.access import Access, Door
from runtime.audit import Audit
from runtime.deliveries import Deliveries
from runtime.edge import install_refusals
from runtime.ports import Broker, Clock, Ledger
from runtime.restore import Restore
from runtime.role import Part, Role
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.subscription import Deciding
from runtime.ticks import Ticks
from runtime.unit import Unit
from runtime.views import Tail
from runtime.wiring import people_of, real, vault_of
from statuspage import api, indexes, pages, publics, register, showing
from statuspage.announcing import Announcer
from statuspage.board import Board
from statuspage.clockwork import by_kind
from statuspage.desk import Desk
from statuspage.incident_templates import Templates
from statuspage.incidents import Incidents
from statuspage.mailroom import Mailroom, Post
from statuspage.mails import Writer
from statuspage.maintenance import Maintenances
from statuspage.pages.front import Front
from statuspage.previews import Previews
from statuspage.projection import Sources
from statuspage.public import Painter
from statuspage.publisher import Publisher
from statuspage.reader import Reader
from statuspage.references import References
from statuspage.services import Services
from statuspage.status_pages import StatusPages
from statuspage.streams import KINDS, MAINTENANCE, SUBSCRIBER
from statuspage.subscriptions import Subscriptions
from statuspage.upkeep import Upkeep
from statuspage.worker import Worker
from web.errors import answer
from web.guards import ApiError, SignInNeeded, install
from web.pages import Pages, environment
from web.paths import EVENT_PATHS
from web.session import Sessions, SubscriberLinks

WORKER: Final = "statuspage.worker"
WEB: Final = "statuspage.web"
READER: Final = "statuspage.reader"
SUBSCRIBING: Final = "/subscribers"
"""Forms on pages with a domain of their own post here, and mail programmes do: no session counts, so no origin does."""
OWN: Final = (INCIDENTS, STATUSPAGES, VAULTS["statuspage"])
OWN_TOPICS: Final = tuple(topic.name for topic in OWN)


def worker(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings, "statuspage", shell_of, worker_role, (*OWN, ACTIONS, ACCOUNTS, PEOPLE, POSITIONS["statuspage"])
    )


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(settings, "statuspage", shell_of, web_role, (*OWN, ACCOUNTS, PEOPLE, SOURCES, POSITIONS["statuspage"]))


def reader(settings: Settings) -> Role:
    """The role as it runs: on nothing but the files that the worker wrote."""
    return Role(READER, http=Reader(Path(settings.pages_dir), settings.public_url))


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
        """Bring every index up to what these events say (after a restore)."""
        for part in (indexes, register, showing):
            await part.reindex(unit, envelopes)
        await publics.reindex(unit, envelopes, vault_of(settings), pepper_of(settings))

    return Shell(
        "statuspage", settings=settings, ledger=ledger, broker=broker, clock=clock, kinds=KINDS, reindex=reindex
    )


def pepper_of(settings: Settings) -> bytes:
    """What keeps digests of subscribers' addresses from being guessed."""
    return settings.secret_key.get_secret_value().encode()


def links_of(settings: Settings) -> SubscriberLinks:
    return SubscriberLinks(settings.secret_key.get_secret_value())


def worker_parts(shell: Shell, post: Post | None = None) -> Sequence[Part]:
    """What runs in `statuspage.worker`, on any adapters; `post` stands for the mail server in a simulation."""
    access = people_of(shell.settings)
    people = Tail(shell, access)

    async def people_are_known() -> None:
        if people.ready() is not None:
            await people.caught_up()

    announcer = Announcer(access, shell.settings.public_url)
    deadlines = {MAINTENANCE.name: Upkeep(announcer).tick, SUBSCRIBER.name: publics.tick}
    ticks = Ticks(shell, by_kind(deadlines, people_are_known))
    automation = Worker(announcer, access, people_are_known)
    actions = Deciding(shell, reader=WORKER, topics=(ACTIONS.name,), react=automation.react)
    out = post or SmtpSender(shell.settings.smtp_url.get_secret_value(), shell.settings.mail_from)
    writer = Writer(shell.settings.public_url, links_of(shell.settings))
    return (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        people,
        *([out] if isinstance(out, SmtpSender) else []),
        actions,
        ticks,
        Deliveries(shell, Mailroom(writer, out, vault_of(shell.settings), shell.clock)),
        Publisher(shell),
    )


def worker_role(shell: Shell) -> Role:
    return Role(WORKER, [*worker_parts(shell), Audit(shell)])


def web_role(shell: Shell) -> Role:
    """`statuspage.web` on any adapters."""
    access = people_of(shell.settings)
    sources = Sources()
    board = Board()
    people, silenced, shown = Tail(shell, access), Tail(shell, sources), Tail(shell, board)
    parts: Sequence[Part] = (shell.relay, Restore(shell, OWN_TOPICS), Wakes(shell), people, silenced, shown)
    previews = Previews(board, shown, Painter(shell.settings.public_url), shell.clock)
    desk = desk_of(shell, access, people, sources, silenced, previews)
    return Role(WEB, parts, http_app(shell.settings, desk, access, people))


def desk_of(shell: Shell, access: Access, people: Tail, sources: Sources, silenced: Tail, previews: Previews) -> Desk:
    """What the routes of `statuspage.web` work with."""
    references = References(access, people.caught_up)
    announcer = Announcer(access, shell.settings.public_url)
    incidents = Incidents(shell, references, announcer)
    return Desk(
        services=Services(shell, references),
        templates=Templates(shell, references),
        maintenances=Maintenances(shell, references, Upkeep(announcer), sources, silenced.caught_up),
        incidents=incidents,
        subscriptions=Subscriptions(shell, references, incidents, announcer),
        status_pages=StatusPages(shell, references, shell.settings.public_url),
        publics=publics.Publics(shell, vault_of(shell.settings), pepper_of(shell.settings)),
        previews=previews,
        clock=shell.clock,
        public_url=shell.settings.public_url,
    )


def http_app(settings: Settings, desk: Desk, access: Access, people: Tail) -> FastAPI:
    app = FastAPI(title="statuspage", openapi_url=None)
    looks = Pages(environment("statuspage"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url)
    Door(access, people, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.desk, app.state.front = desk, Front(looks, links_of(settings))
    app.include_router(api.router)
    app.include_router(pages.router)
    install_refusals(app, answer)
    install(app, pages=looks, event_paths=(*EVENT_PATHS, SUBSCRIBING))
    return app
