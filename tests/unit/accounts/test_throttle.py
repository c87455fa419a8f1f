"""Wrong passwords: some may be tried, then one waits; others do not wait with them."""

from datetime import UTC, datetime, timedelta

from accounts.throttle import PER_ADDRESS, PER_ORIGIN, REMEMBERED, WINDOW, Limit, Throttle, limits_of

T0 = datetime(2026, 3, 1, 3, tzinfo=UTC)
ADA = limits_of("ada", "192.0.2.1")


def fail(throttle, limits, times, since=T0):
    for number in range(times):
        throttle.failed(limits, since + timedelta(seconds=number))


def test_up_to_the_limit_nobody_waits():
    throttle = Throttle()
    fail(throttle, ADA, PER_ADDRESS - 1)
    assert throttle.wait(ADA, T0 + timedelta(seconds=30)) is None


def test_at_the_limit_one_waits_until_the_oldest_failure_is_forgotten():
    throttle = Throttle()
    fail(throttle, ADA, PER_ADDRESS)
    assert throttle.wait(ADA, T0 + timedelta(seconds=60)) == WINDOW - timedelta(seconds=60)
    assert throttle.wait(ADA, T0 + WINDOW) is None


def test_another_address_from_another_place_does_not_wait():
    throttle = Throttle()
    fail(throttle, ADA, 100)
    assert throttle.wait(limits_of("bob", "192.0.2.2"), T0) is None


def test_many_addresses_from_one_place_wait_together():
    throttle = Throttle()
    for number in range(PER_ORIGIN):
        throttle.failed(limits_of(f"user {number}", "192.0.2.1"), T0)
    assert throttle.wait(limits_of("fresh", "192.0.2.1"), T0) == WINDOW
    assert throttle.wait(limits_of("fresh", "192.0.2.2"), T0) is None


def test_who_comes_in_is_forgiven_and_a_busy_office_is_not_locked_out():
    throttle = Throttle()
    fail(throttle, ADA, PER_ADDRESS - 1)
    throttle.failed(ADA, T0 + timedelta(seconds=60))
    throttle.succeeded(*ADA, T0 + timedelta(seconds=60))
    assert throttle.wait(ADA, T0 + timedelta(seconds=61)) is None
    for number in range(PER_ORIGIN * 2):
        now = T0 + timedelta(seconds=100 + number)
        limits = limits_of(f"user {number}", "192.0.2.9")
        assert throttle.wait(limits, now) is None
        throttle.failed(limits, now)
        throttle.succeeded(*limits, now)


def test_invented_names_do_not_fill_the_memory():
    throttle = Throttle()
    for number in range(REMEMBERED + 10):
        throttle.failed([Limit(f"address {number}", PER_ADDRESS)], T0)
    assert len(throttle._failures) == REMEMBERED
