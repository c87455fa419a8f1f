"""A mail server that keeps what it gets and shows it, so that nobody needs an account anywhere to see Alarum's mails."""
