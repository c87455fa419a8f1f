"""What each tool is written: bodies, documents, blocks and mails, for any alert; templates and signatures."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from channels.mail import compose
from connectors.bridges import jira, slack, webhook
from connectors.bridges.email import mail_of
from connectors.bridges.job import Job
from connectors.domain.runs import Run
from connectors.domain.templates import VARIABLES, facts_of, is_json, named, render, render_json
from events.connectors import AlertPicture
from events.shared import Link, Priority
from tests.fakes.jira import check_document, texts_of
from tests.fakes.slack import check_blocks

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEXTS = st.text(max_size=400) | st.sampled_from(
    ["", " ", "&" * 4000, "<" * 3000, "a\n\n\n\nb\r\n", "x" * 4000, "\x00\x1b[2J", "«»|<http://x|y>"]
)
PICTURES = st.builds(
    AlertPicture,
    summary=TEXTS,
    details=TEXTS,
    status=st.sampled_from(["PENDING", "ACCEPTED", "RESOLVED"]),
    priority=st.sampled_from(Priority),
    source_name=TEXTS,
    policy_name=TEXTS,
    links=st.lists(st.builds(Link, href=TEXTS | st.just("https://a.example/x"), text=TEXTS), max_size=6).map(tuple),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


def job(picture: AlertPicture | None = None, trigger: str = "alert-created", **params: Any) -> Job:
    picture = picture or AlertPicture(summary='Disk "A" is full', details="since\nnine", source=5, source_name="Disks")
    run = Run(7, 42, 1, 3, "Tell", "webhook", trigger, picture=picture)
    tool = {"url": "https://jira.example", "email": "bot@example.org", "password": "t", "botToken": "x"}
    return Job(run, NOW, "https://alarum.example", params, tool)


# -- templates


def test_a_template_names_what_is_known_and_nothing_else() -> None:
    facts = facts_of(42, AlertPicture(summary="Disk full"), "alert-created", "https://alarum.example/alerts/42")
    assert set(facts) == set(VARIABLES)
    text = "{{alertSummary}} {{ alertId }} {{{eventType}}} {{nobody}} {{}} { {x} } {{alertUrl}}"
    assert render(text, facts) == "Disk full 42 alert-created  {{}} { {x} } https://alarum.example/alerts/42"
    assert named(text) == {"alertSummary", "alertId", "eventType", "nobody", "alertUrl"}


@pytest.mark.parametrize(
    ("template", "is_so"),
    [
        ('{"a": "{{alertSummary}}", "n": {{alertId}}}', True),
        ("[{{alertId}}]", True),
        ("{{alertSummary}}", False),
        ("{{alertSummary}} is {bad}", False),
        ("", False),
        ('"{{alertSummary}}"', False),
    ],
)
def test_json_is_told_from_text(template: str, is_so: bool) -> None:
    assert is_json(template) is is_so


@for_any(TEXTS)
def test_a_json_template_stays_json_whatever_is_put_in(summary: str) -> None:
    facts = facts_of(42, AlertPicture(summary=summary), "alert-created")
    assert json.loads(render_json('{"a": ["{{alertSummary}}", {{alertId}}]}', facts)) == {"a": [summary, 42]}


@for_any(TEXTS)
def test_what_is_put_in_is_no_template(summary: str) -> None:
    facts = facts_of(42, AlertPicture(summary="{{alertId}}" + summary), "alert-created")
    assert render("{{alertSummary}}", facts) == "{{alertId}}" + summary


# -- webhooks


@for_any(PICTURES)
@settings(deadline=None)
def test_a_body_is_json_and_its_signature_is_the_standards(picture: AlertPicture) -> None:
    call = webhook.call_of(job(picture, webhookUrl="https://hook.example/", signingSecret=SECRET))
    assert json.loads(call.content)["summary"] == picture.summary
    expected = Webhook(SECRET).sign("run_7", NOW, call.content.decode())
    assert (call.headers["webhook-id"], call.headers["webhook-signature"]) == ("run_7", expected)
    assert call.headers["webhook-timestamp"] == str(int(NOW.timestamp()))


def test_what_is_unknown_is_left_out() -> None:
    body = webhook.payload(job(AlertPicture(summary="Disk full")))
    assert body == {
        "id": "42",
        "summary": "Disk full",
        "details": "",
        "status": "PENDING",
        "eventType": "alert-created",
        "priority": "HIGH",
        "url": "https://alarum.example/alerts/42",
    }


def test_chosen_headers_go_along_and_replace_none_that_proves() -> None:
    chosen = [{"key": "X-Team", "value": "ops"}, {"key": "webhook-id", "value": "forged"}]
    call = webhook.call_of(job(webhookUrl="https://hook.example/", signingSecret=SECRET, headers=chosen))
    assert (call.headers["X-Team"], call.headers["webhook-id"]) == ("ops", "run_7")


def test_a_text_template_is_sent_as_text() -> None:
    assert webhook.body_of(job(bodyTemplate="{{alertSummary}}!")) == ("text/plain; charset=utf-8", b'Disk "A" is full!')


# -- Jira


@for_any(PICTURES, st.sampled_from(["alert-created", "alert-resolved", "alert-comment-added", "alert-assigned"]))
@settings(deadline=None)
def test_whatever_an_alert_says_jira_takes_it(picture: AlertPicture, trigger: str) -> None:
    made = jira.fields(job(picture, trigger, project="OPS"))
    check_document(made["description"], "description")
    check_document(jira.comment(job(picture, trigger)), "comment")
    assert 0 < len(made["summary"]) <= 255
    assert "\n" not in made["summary"]
    assert not any(" " in label for label in made["labels"])


@for_any(TEXTS, PICTURES)
@settings(deadline=None)
def test_a_template_becomes_a_document(template: str, picture: AlertPicture) -> None:
    check_document(jira.description(job(picture, bodyTemplate=template)), "description")


def test_a_template_replaces_the_details() -> None:
    texts = texts_of(jira.description(job(bodyTemplate="{{alertSummary}}\nfrom {{alertSourceName}}")))
    assert texts == ['Disk "A" is full', "from Disks", "Alert 42"]


def test_installations_do_not_mistake_each_others_issues() -> None:
    here = job()
    there = Job(here.run, NOW, "https://another.example", {})
    assert jira.label(here) != jira.label(there)


# -- Slack


@for_any(PICTURES)
@settings(deadline=None)
def test_whatever_an_alert_says_slack_takes_it(picture: AlertPicture) -> None:
    message = slack.message(job(picture))
    check_blocks(message["blocks"])
    assert message["text"]


def test_what_an_alert_says_is_no_markup() -> None:
    said = json.dumps(slack.message(job(AlertPicture(summary="<!channel>", details="<!channel> & <@U1>"))))
    assert "<!channel>" not in said.replace('"text": "<!channel>", "emoji"', "")  # a header is plain text
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in said


# -- mail


@for_any(PICTURES, TEXTS, TEXTS)
@settings(deadline=None)
def test_whatever_an_alert_says_a_mail_can_be_written(picture: AlertPicture, subject: str, body: str) -> None:
    mail = mail_of(job(picture, subject=subject, bodyTemplate=body), "ada@example.org")
    assert compose(mail, "Alarum <alarum@example.org>").as_bytes()


def test_a_mail_keeps_its_id_and_its_thread() -> None:
    first, again = mail_of(job(), "ada@example.org"), mail_of(job(trigger="alert-resolved"), "ada@example.org")
    assert first.message_id == again.message_id  # the same run
    assert first.thread == again.thread
    assert first.message_id != mail_of(job(), "grace@example.org").message_id
    assert "ada" not in first.message_id


def test_a_mail_is_no_markup() -> None:
    mail = mail_of(job(AlertPicture(summary="<b>x</b>")), "ada@example.org")
    assert "&lt;b&gt;" in mail.html
    assert "<b>" not in mail.html
