"""The wiring of connectors: settings and adapters come in, the roles `connectors.worker` and `connectors.web` go out."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from fastapi import FastAPI

from channels.smtp import SmtpSender
from connectors import api, hooks, pages
from connectors.api.desk import Desk
from connectors.bridges.email import Post
from connectors.buttons import Buttons
from connectors.configuration import Actions, Cells, Connectors
from connectors.endings import Endings
from connectors.hooks import Hooks
from connectors.outside import Outside
from connectors.pages import Front
from connectors.projection import POLICY, Others
from connectors.references import References
from connectors.restoring import reindex
from connectors.sending import Sending
from connectors.streams import KINDS
from connectors.worker import READER, TOPICS, Worker, tick
from events.topics import (
    ACCOUNTS,
    ACTIONS,
    ALERTS,
    CONNECTORS,
    ESCALATIONS,
    INCIDENTS,
    ONCALL,
    PEOPLE,
    SOURCES,
    STATUSPAGES,
    VAULTS,
)
from runtime.access import Door
from runtime.audit import Audit
from runtime.deliveries import Deliveries
from runtime.edge import install_refusals
from runtime.gate import Gate
from runtime.ports import Broker, Clock, Ledger
from runtime.restore import Restore
from runtime.role import Part, Role
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.subscription import Deciding
from runtime.ticks import Ticks
from runtime.views import Tail
from runtime.wiring import people_of, real, vault_of
from web.errors import answer
from web.guards import ApiError, SignInNeeded, install
from web.pages import Pages, environment
from web.session import Sessions

WORKER: Final = "connectors.worker"
WEB: Final = "connectors.web"
OWN: Final = (ACTIONS, CONNECTORS, VAULTS["connectors"])
OWN_TOPICS: Final = tuple(topic.name for topic in OWN)


def worker(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings,
        "connectors",
        shell_of,
        worker_role,
        (*OWN, ALERTS, ESCALATIONS, INCIDENTS, SOURCES, ONCALL, STATUSPAGES),
    )


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings, "connectors", shell_of, web_role, (*OWN, ALERTS, ACCOUNTS, PEOPLE, SOURCES, ONCALL, STATUSPAGES)
    )


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    return Shell(
        "connectors", settings=settings, ledger=ledger, broker=broker, clock=clock, kinds=KINDS, reindex=reindex
    )


def post_of(settings: Settings) -> SmtpSender:
    return SmtpSender(settings.smtp_url.get_secret_value(), settings.mail_from)


def worker_parts(shell: Shell, outside: Outside | None = None, post: Post | None = None) -> Sequence[Part]:
    """What runs in `connectors.worker`, on any adapters; `outside` and `post` stand for the world in a simulation."""
    settings, others = shell.settings, Others()
    out, mail = outside or Outside(settings), post or post_of(settings)
    worker = Worker(_policy_name(others), timedelta(seconds=settings.minute_s))
    sending = Sending(out, mail, vault_of(settings), shell.clock, settings.public_url)
    return (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        Tail(shell, others),
        out,
        *([mail] if isinstance(mail, SmtpSender) else []),
        Deciding(shell, reader=READER, topics=TOPICS, react=worker.react, believe=worker.believe),
        Ticks(shell, tick, Gate(shell, READER, (ALERTS.name,))),
        Deliveries(shell, sending),
    )


def _policy_name(others: Others) -> Callable[[int], str]:
    def name(policy: int) -> str:
        known = others.find(POLICY, policy)
        return known.name if known else ""

    return name


def worker_role(shell: Shell) -> Role:
    return Role(WORKER, [*worker_parts(shell), Audit(shell)])


def web_role(shell: Shell, outside: Outside | None = None) -> Role:
    """`connectors.web` on any adapters; `outside` stands for the network in a simulation."""
    access, others, out = people_of(shell.settings), Others(), outside or Outside(shell.settings)
    people, known = Tail(shell, access), Tail(shell, others)
    references = References(access, others, people_caught_up=people.caught_up, others_caught_up=known.caught_up)
    actions = Actions(shell, cells := Cells(shell, vault_of(shell.settings)), references)
    buttons = Buttons(shell, actions, references, endings := Endings(), Gate(shell, WORKER, (ALERTS.name,)))
    desk = Desk(shell, Connectors(shell, cells), actions, buttons, references, out)
    parts: Sequence[Part] = (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        people,
        known,
        Tail(shell, endings, from_end=True),
        out,
    )
    return Role(WEB, parts, http_app(shell, desk, people))


def http_app(shell: Shell, desk: Desk, people: Tail) -> FastAPI:
    app, settings = FastAPI(title="connectors", openapi_url=None), shell.settings
    looks = Pages(environment("connectors"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url)
    Door(desk.access, people, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.desk, app.state.front = desk, Front(looks)
    app.state.hooks = Hooks(shell, vault_of(settings))
    app.include_router(api.router)
    app.include_router(hooks.router)
    app.include_router(pages.router)
    install_refusals(app, answer)
    install(app, pages=looks)
    return app
