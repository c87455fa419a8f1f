"""The common look: layout, components, sessions, guards, live updates, the path table."""
