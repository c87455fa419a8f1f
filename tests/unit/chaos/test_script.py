"""What a run sends is settled before it begins: the same again each time, spread evenly, repeats after what they repeat."""

from collections import Counter

from tests.chaos.script import SPREAD, Kind, Script, Source

KINDS = (Kind.TOLD, Kind.BEACON, Kind.CLIMBING)
SOURCES = tuple(
    Source(number, f"key{number}", ("one@example.org",), KINDS[number % 3], ("a", "b") if number % 3 == 0 else ())
    for number in range(9)
)
SCRIPT = Script(
    "m",
    SOURCES,
    ((Kind.TOLD, 27), (Kind.BEACON, 1), (Kind.CLIMBING, 2)),
    repeats=5,
    routed={"a": ("a@example.org",), "b": ("b@example.org",)},
)
SHOTS = [SCRIPT.shot(number) for number in range(6_000)]


def test_kinds_come_as_often_as_they_weigh() -> None:
    assert Counter(shot.kind for shot in SHOTS) == {Kind.TOLD: 5_400, Kind.BEACON: 200, Kind.CLIMBING: 400}


def test_an_alert_is_opened_before_it_is_repeated_and_repeated_soon() -> None:
    for shot in SHOTS:
        opened = int(shot.alert_key.rpartition("-")[2])
        assert shot.number - SPREAD - SCRIPT.repeats <= opened <= shot.number
        first = SHOTS[opened]
        assert (first.alert_key, first.source, first.kind) == (shot.alert_key, shot.source, shot.kind)


def test_told_alerts_get_so_many_events_and_others_one() -> None:
    events = Counter((shot.kind, shot.alert_key) for shot in SHOTS[:4_000])
    assert {number for (kind, _), number in events.items() if kind is not Kind.TOLD} == {1}
    told = [number for (kind, _), number in events.items() if kind is Kind.TOLD]
    assert 4 < sum(told) / len(told) <= 5


def test_sources_and_routes_take_turns() -> None:
    opened = {(shot.source, shot.alert_key): shot for shot in SHOTS}
    places = Counter((source, SCRIPT.told(source, key)) for source, key in opened)
    for kind in KINDS:
        numbers = [number for (source, _), number in places.items() if SCRIPT.kind(source) is kind]
        assert max(numbers) - min(numbers) <= max(numbers) // 10 + 1
