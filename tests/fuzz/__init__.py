"""A package, so that the fuzzed suite ends with the last test that asks it."""
