"""The verdict on a run: what the sender heard, what the receivers took and what Kafka told come in; every breach is named.

Pure, and without a word of the suite's own auditor.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

from tests.chaos.faults import Fault
from tests.chaos.load import Answer
from tests.chaos.script import Kind, Script
from tests.chaos.sink import Call, Mail
from tests.chaos.tail import Heard

IN_FLIGHT_S: Final = 2.0
"""How long after an acceptance was seen in Kafka a mail may still begin that was claimed before; and a level be written."""
AROUND_S: Final = 3.0
"""How near to a fault a mail was taken whose fate could not be written."""
MOST_IN_FLIGHT: Final = 20
"""Mails that one notifier sends at once (`runtime.deliveries.SENDERS`)."""

Place = tuple[int, str]
"""(source, alert key)."""


@dataclass(frozen=True)
class Evidence:
    """`listed`: how many alerts `GET /api/alerts` has of each place. `notifiers`: how many replicas send."""

    script: Script
    answers: Sequence[Answer]
    mails: Sequence[Mail]
    calls: Sequence[Call]
    heard: Heard
    listed: Mapping[Place, int]
    faults: Sequence[Fault]
    notifiers: int = 1

    @cached_property
    def sent(self) -> Mapping[Place, list[Answer]]:
        found: dict[Place, list[Answer]] = defaultdict(list)
        for answer in self.answers:
            found[answer.shot.source, answer.shot.alert_key].append(answer)
        return found

    @cached_property
    def source_of(self) -> Mapping[str, int]:
        """Whose alert key it is: no two sources share one."""
        return {key: source for source, key in self.sent}

    @cached_property
    def alerts(self) -> Mapping[Place, list[int]]:
        """The alerts of each place, by what Kafka told."""
        found: dict[Place, list[int]] = defaultdict(list)
        for alert in self.heard.alerts.values():
            found[alert.source, alert.alert_key].append(alert.id)
        return found

    @cached_property
    def told(self) -> Mapping[tuple[str, str], list[Mail]]:
        """(address, alert key) -> the mails that name it, in the order in which they were taken."""
        found: dict[tuple[str, str], list[Mail]] = defaultdict(list)
        for mail in sorted(self.mails, key=lambda mail: mail.taken):
            for key in mail.alert_keys:
                found[mail.to, key].append(mail)
        return found


@dataclass
class Verdict:
    """Breaches by law, and what was counted on the way."""

    breaches: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not any(self.breaches.values())

    def story(self, most: int = 5) -> str:
        """The breaches as text, the first of each law."""
        lines = [
            f"{law}: {len(found)}\n  " + "\n  ".join(found[:most]) for law, found in self.breaches.items() if found
        ]
        return "\n".join(lines) or "every law holds"


def judge(run: Evidence) -> Verdict:
    """Every law over a run that is over."""
    laws = {
        "every yes is in exactly one alert": every_yes_is_one_alert(run),
        "what was refused is in none": what_was_refused_is_nowhere(run),
        "every repeat is counted once": every_repeat_is_counted(run),
        "what becomes no alert has a reason": every_drop_has_a_reason(run),
        "streams are whole in Kafka": run.heard.gaps,
        "everybody is told": everybody_is_told(run),
        "nobody is told twice": nobody_is_told_twice(run),
        "no level is skipped or repeated": levels_are_whole(run),
        "nothing after an acceptance was known": nothing_after_acceptance(run),
        "every webhook is called, and repeated under its id only": webhooks_are_called(run),
    }
    return Verdict({law: list(found) for law, found in laws.items()}, figures(run))


# -- events and alerts


def every_yes_is_one_alert(run: Evidence) -> Iterable[str]:
    for (source, key), answers in run.sent.items():
        if run.script.kind(source) is Kind.PASSING or not any(answer.is_yes for answer in answers):
            continue
        listed, told = run.listed.get((source, key), 0), len(run.alerts.get((source, key), ()))
        if (listed, told) != (1, 1):
            yield f"{key} of source {source}: {listed} alerts in the API, {told} in Kafka"


def what_was_refused_is_nowhere(run: Evidence) -> Iterable[str]:
    for source, key in {**run.listed, **run.alerts}:
        answers = run.sent.get((source, key), [])
        if not any(answer.is_yes or answer.is_doubtful for answer in answers):
            yield f"{key} of source {source} has an alert; its sender heard {sorted({a.code for a in answers})}"


def every_repeat_is_counted(run: Evidence) -> Iterable[str]:
    """An alert counts as many events as were said yes to, or more by those that were in doubt."""
    for (source, key), alerts in run.alerts.items():
        answers = run.sent.get((source, key), [])
        yes, doubt = sum(a.is_yes for a in answers), sum(a.is_doubtful for a in answers)
        counted = sum(1 + run.heard.alerts[alert].repeats for alert in alerts)
        if not yes <= counted <= yes + doubt:
            yield f"{key} of source {source} counts {counted}: {yes} events were taken, {doubt} are in doubt"


def every_drop_has_a_reason(run: Evidence) -> Iterable[str]:
    dropped: Counter[Place] = Counter()
    for (source, key, _reason), number in run.heard.dropped.items():
        dropped[source, key] += number
    for (source, key), answers in run.sent.items():
        if run.script.kind(source) is not Kind.PASSING:
            continue
        yes, doubt = sum(a.is_yes for a in answers), sum(a.is_doubtful for a in answers)
        if not yes <= dropped[source, key] <= yes + doubt:
            yield f"{key} of source {source}: {yes} taken, {doubt} in doubt, {dropped[source, key]} dropped with a reason"


# -- people


def everybody_is_told(run: Evidence) -> Iterable[str]:
    """Each level's person has a mail that names the alert; of an accepted alert only who was asked before."""
    for (source, key), alerts in run.alerts.items():
        if run.heard.alerts[alerts[0]].accepted is not None:
            continue
        for level, address in enumerate(run.script.told(source, key)):
            if not run.told.get((address, key)):
                yield f"{address} (level {level}) was never told of {key}"


