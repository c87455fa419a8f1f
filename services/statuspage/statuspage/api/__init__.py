"""The HTTP API of services, incidents, templates, maintenance, status pages and subscriptions."""

from typing import Final

from fastapi import APIRouter

router: Final = APIRouter()
