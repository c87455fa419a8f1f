"""Journeys share one suite and one browser."""

from tests.e2e.browser import chromium
from tests.e2e.roles import roles
from tests.e2e.suite import suite

__all__ = ["chromium", "roles", "suite"]
