"""The tables that statuspage has besides the ledger's own."""

MIGRATIONS: list[tuple[str, str]] = []
