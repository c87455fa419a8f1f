"""The bench's own arithmetic: late steps, what is visible when, and how versions compare."""

import aiosmtplib

from bench.client import Load, Sample, percentile
from bench.figures import Figure, Found, table
from bench.rows import _waits_ms
from bench.sink import Sink
from bench.stream import Step, lateness_ms


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([], 0.5) is None
    assert percentile([5.0], 0.99) == 5.0
    assert percentile([float(number) for number in range(100)], 0.99) == 99.0


def test_only_what_was_accepted_counts_and_the_rest_is_told() -> None:
    load = Load([Sample(0, 10.0, 10.1, 202), Sample(1, 10.0, 10.3, 503), Sample(2, 10.0, 10.2, 0)], 10.0, 12.0)
    assert load.per_s == 0.5
    assert [round(ms) for ms in load.latencies_ms] == [100]
    assert load.refused == {503: 1, 0: 1}


def test_a_step_is_late_by_what_the_level_before_it_announced() -> None:
    heard = [Step(7, 0, 60.0, 1.0), Step(8, 0, 61.0, 2.0), Step(8, 1, None, 61.25), Step(7, 1, 90.0, 60.5)]
    assert lateness_ms(heard) == [250.0, 500.0]


def test_what_waits_to_be_seen_is_the_oldest_that_was_accepted_and_is_not_in_the_list() -> None:
    load = Load([Sample(number, 0.0, 1.0 + number, 202) for number in range(3)])
    assert _waits_ms(load, [(1.5, 0), (3.5, 1), (3.5, 3)]) == [500.0, 1500.0, 0.0]


def test_versions_stand_side_by_side_by_their_medians() -> None:
    found = [
        Found(version, turn, 0.5, Figure("a row", "speed", value, "/s"))
        for version, values in {"new": (100.0, 300.0, 200.0), "old": (50.0, 100.0, 150.0)}.items()
        for turn, value in enumerate(values)
    ]
    assert table(found, ["new", "old"]).splitlines()[2] == "| a row | speed | 200 /s | 100 /s | 2.00 |  | 0.50 |"


async def test_the_mail_server_knows_who_got_what_and_which_alerts_a_mail_names() -> None:
    sink = Sink()
    await sink.start()
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=sink.port, start_tls=False)
    await client.connect()
    for subject, text in (("[HIGH] Bench r1-1", ""), ("2 alerts", "Bench r1-2\r\n..\r\nBench r1-3")):
        message = f"From: a@bench.example.org\r\nSubject: {subject}\r\n\r\n{text}\r\n"
        await client.sendmail("a@bench.example.org", ["b@bench.example.org"], message)
    await client.quit()
    assert await sink.until(lambda: len(sink.mails) == 2, 5.0)
    await sink.stop()
    assert [(mail.to, mail.tokens) for mail in sink.mails] == [
        (("b@bench.example.org",), {"r1-1"}),
        (("b@bench.example.org",), {"r1-2", "r1-3"}),
    ]
