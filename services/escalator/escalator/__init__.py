"""Who must be woken, when, and who next."""
