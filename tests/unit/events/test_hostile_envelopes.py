"""Whatever bytes are read from a topic: an envelope, or one of the two words for why not."""

import pytest

from events.envelope import MalformedEvent, decode, place_of

WHOLE = (
    b'{"specversion":"1.0","id":"%s","source":"/alarum/ingest","type":"source.deleted","subject":"source-7",'
    b'"data":{"source":7,"at":"2026-03-01T03:00:00Z","actor":{"kind":"system"}}}'
)


@pytest.mark.parametrize(
    "version", ["x", "", "-1", " 7", "1_0", "7.0", "9" * 5000, "\u0663", "\u00b2", "9" * 19], ids=lambda text: text[:8]
)
def test_a_version_that_is_no_number_is_a_malformed_event(version: str) -> None:
    body = WHOLE.replace(b"%s", f"source-7@{version}".encode())
    with pytest.raises(MalformedEvent):
        decode(body)
    with pytest.raises(MalformedEvent):
        place_of(body)


def test_the_same_with_a_version_is_none() -> None:
    body = WHOLE.replace(b"%s", b"source-7@12")
    assert decode(body).version == 12
    assert place_of(body) == ("source-7", 12)
