"""What people see of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

router: Final = APIRouter(include_in_schema=False)
