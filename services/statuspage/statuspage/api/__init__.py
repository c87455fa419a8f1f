"""The HTTP API of services, incidents, templates, maintenance, status pages and subscriptions."""

from typing import Final

from fastapi import APIRouter

from statuspage.api import incidents, maintenance, services, status_pages, subscribers, templates

router: Final = APIRouter()
for part in (services, incidents, status_pages, subscribers, templates, maintenance):
    router.include_router(part.router)
