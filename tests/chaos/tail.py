"""What the suite said in Kafka, heard by somebody else's program: alerts, acceptances and levels, each when it was first seen.

Reads without a group from the moment it starts. Events that a relay published twice are told apart by their versions.
"""

import asyncio
import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.topics import ALERTS, ESCALATIONS, TRAFFIC_PARTITIONS

TOPICS: Final = (ALERTS.name, ESCALATIONS.name)
LOOK_AGAIN_S: Final = 0.5


@dataclass(slots=True)
class Alert:
    """`seen`: when its creation was heard of. `accepted`: when its first acceptance was."""

    id: int
    source: int
    alert_key: str
    seen: float
    repeats: int = 0
    accepted: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One level of an alert's escalation: decided `at`, heard of when it was `seen`."""

    level: int
    run: int
    at: float
    seen: float
    gate_timed_out: bool


@dataclass
class Heard:
    """All that is to be known; what is not of these sources is passed over."""

    sources: frozenset[int]
    alerts: dict[int, Alert] = field(default_factory=dict)
    levels: dict[int, list[Level]] = field(default_factory=lambda: defaultdict(list))
    dropped: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """(source, alert key, reason) -> how many signals."""
    gaps: list[str] = field(default_factory=list)
    seen_versions: dict[str, int] = field(default_factory=dict)
    repeated_records: int = 0

    def hear(self, value: bytes, now: float) -> None:
        """One record."""
        event = json.loads(value)
        data, kind = event["data"], event["type"]
        if not self._is_new(event["id"], kind):
            return
        match kind:
            case "alert.created" if data["source"] in self.sources:
                key = data.get("alert_key") or ""
                self.alerts[data["alert"]] = Alert(data["alert"], data["source"], key, now)
            case "alert.repeated" if (alert := self.alerts.get(data["alert"])) is not None:
                alert.repeats += data["count"]
            case "alert.accepted" if (alert := self.alerts.get(data["alert"])) is not None:
                alert.accepted = alert.accepted or now
            case "signal.dropped" if data["source"] in self.sources:
                self.dropped[data["source"], data.get("alert_key") or "", data["reason"]] += 1
            case "escalation.level_reached":
                level = Level(
                    data["level"], data.get("run", 1), _instant(data["at"]), now, data.get("gate_timed_out", False)
                )
                self.levels[data["alert"]].append(level)
            case _:
                pass

    def _is_new(self, event_id: str, kind: str) -> bool:
        """Whether this version was not there before; one that comes before its predecessor is noted."""
        stream, _, number = event_id.rpartition("@")
        version, before = int(number), self.seen_versions.get(stream)
        if before is not None and version <= before:
            self.repeated_records += 1
            return False
        if version != (before or 0) + 1 and (before is not None or kind == "alert.created"):
            self.gaps.append(f"{event_id} came after version {before}")
        self.seen_versions[stream] = version
        return True


class Tail:
    """Hears in a thread of its own while it is entered; `heard` is complete up to a moment ago."""

    def __init__(self, bootstrap: str, sources: frozenset[int]) -> None:
        self.heard = Heard(sources)
        self._bootstrap = bootstrap
        self._began, self._over, self._hearing = threading.Event(), threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), name="tail")

    def __enter__(self) -> "Tail":
        self._thread.start()
        assert self._began.wait(60), "Kafka does not tell where its topics end"
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def so_far(self) -> Heard:
        """What was heard up to now, to be looked at while more is heard."""
        with self._hearing:
            return replace(
                self.heard,
                alerts={number: replace(alert) for number, alert in self.heard.alerts.items()},
                levels={alert: list(levels) for alert, levels in self.heard.levels.items()},
                dropped=Counter(self.heard.dropped),
                gaps=list(self.heard.gaps),
            )

    async def _listen(self) -> None:
        positions: dict[TopicPartition, int] = {}
        while not self._over.is_set():
            try:
                await self._follow(positions)
            except KafkaError:
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _follow(self, positions: dict[TopicPartition, int]) -> None:
        """Until Kafka fails; `positions` say where to go on."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="none", enable_auto_commit=False, fetch_max_wait_ms=100
        )
        await consumer.start()
        try:
            if not positions:
                positions |= await _ends(consumer)
            consumer.assign(list(positions))
            for place, offset in positions.items():
                consumer.seek(place, offset)
            self._began.set()
            while not self._over.is_set():
                for place, records in (await consumer.getmany(timeout_ms=200, max_records=2_000)).items():
                    now = time.time()
                    with self._hearing:
                        for record in records:
                            self.heard.hear(record.value, now)
                    positions[place] = records[-1].offset + 1
        finally:
            await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    places = [TopicPartition(topic, number) for topic in TOPICS for number in range(TRAFFIC_PARTITIONS)]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    return ends


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
