"""From a run's evidence to what people read: how long each fault was felt, as a table, and everything as JSON."""

import json
import platform
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from tests.chaos.faults import Fault
from tests.chaos.judge import Evidence, Verdict
from tests.chaos.script import Kind

BEFORE_S: Final = 1.0
"""What was sent so shortly before a fault waited for its end, too."""


@dataclass(frozen=True)
class Felt:
    """What a fault was to those outside, in seconds; None: nobody was concerned.

    `restarted` and `ready` count from its beginning. `refused`: events that heard no yes until the next fault. The others
    are the longest waits of what was sent from a second before until the next fault: from the yes to the alert, to its
    first level, and to the mail (beacons only, which get a mail each).
    """

    kind: str
    target: str
    note: str
    restarted: float | None
    ready: float | None
    refused: int
    alert: float | None
    level: float | None
    mail: float | None


def felt(run: Evidence) -> list[Felt]:
    ends = [fault.began - BEFORE_S for fault in run.faults[1:]] + [float("inf")]
    waits = _waits(run)
    return [_felt(run, fault, end, waits) for fault, end in zip(run.faults, ends, strict=True)]


@dataclass(frozen=True)
class _Wait:
    """One new alert: when it was sent, and how long each step took, as far as it came."""

    sent: float
    alert: float | None
    level: float | None
    mail: float | None


def _waits(run: Evidence) -> list[_Wait]:
    found = []
    for (source, key), answers in run.sent.items():
        yes = min((answer.answered for answer in answers if answer.is_yes), default=None)
        alerts = run.alerts.get((source, key))
        if yes is None or not alerts:
            continue
        sent = min(answer.sent for answer in answers if answer.is_yes)
        levels = run.heard.levels.get(alerts[0])
        mails = run.told.get((run.script.told(source, key)[0], key), ())
        is_beacon = run.script.kind(source) is Kind.BEACON
        found.append(
            _Wait(
                sent,
                run.heard.alerts[alerts[0]].seen - yes,
                levels[0].seen - yes if levels else None,
                mails[0].taken - yes if mails and is_beacon else None,
            )
        )
    return found


def _felt(run: Evidence, fault: Fault, end: float, waits: Sequence[_Wait]) -> Felt:
    concerned = [wait for wait in waits if fault.began - BEFORE_S <= wait.sent < end]
    refused = sum(not a.is_yes and fault.began - BEFORE_S <= a.sent < end for a in run.answers)
    return Felt(
        kind=fault.kind,
        target=fault.target,
        note=fault.note,
        restarted=fault.ended - fault.began if fault.ended else None,
        ready=fault.ready - fault.began if fault.ready else None,
        refused=refused,
        alert=_longest(wait.alert for wait in concerned),
        level=_longest(wait.level for wait in concerned),
        mail=_longest(wait.mail for wait in concerned),
    )


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


# -- as a table


def table(rows: Sequence[Felt]) -> str:
    """A line for each kind of fault and target: how many, and the median and the longest of each wait."""
    groups: dict[tuple[str, str], list[Felt]] = defaultdict(list)
    for row in rows:
        groups[row.kind, row.target].append(row)
    head = "| fault | times | ready again | refused | yes to alert | to level | to mail |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_line(f"{kind} {target}", group) for (kind, target), group in sorted(groups.items())]
    return "\n".join(lines)


def _line(name: str, group: Sequence[Felt]) -> str:
    waits = ([getattr(row, what) for row in group] for what in ("ready", "alert", "level", "mail"))
    ready, alert, level, mail = map(_span, waits)
    return f"| {name} | {len(group)} | {ready} | {max(row.refused for row in group)} | {alert} | {level} | {mail} |"


def _span(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.1f} / {max(known):.1f} s" if known else "–"


# -- as JSON


def as_json(name: str, run: Evidence, verdict: Verdict, rows: Sequence[Felt], **more: Any) -> dict[str, Any]:
    return {
        "scenario": name,
        "holds": verdict.holds,
        "figures": verdict.figures,
        "breaches": {law: {"count": len(found), "first": found[:20]} for law, found in verdict.breaches.items()},
        "faults": [vars(row) for row in rows],
        **more,
    }


def surroundings(root: Path) -> dict[str, Any]:
    """Machine, versions and state of the code, so that two reports can be compared."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load": [round(one, 1) for one in psutil.getloadavg()],
    }


def write(file: Path, reports: Sequence[Mapping[str, Any]], root: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"surroundings": surroundings(root), "scenarios": list(reports)}, indent=1))
