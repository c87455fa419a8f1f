"""Live pages: in come the topics' ends, out go ids and versions to every page that is open; each fetches its fragment again.

Our own events are in the tables before they are published. Others' are told once our projection has passed them
(whichever replica runs it), or a page would fetch itself again too early and stay old.
"""

import asyncio
from collections.abc import Sequence

from events.ingest import AlertCreated
from events.machinery import SYNTHETIC
from events.statuspage import IncidentUpdated
from events.topics import ACTIONS, ALERTS, ESCALATIONS, INCIDENTS, NOTIFICATIONS
from ingest.projection import alerts_of, linked_alerts
from runtime.gate import Gate
from runtime.ports import Unavailable
from runtime.records import Received
from runtime.role import Background
from runtime.shell import Shell
from runtime.views import View
from web.live import Hub

EVENT = "alerts"
OTHERS = (ESCALATIONS.name, NOTIFICATIONS.name, ACTIONS.name, INCIDENTS.name)
"""What is projected of others, and told to open pages."""

PAUSE_S = 1.0
HIDDEN = 100
"""How many of the suite's own checks are remembered, of which no page is told."""


class OwnNews(View):
    """What ingest decided."""

    topics = (ALERTS.name,)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._hidden: dict[int, None] = {}

    def apply(self, received: Received) -> None:
        event = received.envelope.event
        if isinstance(event, AlertCreated) and event.source == SYNTHETIC:
            self._hidden[event.alert] = None
            for old in [*self._hidden][:-HIDDEN]:
                del self._hidden[old]
        for alert in alerts_of(event):
            if alert not in self._hidden:
                tell(self._hub, received, alert)


class OthersNews(View):
    """What the other services said; a part that tells it when the tables hold it."""

    topics = OTHERS

    def __init__(self, shell: Shell, hub: Hub, gate: Gate) -> None:
        self._shell, self._hub, self._gate = shell, hub, gate
        self._waiting: asyncio.Queue[Received] = asyncio.Queue()
        self._background = Background()

    def apply(self, received: Received) -> None:
        self._waiting.put_nowait(received)

    async def start(self) -> None:
        self._background.forever(self._run(), "live news of others")

    async def stop(self) -> None:
        await self._background.stop()
        self._hub.close()

    def ready(self) -> str | None:
        return None

    async def _run(self) -> None:
        while True:
            news = [await self._waiting.get()]
            while not self._waiting.empty() and len(news) < 1_000:
                news.append(self._waiting.get_nowait())
            await self._projected()
            for received in news:
                for alert in await self._alerts_of(received):
                    tell(self._hub, received, alert)

    async def _alerts_of(self, received: Received) -> Sequence[int]:
        """An incident's news concern the alerts that are linked to it, which only the tables know."""
        event = received.envelope.event
        if not isinstance(event, IncidentUpdated):
            return alerts_of(event)
        try:
            async with self._shell.ledger.begin() as tx:
                return await linked_alerts(tx.sql, [event.incident])
        except Unavailable as away:
            self._shell.log.info("live news of an incident are lost", reason=str(away))
            return ()

    async def _projected(self) -> None:
        try:
            await self._gate.pass_()
        except Unavailable as away:
            self._shell.log.info("live news wait", reason=str(away))
            await asyncio.sleep(PAUSE_S)


def tell(hub: Hub, received: Received, alert: int) -> None:
    """One alert changed; an event about several (a mail that carries them) is told once for each."""
    envelope = received.envelope
    hub.publish(f"{envelope.id}/{alert}", EVENT, {"id": alert, "version": envelope.version})
