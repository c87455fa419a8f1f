"""The tables that notifier has besides the ledger's own: none, its read models are streams and small indexes."""

MIGRATIONS: list[tuple[str, str]] = []
