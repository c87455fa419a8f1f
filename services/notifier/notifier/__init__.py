"""How each person is reached."""
