"""Our five kinds of streams, as the ledger keeps them."""

from typing import Final

from events.topics import NOTIFICATIONS, REACH
from notifier.domain import digest, notice, page, reach, window
from runtime.streams import Kind

PERSON: Final = Kind("reach", REACH.name, reach.reach, reach.State)
PAGE: Final = Kind("page", NOTIFICATIONS.name, page.page, page.State)
WINDOW: Final = Kind("window", NOTIFICATIONS.name, window.window, window.State, state_rev=2)
NOTICE: Final = Kind("notice", NOTIFICATIONS.name, notice.notice, notice.State)
DIGEST: Final = Kind("digest", NOTIFICATIONS.name, digest.digest, digest.State)
KINDS: Final = (PERSON, PAGE, WINDOW, NOTICE, DIGEST)
