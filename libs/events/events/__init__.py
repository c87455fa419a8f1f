"""The language: every event and topic of the suite."""
