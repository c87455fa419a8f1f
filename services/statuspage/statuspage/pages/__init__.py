"""What signed-in people see of services, incidents, maintenance and status pages."""

from typing import Final

from fastapi import APIRouter

router: Final = APIRouter(include_in_schema=False)
