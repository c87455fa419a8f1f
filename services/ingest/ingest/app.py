"""The wiring of ingest: settings and adapters come in, the roles `ingest.gateway`, `ingest.worker` and `ingest.web` go out."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from structlog.stdlib import BoundLogger

from events.topics import (
    ACTIONS,
    ALERTS,
    CONFIGURATION,
    ESCALATIONS,
    INCIDENTS,
    NOTIFICATIONS,
    PEOPLE,
    SIGNALS,
    SOURCES,
    VAULTS,
)
from ingest import api, audit_pages, audit_views, pages, synthetic
from ingest.audit import Auditor, Checks, Told
from ingest.desk import AlertDesk, Beliefs, SourceDesk, reindex
from ingest.gateway import Gateway
from ingest.keys import Keys
from ingest.live import OTHERS, OthersNews, OwnNews
from ingest.maintenance import Maintenance
from ingest.names import Names
from ingest.office import Office
from ingest.pages import Front
from ingest.policies import Policies
from ingest.projection import project, project_foreign
from ingest.setup import Setup
from ingest.streams import KINDS
from ingest.worker import TOPICS, Worker
from runtime.access import Door
from runtime.audit import Audit
from runtime.broker_kafka import of_process
from runtime.clock import SystemClock
from runtime.edge import install_refusals
from runtime.gate import Gate
from runtime.ports import Broker, Clock, Ledger, Unavailable
from runtime.projection import Projecting
from runtime.records import Received
from runtime.restore import Restore
from runtime.role import Part, Role
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.subscription import Deciding
from runtime.ticks import Ticks
from runtime.topics import TopicCheck
from runtime.unit import Unit
from runtime.views import Surroundings, Tail
from runtime.wiring import people_of, real, vault_of
from web import openapi, styleguide
from web.assets import static_routes
from web.errors import answer
from web.guards import ApiError, SignInNeeded, install
from web.live import Hub
from web.pages import Pages, environment
from web.session import Sessions

OWN = (ALERTS, SOURCES, VAULTS["ingest"])
OWN_TOPICS = tuple(topic.name for topic in OWN)
WORKER, WEB = "ingest.worker", "ingest.web"
NEWEST_WITHIN_S = 0.5


def gateway(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on nothing else."""
    broker, clock = of_process(settings), SystemClock()
    role = gateway_role(_Edge(broker, structlog.get_logger(service="ingest")), settings, clock)
    return Role(role.name, [broker, TopicCheck(broker, (SIGNALS, SOURCES)), *role.parts], role.http)


def worker(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings, "ingest", shell_of, worker_role, (*OWN, SIGNALS, NOTIFICATIONS, ACTIONS, *CONFIGURATION.values())
    )


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings,
        "ingest",
        shell_of,
        web_role,
        (*OWN, SIGNALS, ESCALATIONS, NOTIFICATIONS, ACTIONS, INCIDENTS, PEOPLE, *CONFIGURATION.values()),
    )


@dataclass(frozen=True)
class _Edge:
    """What a tail needs where there is no ledger."""

    broker: Broker
    log: BoundLogger


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    return Shell(
        "ingest",
        settings=settings,
        ledger=ledger,
        broker=broker,
        clock=clock,
        kinds=KINDS,
        project=project,
        reindex=reindex,
    )


def gateway_role(surroundings: Surroundings, settings: Settings, clock: Clock) -> Role:
    """No ledger: it answers while Postgres is down, and when started so."""
    keys = Keys(synthetic.source(settings.secret_key.get_secret_value()))
    tail = Tail(surroundings, keys)
    gateway = Gateway(keys, tail.caught_up, lambda: surroundings.broker.producer, clock, settings.public_url)
    return Role("ingest.gateway", [tail], gateway.app())


def worker_parts(shell: Shell) -> Sequence[Part]:
    """What decides, on any adapters: the relay, the reader of signals and answers, and time."""
    policies = Policies()
    tail = Tail(shell, policies)
    maintenance = Maintenance()
    windows = Tail(shell, maintenance)
    worker = Worker(
        policies,
        tail.caught_up,
        shell.settings.minute_s,
        maintenance=maintenance,
        windows_are_known=lambda: _newest(windows),
    )
    reader = Deciding(shell, reader=WORKER, topics=TOPICS, react=worker.react)
    return [shell.relay, Restore(shell, OWN_TOPICS), Wakes(shell), tail, windows, reader, Ticks(shell, worker.tick)]


async def _newest(windows: Tail) -> None:
    """A window that was acknowledged before an event came must silence it. Before the history was read nothing is decided;
    afterwards the end is only asked for briefly: where it cannot be read, people are rather woken than not.
    """
    if windows.ready() is not None:
        await windows.caught_up()
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(NEWEST_WITHIN_S):
            await windows.passed(await windows.ends())


def worker_role(shell: Shell) -> Role:
    return Role(WORKER, [*worker_parts(shell), Audit(shell, audit_views.LAWS)])


def web_role(shell: Shell) -> Role:
    settings = shell.settings
    access = people_of(settings)
    policies, keys, hub = Policies(), Keys(), Hub()
    maintenance, setup = Maintenance(), Setup()
    people, oncall, sources = Tail(shell, access), Tail(shell, policies), Tail(shell, keys)
    others = OthersNews(shell, hub, Gate(shell, WEB, OTHERS))
    told = Told()
    auditor = Auditor(shell, told)
    parts: Sequence[Part] = (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        people,
        oncall,
        sources,
        Tail(shell, maintenance),
        Tail(shell, setup),
        Projecting(shell, reader=WEB, topics=OTHERS, react=_project_foreign),
        Tail(shell, OwnNews(hub), from_end=True),
        Tail(shell, others, from_end=True),
        others,
        Tail(shell, told),
        auditor,
        Checks(shell, auditor),
    )
    beliefs = Beliefs(access, policies, people.caught_up, oncall.caught_up)
    keyring = vault_of(settings)
    office = Office(
        shell,
        AlertDesk(shell, beliefs),
        SourceDesk(shell, keyring, beliefs),
        beliefs,
        Names(access, policies, keys),
        maintenance,
        setup,
        settings.public_url,
    )
    return Role(WEB, parts, http_app(settings, office, hub, people, auditor))


def http_app(settings: Settings, office: Office, hub: Hub, people: Tail, auditor: Auditor) -> FastAPI:
    app = FastAPI(title="ingest", openapi_url=None)
    looks = Pages(environment("ingest"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url)
    Door(office.access, people, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.office, app.state.front, app.state.auditor = office, Front(looks, hub), auditor
    app.include_router(api.router)
    app.include_router(audit_pages.router)
    app.include_router(pages.router)
    app.include_router(styleguide.routes(looks))
    app.router.routes.extend(static_routes())
    app.router.routes.extend(openapi.routes(settings.public_url))
    install_refusals(app, answer)
    install(app, pages=looks)
    return app


async def _project_foreign(unit: Unit, batch: Sequence[Received]) -> None:
    """The pictures of others' events; in memory there are none."""
    if unit.tx.sql is not None:
        await project_foreign(unit.tx.sql, [received.envelope for received in batch])
