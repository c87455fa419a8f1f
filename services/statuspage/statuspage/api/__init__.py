"""The HTTP API of services, incidents, templates, maintenance, status pages and subscriptions."""

from typing import Final

from fastapi import APIRouter

from statuspage.api import services

router: Final = APIRouter()
for part in (services,):
    router.include_router(part.router)
