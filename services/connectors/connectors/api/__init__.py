"""The HTTP API of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

from connectors.api import actions, alerts, connectors

router: Final = APIRouter()
for part in (connectors, actions, alerts):
    router.include_router(part.router)
