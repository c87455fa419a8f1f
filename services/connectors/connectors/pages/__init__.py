"""What people see of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

from connectors.pages.front import Front

__all__ = ["Front", "router"]

router: Final = APIRouter(include_in_schema=False)
