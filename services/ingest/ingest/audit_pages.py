"""The books as people and programs read them: `GET /api/audit`, and the page `/audit`."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from events.accounts import Role
from ingest.audit import ACCOUNTS, Auditor
from ingest.audit_laws import SAYS
from ingest.office import Office, office_of
from ingest.pages import Front, front_of
from runtime.access import Caller, require
from runtime.resources import Resource, answer
from web.pages import viewer_of

NAMED: Final = 100


class AccountResource(Resource):
    """One account. `missing` names at most a hundred."""

    service: str = Field(description="Whose books; `suite`: those across services.")
    account: str
    says: str
    balanced: bool
    number: int = Field(description="How much is missing.")
    missing: list[str]
    open: int | None = Field(default=None, description="What still waits, its time being ahead.")
    since: datetime | None = Field(default=None, description="When the imbalance was named.")


class ReaderResource(Resource):
    """One reader, as the auditor sees it from outside."""

    reader: str
    behind: int = Field(description="Records between its position and the end of its topics.")
    handled_until: datetime | None = Field(default=None, description="The instant up to which it handled everything.")
    troubled: bool = Field(description="It has no members, or stands still: its accounts are not closed meanwhile.")


class CheckResource(Resource):
    """The suite's own event."""

    last_at: datetime | None = None
    seconds: float | None = Field(default=None, description="From the gateway until its message was taken.")


class AuditResource(Resource):
    """The books of the whole suite."""

    balanced: bool
    looked_at: datetime | None = Field(default=None, description="When the readers were last looked at.")
    accounts: list[AccountResource]
    readers: list[ReaderResource]
    check: CheckResource


def auditor_of(request: Request) -> Auditor:
    auditor: Auditor = request.app.state.auditor
    return auditor


AtAuditor = Annotated[Auditor, Depends(auditor_of)]
Admin = Annotated[Caller, Depends(require(Role.ADMIN))]
AtOffice = Annotated[Office, Depends(office_of)]
AtFront = Annotated[Front, Depends(front_of)]

router: Final = APIRouter()


@router.get("/api/audit", summary="Whether the books balance", response_model=AuditResource)
async def audit(auditor: AtAuditor, _caller: Admin) -> Response:
    """What is missing by account, how far each reader is, and how long the suite's own event took."""
    return answer(audit_of(auditor))


@router.get("/audit")
async def page(request: Request, front: AtFront, office: AtOffice, auditor: AtAuditor, caller: Admin) -> Response:
    """The same for people."""
    return front.pages.render(request, "audit.html", viewer_of(caller, office.access), books=audit_of(auditor))


def audit_of(auditor: Auditor) -> AuditResource:
    accounts = [*_of_suite(auditor), *_of_services(auditor)]
    board = auditor.board
    return AuditResource(
        balanced=all(account.balanced for account in accounts),
        looked_at=board.looked_at,
        accounts=accounts,
        readers=[_reader(auditor, name) for name in board.tracks],
        check=CheckResource(last_at=board.trips.last_at, seconds=board.trips.last_s),
    )


def _of_suite(auditor: Auditor) -> list[AccountResource]:
    number = auditor.board.books.open()
    return [_account(auditor, account, number.get(account)) for account in ACCOUNTS]


def _account(auditor: Auditor, account: str, waiting: int | None) -> AccountResource:
    missing = auditor.board.missing.get(account, ())
    said = auditor.told.unbalanced.get(("ingest", f"suite.{account}"))
    return AccountResource(
        service="suite",
        account=account,
        says=ACCOUNTS[account],
        balanced=not missing,
        number=len(missing),
        missing=list(missing[:NAMED]),
        open=waiting if account in SAYS else None,
        since=said.at if said and missing else None,
    )


def _of_services(auditor: Auditor) -> list[AccountResource]:
    """Only what does not balance is told by the services."""
    return [
        AccountResource(
            service=service,
            account=account,
            says=said.text,
            balanced=False,
            number=said.number,
            missing=list(said.missing),
            since=said.at,
        )
        for (service, account), said in sorted(auditor.told.unbalanced.items())
        if not account.startswith("suite.")
    ]


def _reader(auditor: Auditor, name: str) -> ReaderResource:
    track = auditor.board.tracks[name]
    return ReaderResource(reader=name, behind=track.behind, handled_until=track.handled, troubled=track.troubled)
