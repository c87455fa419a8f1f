"""The wiring of the escalator: settings and adapters come in, the roles `escalator.worker` and `escalator.web` go out."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from fastapi import FastAPI

from escalator import api, pages
from escalator.api import Desk
from escalator.indexes import reindex
from escalator.pages import Front
from escalator.planning import FirstPlans
from escalator.policies import Policies
from escalator.projection import Sources, Staff
from escalator.references import References
from escalator.schedules import Schedules
from escalator.streams import KINDS
from escalator.worker import Worker
from events.topics import ACCOUNTS, ALERTS, ESCALATIONS, ONCALL, PEOPLE, SOURCES
from runtime.access import Access, Door
from runtime.audit import Audit
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
from runtime.wiring import people_of, real
from web.errors import answer
from web.guards import ApiError, SignInNeeded, install
from web.pages import Pages, environment
from web.session import Sessions

WORKER: Final = "escalator.worker"
WEB: Final = "escalator.web"
OWN: Final = (ESCALATIONS, ONCALL)
OWN_TOPICS: Final = tuple(topic.name for topic in OWN)


def worker(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(settings, "escalator", shell_of, worker_role, (*OWN, ALERTS, ACCOUNTS))


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(settings, "escalator", shell_of, web_role, (*OWN, ACCOUNTS, PEOPLE, SOURCES))


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    return Shell(
        "escalator", settings=settings, ledger=ledger, broker=broker, clock=clock, kinds=KINDS, reindex=reindex
    )


def worker_parts(shell: Shell) -> Sequence[Part]:
    """What decides, on any adapters: the relay, the reader of alerts, and time behind its gate."""
    staff = Staff()
    tail = Tail(shell, staff)

    async def staff_is_known() -> None:
        if tail.ready() is not None:
            await tail.caught_up()

    worker = Worker(
        staff,
        minute=timedelta(seconds=shell.settings.minute_s),
        staff_is_known=staff_is_known,
        caught_up=tail.caught_up,
    )
    reader = Deciding(shell, reader=WORKER, topics=(ALERTS.name,), react=worker.react)
    ticks = Ticks(shell, worker.tick, Gate(shell, WORKER, (ALERTS.name,)))
    return [shell.relay, Restore(shell, OWN_TOPICS), Wakes(shell), tail, reader, ticks, FirstPlans(shell)]


def worker_role(shell: Shell) -> Role:
    return Role(WORKER, [*worker_parts(shell), Audit(shell)])


def web_role(shell: Shell) -> Role:
    """`escalator.web` on any adapters."""
    settings = shell.settings
    access = people_of(settings)
    sources = Sources()
    people, used = Tail(shell, access), Tail(shell, sources)
    references = References(access, people.caught_up)
    desk = Desk(
        Policies(shell, references, sources, used), Schedules(shell, references), shell.clock, settings.public_url
    )
    parts: Sequence[Part] = (shell.relay, Restore(shell, OWN_TOPICS), Wakes(shell), people, used)
    return Role(WEB, parts, http_app(settings, desk, access, people))


def http_app(settings: Settings, desk: Desk, access: Access, people: Tail) -> FastAPI:
    app = FastAPI(title="escalator", openapi_url=None)
    looks = Pages(environment("escalator"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url)
    Door(access, people, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.desk, app.state.front = desk, Front(looks)
    app.include_router(api.router)
    app.include_router(pages.router)
    install_refusals(app, answer)
    install(app, pages=looks)
    return app
