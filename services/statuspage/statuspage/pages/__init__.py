"""What signed-in people see of services, incidents, maintenance and status pages."""

from typing import Final

from fastapi import APIRouter

from statuspage.pages import incidents, maintenance, services, status_pages, subscribers, subscriptions, templates

router: Final = APIRouter(include_in_schema=False)
for part in (incidents, status_pages, subscribers, subscriptions, services, templates, maintenance):
    router.include_router(part.router)
