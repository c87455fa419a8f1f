"""The HTTP API of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

from connectors.api import actions, connectors

router: Final = APIRouter()
for part in (connectors, actions):
    router.include_router(part.router)
