"""Tables that the escalator needs besides the ledger's own: none, since policies and schedules are read from their streams."""

MIGRATIONS: list[tuple[str, str]] = []
