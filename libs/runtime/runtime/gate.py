"""The gate before time acts: what the broker has acknowledged by now must be known here first.

Law: once the broker has acknowledged an acceptance, no level is reached and no message is claimed, unless the
event says that the gate timed out. The gate waits without limit while the broker is away or our own outbox does
not drain (acting then would be acting blind), otherwise 30 s at most.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime import metrics
from runtime.ports import Place, Unavailable
from runtime.shell import Shell

PATIENCE_S = 30.0
RETRY_S = 0.2
LOOK_AGAIN_S = 0.02


@dataclass(frozen=True)
class GatePassed:
    """Everything that was acknowledged when we asked is known here."""


@dataclass(frozen=True)
class GateTimedOut:
    """It is not known in time; whoever acts now must say so."""

    behind: Mapping[Place, int]


class Gate:
    """Waits until `reader` of this service (all its replicas together) has passed the present ends of `topics`."""

    def __init__(self, shell: Shell, reader: str, topics: Sequence[str], patience_s: float = PATIENCE_S) -> None:
        self._shell = shell
        self._reader = reader
        self._topics = topics
        self._patience_s = patience_s

    async def pass_(self) -> GatePassed | GateTimedOut:
        with metrics.GATE_SECONDS.labels(self._reader).time():
            return await self._pass()

    async def _pass(self) -> GatePassed | GateTimedOut:
        ends = await self._ends()
        behind = await self._behind(ends)
        until = asyncio.get_running_loop().time() + self._patience_s
        while behind:
            if asyncio.get_running_loop().time() >= until:
                if await self._blind():
                    until += self._patience_s
                else:
                    metrics.GATE_TIMED_OUT.labels(self._reader).inc()
                    self._shell.log.error("gate.timed_out", reader=self._reader, partitions=len(behind))
                    return GateTimedOut(behind)
            await self._a_moment()
            behind = await self._behind(behind)
        return GatePassed()

    async def _ends(self) -> Mapping[Place, int]:
        while True:
            try:
                return await self._shell.broker.end_offsets(self._topics)
            except Unavailable as away:
                self._shell.log.warning("gate.waits", reader=self._reader, reason=str(away))
                await asyncio.sleep(RETRY_S)

    async def _behind(self, ends: Mapping[Place, int]) -> dict[Place, int]:
        """What is still missing; other replicas' progress is asked of the ledger only when ours is not enough."""
        own = self._shell.progress.get(self._reader, {})
        missing = {place: end for place, end in ends.items() if own.get(place, 0) < end}
        if not missing:
            return {}
        try:
            stored = await self._shell.ledger.positions(self._reader)
        except Unavailable:
            return missing
        return {place: end for place, end in missing.items() if stored.get(place, 0) < end}

    async def _blind(self) -> bool:
        """The broker is away, or what we decided does not get out: then nobody could have told us either."""
        try:
            await self._shell.broker.end_offsets(self._topics)
            waiting, age_s = await self._shell.ledger.outbox_lag()
        except Unavailable:
            return True
        return waiting > 0 and age_s > self._patience_s

    async def _a_moment(self) -> None:
        async with self._shell.moved:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._shell.moved.wait()
