"""What people see of accounts: signing in, users with their keys, teams."""

from typing import Final

from fastapi import APIRouter

from accounts.pages import signing, teams, users

router: Final = APIRouter()
for part in (signing, users, teams):
    router.include_router(part.router)
