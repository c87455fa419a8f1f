"""Our three kinds of streams, as the ledger keeps them."""

from typing import Final

from events.topics import NOTIFICATIONS, REACH
from notifier.domain import page, reach, window
from runtime.streams import Kind

PERSON: Final = Kind("reach", REACH.name, reach.reach, reach.State)
PAGE: Final = Kind("page", NOTIFICATIONS.name, page.page, page.State)
WINDOW: Final = Kind("window", NOTIFICATIONS.name, window.window, window.State, state_rev=2)
KINDS: Final = (PERSON, PAGE, WINDOW)
