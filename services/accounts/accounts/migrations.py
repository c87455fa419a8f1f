"""Tables that accounts needs besides the ledger's own: none, since indexes and cells are in the ledger."""

MIGRATIONS: list[tuple[str, str]] = []