def nobody_is_told_twice(run: Evidence) -> Iterable[str]:
    """Once each; again only under the same id, marked, and when the first was on its way during a fault."""
    again: Counter[int] = Counter()
    counted: set[tuple[str, float]] = set()
    for (address, key), mails in run.told.items():
        source = run.source_of.get(key)
        if source is None or address not in run.script.told(source, key):
            yield f"{address} was told of {key}, and was not to be"
        if len({mail.message_id for mail in mails}) > 1:
            yield f"{address} was told of {key} by {len({m.message_id for m in mails})} messages"
        for first, second in pairwise(mails):
            if (second.message_id, second.taken) in counted:
                continue
            counted.add((second.message_id, second.taken))
            if not second.is_repeat:
                yield f"{address} got {second.message_id} again, unmarked ({second.taken - first.taken:.1f} s later)"
            cause = cause_of(run, first)
            if cause is None:
                yield f"{address} got {second.message_id} again, and nothing had gone wrong when it was taken"
            else:
                again[cause] += 1
    for number, times in again.items():
        if times > MOST_IN_FLIGHT * run.notifiers:
            yield f"{times} mails were repeated after {run.faults[number].kind} {run.faults[number].target}"


def cause_of(run: Evidence, mail: Mail) -> int | None:
    """The fault during which this mail was on its way, its fate not yet written."""
    for number, fault in enumerate(run.faults):
        if fault.touches_mail and fault.began - AROUND_S <= mail.taken <= max(fault.ready, fault.began) + AROUND_S:
            return number
    return None


# -- levels


def levels_are_whole(run: Evidence) -> Iterable[str]:
    """0, 1, 2 … in this order, each once; as many as its policy has where nobody answered."""
    for (source, key), alerts in run.alerts.items():
        alert = run.heard.alerts[alerts[0]]
        reached = [level.level for level in run.heard.levels.get(alert.id, ())]
        wanted = list(range(len(run.script.told(source, key))))
        if reached != wanted[: len(reached)] or (alert.accepted is None and len(reached) < len(wanted)):
            yield f"{key} (alert {alert.id}) reached {reached}, of {wanted}"


def nothing_after_acceptance(run: Evidence) -> Iterable[str]:
    for (source, key), alerts in run.alerts.items():
        accepted = run.heard.alerts[alerts[0]].accepted
        if accepted is None:
            continue
        for level in run.heard.levels.get(alerts[0], ()):
            if level.at > accepted + IN_FLIGHT_S and not level.gate_timed_out:
                yield f"{key} reached level {level.level} {level.at - accepted:.1f} s after its acceptance was known"
        for address in run.script.told(source, key):
            for mail in run.told.get((address, key), ()):
                if mail.begun > accepted + IN_FLIGHT_S:
                    yield f"{address} was told of {key} {mail.begun - accepted:.1f} s after its acceptance was known"


# -- webhooks


def webhooks_are_called(run: Evidence) -> Iterable[str]:
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in run.calls:
        calls[call.alert_key].append(call)
    for source, key in run.alerts:
        if run.script.kind(source) is Kind.HOOKED:
            made = calls.get(key, [])
            if not any(call.is_taken for call in made):
                yield f"the webhook was not called for {key} ({len(made)} attempts)"
            if len({call.id for call in made}) > 1:
                yield f"the webhook was called for {key} under {len({call.id for call in made})} ids"


# -- what was counted


def figures(run: Evidence) -> dict[str, int]:
    answers = Counter(
        "yes" if a.is_yes else "in doubt" if a.is_doubtful else "refused or unreached" for a in run.answers
    )
    repeated = sum(mail.is_repeat for mail in run.mails)
    return {
        "events sent": len(run.answers),
        "answered yes": answers["yes"],
        "in doubt": answers["in doubt"],
        "refused or unreached": answers["refused or unreached"],
        "alerts": len(run.heard.alerts),
        "dropped with a reason": sum(run.heard.dropped.values()),
        "levels reached": sum(map(len, run.heard.levels.values())),
        "accepted": sum(alert.accepted is not None for alert in run.heard.alerts.values()),
        "mails taken": len(run.mails),
        "mails that were repeats": repeated,
        "webhook calls": len(run.calls),
        "webhook calls taken": sum(call.is_taken for call in run.calls),
        "records published again": run.heard.repeated_records,
    }
