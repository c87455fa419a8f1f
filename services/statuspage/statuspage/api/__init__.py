"""The HTTP API of services, incidents, templates, maintenance, status pages and subscriptions."""

from typing import Final

from fastapi import APIRouter

from statuspage.api import incidents, maintenance, services, subscribers, templates

router: Final = APIRouter()
for part in (services, incidents, subscribers, templates, maintenance):
    router.include_router(part.router)
