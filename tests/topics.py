"""Topics for a test: what matters is that there are several partitions, and a broker has much to do for each."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from events.topics import Topic

SEVERAL: Final = 4


def narrow(topics: Iterable[Topic]) -> list[Topic]:
    """The same with a few partitions in place of many."""
    return [replace(topic, partitions=min(topic.partitions, SEVERAL)) for topic in topics]
