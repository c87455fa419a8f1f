"""The wiring of notifier: settings and adapters come in, the roles `notifier.worker` and `notifier.web` go out."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from fastapi import FastAPI

from channels.smtp import SmtpSender
from events.topics import ACCOUNTS, ALERTS, ESCALATIONS, INCIDENTS, NOTIFICATIONS, ONCALL, PEOPLE, REACH, VAULTS
from notifier import api, audit, me, notices, pages, preferences
from notifier.answers import Answers
from notifier.bulletins import Announcer
from notifier.contacts import Contacts
from notifier.desk import Desk
from notifier.mailer import Mailer, Post
from notifier.mails import Writer
from notifier.noticer import ByChannel, Noticer
from notifier.pages import Front
from notifier.restoring import reindex
from notifier.streams import KINDS
from notifier.worker import READER, TOPICS, Worker
from runtime.access import Access, Door
from runtime.audit import Audit
from runtime.deliveries import Deliveries
from runtime.edge import install_refusals
from runtime.gate import Gate
from runtime.outcomes import Outcomes
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
from web.session import AnswerLinks, Sessions

OWN = (NOTIFICATIONS, REACH, VAULTS["notifier"])
OWN_TOPICS = tuple(topic.name for topic in OWN)


def worker(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(
        settings, "notifier", shell_of, worker_role, (*OWN, ALERTS, ESCALATIONS, ONCALL, INCIDENTS, ACCOUNTS, PEOPLE)
    )


def web(settings: Settings) -> Role:
    """The role as it runs: on the process' Kafka, and on Postgres."""
    return real(settings, "notifier", shell_of, web_role, (*OWN, ALERTS, ACCOUNTS, PEOPLE))


def shell_of(settings: Settings, ledger: Ledger, broker: Broker, clock: Clock) -> Shell:
    return Shell("notifier", settings=settings, ledger=ledger, broker=broker, clock=clock, kinds=KINDS, reindex=reindex)


def post_of(settings: Settings) -> SmtpSender:
    return SmtpSender(settings.smtp_url.get_secret_value(), settings.mail_from)


def minute_of(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.minute_s)


def links_of(shell: Shell) -> AnswerLinks:
    return AnswerLinks(shell.settings.secret_key.get_secret_value(), _seconds(shell.clock))


def writer_of(shell: Shell) -> Writer:
    return Writer(shell.settings.public_url, links_of(shell))


def _seconds(clock: Clock) -> Callable[[], float]:
    return lambda: clock.now().timestamp()


def worker_parts(shell: Shell, post: Post | None = None) -> Sequence[Part]:
    """What runs in `notifier.worker`, on any adapters; `post` stands for the mail server in a simulation."""
    settings = shell.settings
    access = people_of(settings)
    tail, gate = Tail(shell, access), Gate(shell, READER, (ALERTS.name,))
    worker = Worker(minute_of(settings), timedelta(seconds=settings.storm_window_s))
    out = post or post_of(settings)
    writer, vault = writer_of(shell), vault_of(settings)
    mailer = Mailer(writer, out, access, tail, vault, shell.clock)
    noticer = Noticer(Announcer(settings.public_url, writer), out, access, tail, vault, shell.clock)
    return (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        tail,
        *([out] if isinstance(out, SmtpSender) else []),
        Deciding(shell, reader=READER, topics=TOPICS, react=worker.react, believe=worker.believe),
        Ticks(shell, worker.tick, gate),
        Deliveries(shell, ByChannel({"email": mailer, notices.CHANNEL: noticer}), gate),
    )


def worker_role(shell: Shell) -> Role:
    return Role("notifier.worker", [*worker_parts(shell), Audit(shell, audit.LAWS)])


def web_role(shell: Shell, post: Post | None = None) -> Role:
    """`notifier.web` on any adapters."""
    settings, access, outcomes = shell.settings, people_of(shell.settings), Outcomes(ALERTS.name)
    tail, out = Tail(shell, access), post or post_of(settings)
    contacts = Contacts(shell, vault_of(settings), access, tail, minute_of(settings))
    desk = Desk(shell, contacts, writer_of(shell), out, Gate(shell, READER, (ALERTS.name,)))
    parts: Sequence[Part] = (
        shell.relay,
        Restore(shell, OWN_TOPICS),
        Wakes(shell),
        tail,
        Tail(shell, outcomes, from_end=True),
        *([out] if isinstance(out, SmtpSender) else []),
    )
    return Role("notifier.web", parts, http_app(shell, desk, Answers(shell, outcomes), access, tail))


def http_app(shell: Shell, desk: Desk, answers: Answers, access: Access, tail: Tail) -> FastAPI:
    app = FastAPI(title="notifier", openapi_url=None)
    settings, looks = shell.settings, Pages(environment("notifier"))
    sessions = Sessions(settings.secret_key.get_secret_value(), settings.public_url, _seconds(shell.clock))
    Door(access, tail, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded).install(app)
    app.state.desk, app.state.front = desk, Front(looks, links_of(shell), answers)
    app.include_router(api.router)
    app.include_router(preferences.router)
    app.include_router(me.router)
    app.include_router(pages.router)
    install_refusals(app, answer)
    install(app, pages=looks)
    return app
