"""Whatever bytes reach a parser: an answer or a word for what is wrong, within a moment, and nothing that cannot be written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.nasty import nearly, said, torn
from tests.fuzz.profile import IS_LONG, fuzzed
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

HANGS_AFTER_S = 1200 if IS_LONG else 60


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)
    assert all(SEEDS.values())


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_are_read(target: str) -> None:
    for seed in SEEDS[target]:
        TARGETS[target](seed)


@pytest.mark.timeout(HANGS_AFTER_S)
@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_read_or_refused_with_words(target: str) -> None:
    seeds = st.sampled_from(SEEDS[target])

    @fuzzed(40)
    @given(st.data())
    def reads(data: st.DataObject) -> None:
        seed = data.draw(seeds)
        TARGETS[target](data.draw(st.one_of(_changed(seed), torn(seed), st.binary(max_size=200))))

    reads()


def _changed(seed: bytes) -> st.SearchStrategy[bytes]:
    """The same JSON with a few places changed; where the seed is none, the seed torn."""
    try:
        whole: Any = json.loads(seed)
    except ValueError:
        return torn(seed)
    return st.builds(lambda value, raw: said(value, raw=raw), nearly(whole), st.booleans())
