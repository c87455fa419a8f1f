"""A package, unlike other folders of tests: its suites end with its last test."""
