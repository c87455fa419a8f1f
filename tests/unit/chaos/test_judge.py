"""The judge of the kills: a calm run is without fault, and each thing that must not happen is seen and named."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.faults import Fault
from tests.chaos.judge import Evidence, judge
from tests.chaos.load import Answer
from tests.chaos.script import Kind, Script, Source
from tests.chaos.sink import Call, Mail
from tests.chaos.tail import Alert, Heard, Level

KINDS = (Kind.TOLD, Kind.CLIMBING, Kind.ANSWERED, Kind.HOOKED, Kind.PASSING)
LEVELS = {Kind.CLIMBING: 3, Kind.ANSWERED: 2}
SOURCES = tuple(
    Source(number, f"key{number}", tuple(f"{kind}-{level}" for level in range(LEVELS.get(kind, 1))), kind)
    for number, kind in enumerate(KINDS)
)
SCRIPT = Script("m", SOURCES, tuple((kind, 12 if kind is Kind.TOLD else 2) for kind in KINDS), repeats=2)
EVENTS = 40


def calm() -> Evidence:
    """Forty events, one each second, and all that they lead to at once."""
    answers = [Answer(SCRIPT.shot(n), float(n), n + 0.1, 202) for n in range(EVENTS)]
    heard = Heard(frozenset(source.id for source in SOURCES))
    mails, calls = [], []
    for answer in answers:
        shot, at = answer.shot, answer.answered
        if shot.kind is Kind.PASSING:
            heard.dropped[shot.source, shot.alert_key, "NO_OPEN_ALERT"] += 1
            continue
        if int(shot.alert_key.rpartition("-")[2]) != shot.number:
            heard.alerts[int(shot.alert_key.rpartition("-")[2])].repeats += 1
            continue
        alert = Alert(shot.number, shot.source, shot.alert_key, at)
        heard.alerts[alert.id] = alert
        asked = SCRIPT.told(shot.source, shot.alert_key)
        if shot.kind is Kind.ANSWERED:
            alert.accepted, asked = at + 2, asked[:1]
        for level, address in enumerate(asked):
            heard.levels[alert.id].append(Level(level, 1, at + 10 * level, at + 10 * level, gate_timed_out=False))
            when = at + 10 * level
            mails.append(Mail(address, f"<{shot.number}.{level}>", False, (shot.alert_key,), when, when))
        if shot.kind is Kind.HOOKED:
            calls.append(Call(f"run_{shot.number}", shot.alert_key, at, is_taken=True))
    listed = Counter((alert.source, alert.alert_key) for alert in heard.alerts.values())
    return Evidence(SCRIPT, answers, mails, calls, heard, listed, [])


def first(run: Evidence, kind: Kind) -> Alert:
    return next(alert for alert in run.heard.alerts.values() if SCRIPT.kind(alert.source) is kind)


def test_a_calm_run_is_without_fault_and_tries_every_law() -> None:
    run = calm()
    verdict = judge(run)
    assert verdict.holds, verdict.story()
    assert {SCRIPT.kind(alert.source) for alert in run.heard.alerts.values()} == set(KINDS) - {Kind.PASSING}
    assert sum(run.heard.dropped.values()) > 0
    assert any(alert.repeats for alert in run.heard.alerts.values())


def lost(run: Evidence) -> Evidence:
    alert = first(run, Kind.TOLD)
    return replace(run, listed=Counter(run.listed) - Counter([(alert.source, alert.alert_key)]))


def doubled(run: Evidence) -> Evidence:
    alert = first(run, Kind.TOLD)
    run.heard.alerts[999] = replace(alert, id=999)
    return run


def born_of_a_refusal(run: Evidence) -> Evidence:
    alert = first(run, Kind.CLIMBING)
    answers = [
        replace(one, status=503, code="BROKER_BUSY") if one.shot.alert_key == alert.alert_key else one
        for one in run.answers
    ]
    return replace(run, answers=answers)


def miscounted(run: Evidence) -> Evidence:
    first(run, Kind.TOLD).repeats += 1
    return run


def dropped_in_silence(run: Evidence) -> Evidence:
    run.heard.dropped.clear()
    return run


def torn(run: Evidence) -> Evidence:
    run.heard.gaps.append("alert-7@3 came after version 1")
    return run


def untold(run: Evidence) -> Evidence:
    key = first(run, Kind.TOLD).alert_key
    return replace(run, mails=[mail for mail in run.mails if key not in mail.alert_keys])


def told_by_two_messages(run: Evidence) -> Evidence:
    return replace(run, mails=[*run.mails, replace(run.mails[0], message_id="<other>")])


def told_again_without_a_mark(run: Evidence) -> Evidence:
    mail = run.mails[0]
    fault = Fault("kill", "notifier.worker", mail.taken + 0.5, ready=mail.taken + 5)
    return replace(run, mails=[*run.mails, replace(mail, taken=mail.taken + 30)], faults=[fault])


def told_again_for_no_reason(run: Evidence) -> Evidence:
    mail = run.mails[0]
    return replace(run, mails=[*run.mails, replace(mail, taken=mail.taken + 30, is_repeat=True)])


def skipped(run: Evidence) -> Evidence:
    del run.heard.levels[first(run, Kind.CLIMBING).id][1]
    return run


def reached_after_the_answer(run: Evidence) -> Evidence:
    alert = first(run, Kind.ANSWERED)
    assert alert.accepted is not None
    at = alert.accepted + 5
    run.heard.levels[alert.id].append(Level(1, 1, at, at, gate_timed_out=False))
    return run


def told_after_the_answer(run: Evidence) -> Evidence:
    alert = first(run, Kind.ANSWERED)
    assert alert.accepted is not None
    at = alert.accepted + 5
    address = SCRIPT.told(alert.source, alert.alert_key)[1]
    return replace(run, mails=[*run.mails, Mail(address, "<late>", False, (alert.alert_key,), at, at)])


def uncalled(run: Evidence) -> Evidence:
    return replace(run, calls=[replace(call, is_taken=False) for call in run.calls])


def called_under_two_ids(run: Evidence) -> Evidence:
    return replace(run, calls=[*run.calls, replace(run.calls[0], id="run_99")])


@pytest.mark.parametrize(
    ("harm", "law"),
    [
        (lost, "every yes is in exactly one alert"),
        (doubled, "every yes is in exactly one alert"),
        (born_of_a_refusal, "what was refused is in none"),
        (miscounted, "every repeat is counted once"),
        (dropped_in_silence, "what becomes no alert has a reason"),
        (torn, "streams are whole in Kafka"),
        (untold, "everybody is told"),
        (told_by_two_messages, "nobody is told twice"),
        (told_again_without_a_mark, "nobody is told twice"),
        (told_again_for_no_reason, "nobody is told twice"),
        (skipped, "no level is skipped or repeated"),
        (reached_after_the_answer, "nothing after an acceptance was known"),
        (told_after_the_answer, "nothing after an acceptance was known"),
        (uncalled, "every webhook is called, and repeated under its id only"),
        (called_under_two_ids, "every webhook is called, and repeated under its id only"),
    ],
)
def test_what_must_not_happen_is_named(harm: Callable[[Evidence], Evidence], law: str) -> None:
    verdict = judge(harm(calm()))
    assert verdict.breaches[law], verdict.story()


def test_a_repeat_of_what_was_in_flight_at_a_kill_is_allowed_when_it_is_marked() -> None:
    run = calm()
    mail = run.mails[0]
    fault = Fault("kill", "notifier.worker", mail.taken + 0.5, ready=mail.taken + 5)
    again = replace(mail, taken=mail.taken + 30, is_repeat=True)
    verdict = judge(replace(run, mails=[*run.mails, again], faults=[fault]))
    assert verdict.holds, verdict.story()


def test_an_event_in_doubt_may_be_an_alert_or_none() -> None:
    run = calm()
    alert = first(run, Kind.HOOKED)
    answers = [
        replace(one, status=503, code="IN_DOUBT") if one.shot.alert_key == alert.alert_key else one
        for one in run.answers
    ]
    assert judge(replace(run, answers=answers)).holds
    del run.heard.alerts[alert.id]
    listed = Counter((one.source, one.alert_key) for one in run.heard.alerts.values())
    calls = [call for call in run.calls if call.alert_key != alert.alert_key]
    mails = [mail for mail in run.mails if alert.alert_key not in mail.alert_keys]
    assert judge(replace(run, answers=answers, listed=listed, mails=mails, calls=calls)).holds
