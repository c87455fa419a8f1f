"""Transports that reach the outside: SMTP and, later, the others."""
