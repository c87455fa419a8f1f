"""What people see of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

from connectors.pages import actions, connectors
from connectors.pages.front import Front

__all__ = ["Front", "router"]

router: Final = APIRouter(include_in_schema=False)
for part in (actions, connectors):
    router.include_router(part.router)
