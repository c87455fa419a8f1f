"""Time, kind by kind: in come the streams that are due, each kind's go to who knows what to do about them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from runtime.gate import GatePassed, GateTimedOut
from runtime.streams import Kind
from runtime.ticks import Due, Tick
from runtime.unit import Unit

Handler = Callable[[Unit, Due], Awaitable[None]]


def by_kind(handlers: Mapping[str, Handler], known: Callable[[], Awaitable[None]]) -> Tick:
    """A tick that hands over to `handlers`, by the name of the kind, once what they must know is `known`.

    A kind without a handler has no deadlines.
    """

    async def tick(unit: Unit, due: Due, _verdict: GatePassed | GateTimedOut) -> None:
        sorted_out: dict[str, list[tuple[Kind[Any, Any], str]]] = defaultdict(list)
        for kind, number in due:
            sorted_out[kind.name].append((kind, number))
        await known()
        for name in sorted(sorted_out):
            await handlers[name](unit, sorted_out[name])

    return tick
