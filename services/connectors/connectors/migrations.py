"""The tables that connectors has besides the ledger's own."""

MIGRATIONS: list[tuple[str, str]] = []
