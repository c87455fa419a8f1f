"""What people see of the escalator: who is on call, schedules, policies. Forms come in as pairs, pages go out."""

from typing import Final

from fastapi import APIRouter

from escalator.pages import oncall, policies, schedules
from escalator.pages.front import Front

__all__ = ["Front", "router"]

router: Final = APIRouter(include_in_schema=False)
for part in (oncall, schedules, policies):
    router.include_router(part.router)
