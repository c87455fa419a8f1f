"""Mails: whatever is in a summary, the headers stay ours; addresses are never shown."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from channels.mail import Mail, compose, envelope_sender, is_address, mask, masked, one_line

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
FROM = "Alarum <alarum@example.org>"


def mail(subject: str = "Disk full", text: str = "text", to: str = "ada@example.org", **more: object) -> Mail:
    return Mail(to=to, subject=subject, text=text, html="<p>html</p>", message_id="<100@alarum>", date=T0, **more)  # type: ignore[arg-type]


class TestHeaders:
    def test_a_mail_has_both_forms_and_says_that_a_machine_wrote_it(self) -> None:
        message = compose(mail(), FROM)
        assert message.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["From"] == "Alarum <alarum@example.org>"
        assert message["Message-ID"] == "<100@alarum>"
        assert "X-Alarum-Repeat" not in message
        assert "In-Reply-To" not in message

    def test_mails_of_one_alert_answer_to_one_thread(self) -> None:
        message = compose(mail(thread="<alert-42@alarum>"), FROM)
        assert message["In-Reply-To"] == message["References"] == "<alert-42@alarum>"

    def test_a_repeat_says_so_under_the_same_id(self) -> None:
        message = compose(mail(is_repeat=True), FROM)
        assert message["X-Alarum-Repeat"] == "yes"
        assert message["Message-ID"] == "<100@alarum>"

    @pytest.mark.parametrize(
        "injected", ["x\r\nBcc: bob@example.org", "x\nBcc: bob@example.org", "x\r\n\r\nbody", "x\x0bBcc: b"]
    )
    def test_a_newline_in_a_summary_is_no_header(self, injected: str) -> None:
        written = message_from_bytes(compose(mail(subject=injected), FROM).as_bytes(), policy=default)
        assert "Bcc" not in written
        assert written["Subject"].startswith("x ")

    @for_any(st.text(max_size=300), st.text(max_size=300))
    def test_any_text_can_be_written_and_adds_no_header(self, subject: str, text: str) -> None:
        expected = set(compose(mail(), FROM).keys())
        written = message_from_bytes(compose(mail(subject, text), FROM).as_bytes(), policy=default)
        assert set(written.keys()) == expected

    def test_a_subject_is_read_back_as_it_was(self) -> None:
        written = message_from_bytes(compose(mail("[HIGH] Платёж не проходит ✗"), FROM).as_bytes(), policy=default)
        assert written["Subject"] == "[HIGH] Платёж не проходит ✗"


class TestAddresses:
    @pytest.mark.parametrize("good", ["ada@example.org", "a.b+c@sub.example.org", "x@localhost", "ada@bücher.example"])
    def test_an_address_is_recognised(self, good: str) -> None:
        assert is_address(good)
        assert compose(mail(to=good), FROM)["To"]

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@example.org\nBcc: x@example.org",
            "ada@example..org",
            "ada@-example.org",
            "a" * 65 + "@example.org",
            "ada@" + "x." * 127 + "org",
            "<ada@example.org>",
            "ada@example.org,bob@example.org",
            "ada@" + "ü" * 80 + ".org",
        ],
    )
    def test_what_is_no_address_is_refused(self, bad: str) -> None:
        assert not is_address(bad)
        with pytest.raises(ValueError, match="not an e-mail address"):
            compose(mail(to=bad), FROM)

    @for_any(st.text(max_size=100))
    def test_what_counts_as_an_address_can_be_written(self, text: str) -> None:
        if is_address(text):
            assert compose(mail(to=text), FROM).as_bytes()

    def test_addresses_are_masked(self) -> None:
        assert mask("ada@example.org") == "a***@example.org"
        assert mask("nonsense") == "***"
        assert (
            masked("550 <bob@example.org>: unknown, ask ada@example.org")
            == "550 <b***@example.org>: unknown, ask a***@example.org"
        )

    def test_the_address_that_ends_further_mails_stands_on_one_line_as_it_is(self) -> None:
        link = "https://alarum.example.org/subscribers/leave/" + "NDI.abc_-" * 12
        written = compose(replace(mail(), unsubscribe=link), FROM).as_bytes().decode()
        assert f"\r\nList-Unsubscribe: <{link}>\r\n" in written
        assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in written
        assert "List-Unsubscribe" not in compose(mail(), FROM).as_bytes().decode()

    def test_the_envelope_s_sender_is_bare(self) -> None:
        assert envelope_sender(FROM) == "alarum@example.org"
        assert envelope_sender("alarum@example.org") == "alarum@example.org"

    def test_a_long_line_is_cut(self) -> None:
        assert one_line("x " * 300, 20).endswith("…")
        assert len(one_line("x " * 300, 20)) <= 20
