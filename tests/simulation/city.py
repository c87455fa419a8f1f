"""The town and everyone who is told: connectors and statuspage run too, other tools stand around, and people use the API."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx

import accounts.app
import connectors.app
import statuspage.app
from accounts.apikeys import Apikeys
from accounts.domain.user import Profile
from accounts.people import People
from connectors.outside import Outside
from events.accounts import Role as PersonRole
from events.core import Event
from runtime.access import Name
from runtime.role import Part
from tests.fakes.jira import Jira
from tests.fakes.slack import Slack
from tests.fakes.standing import Tool
from tests.fakes.webhook import Receiver
from tests.simulation.town import PASSWORDS, Town

PUBLIC_ADDRESS = "93.184.216.34"
SHOP = "shop"


@contextmanager
def a_folder() -> Iterator[Path]:
    """Where public pages are written."""
    with tempfile.TemporaryDirectory(prefix="alarum-pages-") as folder:
        yield Path(folder)


class City(Town):
    """`jira`, `slack` and `receiver` are other tools; `away` are the hosts that cannot be reached now."""

    workers: ClassVar[Mapping[str, Any]] = {**Town.workers, "connectors": connectors.app, "statuspage": statuspage.app}

    def __init__(self, pages: Path, seed: int = 0) -> None:
        super().__init__(seed, pages_dir=str(pages))
        self.pages = pages
        self.jira, self.slack, self.receiver = Jira(), Slack(), Receiver()
        self.tools: Mapping[str, Tool] = {
            "jira.example": self.jira,
            "slack.com": self.slack,
            "hook.example": self.receiver,
        }
        self.away: set[str] = set()
        self._webs: dict[str, Any] = {}
        self._open: list[Part] = []
        self._key = ""

    def outside(self, service: str) -> Sequence[Any]:
        match service:
            case "connectors":
                return (self._network(), self.mailbox)
            case "statuspage":
                return (self.mailbox,)
            case _:
                return super().outside(service)

    async def start(self) -> None:
        await super().start()
        connect = connectors.app.web_role(self._shell(connectors.app, "connectors"), self._network())
        tell = statuspage.app.web_role(self._shell(statuspage.app, "statuspage"))
        for role in (connect, tell):
            self._webs[role.name.partition(".")[0]] = role.http
            for part in role.parts:
                self._open.append(part)
                await part.start()
        self._key = await self._administrator()

    async def stop(self) -> None:
        for part in reversed(self._open):
            await part.stop()
        await super().stop()

    async def _administrator(self) -> str:
        people = People(self.desks["accounts"], accounts.app.keys_from(self.settings), PASSWORDS)
        root = await people.create(Name("Root", "Example", "root@example.org"), Profile(PersonRole.ADMIN, "UTC", "en"))
        return (await Apikeys(self.desks["accounts"]).issue(root.id, "simulation")).key

    def _network(self) -> Outside:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return [PUBLIC_ADDRESS]

        return Outside(self.settings, httpx.MockTransport(self._answer), resolve)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        host = request.headers["host"]
        if host in self.away or host not in self.tools:
            raise httpx.ConnectError("nobody is there")
        return self.tools[host](request)

    # -- what people set up

    async def asks(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """An administrator's call, answered in JSON; refused ones fail."""
        transport = httpx.ASGITransport(app=self._webs[service])
        headers = {"Authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://alarum.example.org", headers=headers) as web:
            answer = await web.request(method, f"/api{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def action(self, kind: str, source: int, triggers: Sequence[str], **more: Any) -> Any:
        body = {"name": f"Tell {kind}", "connectorType": kind, "alertSources": [{"id": source}]}
        return await self.asks("connectors", "POST", "/alert-actions", body | {"triggerTypes": list(triggers)} | more)

    async def connector(self, kind: str, params: Mapping[str, Any]) -> str:
        made = await self.asks("connectors", "POST", "/connectors", {"name": kind, "type": kind, "params": params})
        return str(made["id"])

    async def everything(self, source: int, subscriber: int) -> int:
        """A webhook, Jira, Slack, a service on a public page with somebody who wants to hear, and the automation; the service."""
        life = ("alert-created", "alert-acknowledged", "alert-resolved")
        hook = await self.action("webhook", source, life, params={"webhookUrl": "https://hook.example/x"})
        self.receiver.secret = hook["signingSecret"]
        account = {"url": "https://jira.example", "email": self.jira.email, "password": self.jira.token}
        jira = await self.connector("jira", account)
        await self.action("jira", source, life, connectorId=jira, params={"project": "OPS"})
        robot = {"botToken": self.slack.token, "signingSecret": self.slack.signing_secret}
        slack = await self.connector("slack", robot)
        await self.action("slack", source, life, connectorId=slack, params={"channelId": self.slack.channels[0]})
        shop = int((await self.asks("statuspage", "POST", "/services", {"name": "Checkout"}))["id"])
        template = {"name": "Down", "summary": "{{serviceName}}: {{alertSummary}}", "status": "INVESTIGATING"}
        words = await self.asks("statuspage", "POST", "/incident-templates", template)
        page = {
            "name": "Shop",
            "subdomain": SHOP,
            "visibility": "PUBLIC",
            "activated": True,
            "services": [{"id": shop}],
        }
        await self.asks("statuspage", "POST", "/status-pages", page)
        someone = {"id": subscriber, "type": "USER"}
        await self.asks("statuspage", "POST", f"/services/{shop}/private-subscribers", someone)
        params = {
            "alertType": "CREATED",
            "serviceIds": [shop],
            "serviceStatus": "MAJOR_OUTAGE",
            "templateId": words["id"],
            "resolveIncident": True,
            "sendNotification": True,
        }
        await self.action("automation_rule", source, ["alert-created"], params=params)
        return shop

    # -- what can be seen

    def said(self, *kinds: type[Event]) -> list[Any]:
        """The events of these kinds that were published."""
        topics = ("alerts.v1", "actions.v1", "incidents.v1", "statuspages.v1", "notifications.v1")
        return [one.event for one in self.envelopes(*topics) if isinstance(one.event, kinds)]

    def public_summary(self) -> Any:
        """What the public reads of the page, as JSON; None before it was written."""
        found = [file for file in self.pages.rglob("summary.json") if SHOP in file.as_posix()]
        return json.loads(found[0].read_text()) if found else None
