"""A mail server that took a mail and broke off before it said so gets it again, under the same id and marked."""

from channels.attempts import Attempt, Later, Sent
from channels.mail import Mail
from events.notifier import NotificationSent
from tests.integration.notifier.house import ADA, House, told


def test_a_mail_whose_fate_was_not_told_is_marked_when_it_goes_again() -> None:
    async def story(house: House) -> None:
        def breaks_off_once(_mail: Mail) -> Attempt:
            return Later("The mail server cannot be reached") if len(house.mail.tries) == 1 else Sent("250 OK")

        house.mail.answer = breaks_off_once
        house.user(ADA)
        house.alert(42)
        house.level(42, ADA)
        await house.until(lambda: house.said(NotificationSent))
        first, second = [mail for _, mail in house.mail.tries]
        assert first.message_id == second.message_id
        assert (first.is_repeat, second.is_repeat) == (False, True)

    told(story)
