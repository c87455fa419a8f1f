"""How long is fuzzed: a few examples, the same each time, in `make test`; as many as FUZZ times that, new ones each time, in `make fuzz`."""

import os
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings

TIMES: Final = int(os.environ.get("FUZZ", "1"))
IS_LONG: Final = TIMES > 1


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """Settings for this many examples in `make test`. Tests' own limits say what a hang is."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=not IS_LONG,
        database=None,
        deadline=None,
        print_blob=IS_LONG,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
