"""The HTTP API of connectors and alert actions."""

from typing import Final

from fastapi import APIRouter

router: Final = APIRouter()
