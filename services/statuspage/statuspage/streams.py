"""Our kinds of streams, as the ledger keeps them."""

from typing import Any, Final

from runtime.streams import Kind

KINDS: Final[tuple[Kind[Any, Any], ...]] = ()
