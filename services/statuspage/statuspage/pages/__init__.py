"""What signed-in people see of services, incidents, maintenance and status pages."""

from typing import Final

from fastapi import APIRouter

from statuspage.pages import incidents, subscriptions

router: Final = APIRouter(include_in_schema=False)
for part in (incidents, subscriptions):
    router.include_router(part.router)
