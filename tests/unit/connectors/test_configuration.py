"""What connectors and alert actions may become, which of their parameters are sealed, and what clients may send."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors import sealed
from connectors.bodies import ActionBody, ConnectorBody
from connectors.domain import action as actions
from connectors.domain import connector as connectors
from events.connectors import ActionConfigured, ActionRemoved, ConnectorChanged, ConnectorDeleted
from events.core import Event, Refusal
from web.forms import field_errors

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
JIRA = ConnectorChanged(connector=1, name="Jira", type="jira", params={"url": "https://jira.example.org"}, at=T0)
HOOK = ActionConfigured(action=2, name="Hook", type="webhook", triggers=("alert-created",), sources=(5,), at=T0)


# -- deciders


def test_a_connector_is_made_changed_and_deleted() -> None:
    state: connectors.State = connectors.Unmade()
    [made] = decided(connectors.decide(state, connectors.Save(JIRA)))
    assert made == JIRA.model_copy(update={"created": True})
    state = connectors.evolve(state, made)
    renamed = JIRA.model_copy(update={"name": "Our Jira", "at": LATER})
    [changed] = decided(connectors.decide(state, connectors.Save(renamed)))
    state = connectors.evolve(state, changed)
    assert state == connectors.Kept(renamed, since=T0)
    assert decided(connectors.decide(state, connectors.Delete(LATER))) == [ConnectorDeleted(connector=1, at=LATER)]
    gone = connectors.evolve(state, ConnectorDeleted(connector=1, at=LATER))
    assert gone == connectors.Gone(renamed)
    assert isinstance(connectors.decide(gone, connectors.Save(JIRA)), Refusal)
    assert connectors.evolve(gone, JIRA) == gone


def test_a_connectors_type_never_changes() -> None:
    state = connectors.Kept(JIRA, T0)
    refusal = connectors.decide(state, connectors.Save(JIRA.model_copy(update={"type": "slack"})))
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("type: ")


def test_saving_the_same_again_is_nothing_unless_a_secret_is_fresh() -> None:
    again = JIRA.model_copy(update={"at": LATER})
    assert connectors.decide(connectors.Kept(JIRA, T0), connectors.Save(again)) == []
    assert decided(connectors.decide(connectors.Kept(JIRA, T0), connectors.Save(again, fresh_secret=True))) == [again]


def test_an_action_is_made_changed_and_removed() -> None:
    state: actions.State = actions.Blank()
    [made] = decided(actions.decide(state, actions.Save(HOOK)))
    state = actions.evolve(state, made)
    renamed = HOOK.model_copy(update={"sources": (5, 6), "at": LATER})
    [changed] = decided(actions.decide(state, actions.Save(renamed)))
    state = actions.evolve(state, changed)
    assert state == actions.Configured(renamed, since=T0)
    other = actions.decide(state, actions.Save(HOOK.model_copy(update={"type": "email"})))
    assert isinstance(other, Refusal)
    assert other.message.startswith("connectorType: ")
    assert decided(actions.decide(state, actions.Remove(LATER))) == [ActionRemoved(action=2, at=LATER)]
    gone = actions.evolve(state, ActionRemoved(action=2, at=LATER))
    assert isinstance(actions.decide(gone, actions.Remove(LATER)), Refusal)
    assert isinstance(actions.decide(gone, actions.Save(HOOK)), Refusal)


saves = st.builds(
    lambda name, fresh: actions.Save(HOOK.model_copy(update={"name": name}), fresh),
    st.sampled_from("abc"),
    st.booleans(),
)
commands = st.lists(st.one_of(saves, st.just(actions.Remove(T0))), max_size=12)


@given(commands)
def test_the_same_command_twice_decides_nothing_more(wanted: list[actions.Command]) -> None:
    state: actions.State = actions.Blank()
    for command in wanted:
        for event in decided(actions.decide(state, command)):
            state = actions.evolve(state, event)
        if not (isinstance(command, actions.Save) and command.fresh_secret):
            assert decided(actions.decide(state, command)) == []


events = st.lists(
    st.sampled_from(
        [
            HOOK,
            HOOK.model_copy(update={"name": "b"}),
            ActionRemoved(action=2, at=T0),
            JIRA,
            ConnectorDeleted(connector=1, at=T0),
        ]
    ),
    max_size=12,
)


@given(events)
def test_any_history_can_be_read(history: list[Event]) -> None:
    action: actions.State = actions.Blank()
    connector: connectors.State = connectors.Unmade()
    for event in history:
        action, connector = actions.evolve(action, event), connectors.evolve(connector, event)
    assert isinstance(action, actions.Removed) == (
        any(isinstance(one, ActionRemoved) for one in history[_first(history, ActionConfigured) :])
    )


# -- what is sealed

words = st.text("abcXYZ019", min_size=8, max_size=12)
keys = st.sampled_from(["X-Team", "Authorization", "X-Api-Key", "Cookie", "Accept"])
headers = st.dictionaries(keys, words, max_size=4).map(
    lambda found: [{"key": key, "value": f"{key}={value}"} for key, value in found.items()]
)
webhooks = st.builds(
    lambda user, value, chosen, host: {
        "webhookUrl": f"https://{f'{user}:{value}@' if user else ''}{host}.example.org/in",
        "headers": chosen,
        "signingSecret": f"whsec_{value}",
    },
    st.one_of(st.just(""), words),
    words,
    headers,
    st.sampled_from("ab"),
)
jiras = st.builds(
    lambda name, password: {
        "url": "https://j.example.org",
        "email": f"{name}@example.org",
        "password": f"password={password}",
    },
    words,
    words,
)
mails = st.builds(lambda names: {"recipients": [f"{one}@example.org" for one in names]}, st.lists(words, min_size=1))
parameters = st.one_of(webhooks, jiras, mails)


@given(parameters)
def test_what_is_split_is_joined_again(params: dict[str, Any]) -> None:
    assert sealed.joined(*sealed.split(params)) == params


@given(parameters)
def test_events_hold_nothing_secret_and_no_address(params: dict[str, Any]) -> None:
    plain, kept = sealed.split(params)
    said = str(plain)
    secrets = [*kept.get("headers", {}).values(), *kept.get("recipients", [])]
    secrets += [kept[name] for name in ("userinfo", "password", "signingSecret", "email") if name in kept]
    assert all(secret not in said for secret in secrets)
    assert all(str(kept.get(name)) not in str(sealed.shown(plain, kept)) for name in sealed.SECRETS if name in kept)


@given(parameters)
def test_what_was_read_back_can_be_saved_again_and_changes_nothing(params: dict[str, Any]) -> None:
    plain, kept = sealed.split(params)
    assert sealed.filled(sealed.shown(plain, kept), plain, kept) == params


@given(webhooks, webhooks)
def test_what_proves_who_calls_goes_to_its_own_host_only(older: dict[str, Any], newer: dict[str, Any]) -> None:
    """A run has the parameters that were there when it was queued; the cell may be newer."""
    (plain, _), (_, kept) = sealed.split(older), sealed.split(newer)
    if sealed.origin(older) != sealed.origin(newer):
        called = str({**sealed.joined(plain, kept), "signingSecret": ""})
        assert all(
            secret not in called for secret in [kept.get("userinfo", MISSING), *kept.get("headers", {}).values()]
        )


MISSING = "nothing of the kind"


@pytest.mark.parametrize(
    ("before", "then", "field"),
    [
        ({"url": "https://a.example.org", "password": "hush"}, {"url": "https://b.example.org"}, "params.password"),
        ({"apiUrl": "https://a.example.org", "botToken": "x"}, {"apiUrl": "http://a.example.org"}, "params.botToken"),
        ({"webhookUrl": "https://u:p@a.org/"}, {"webhookUrl": "https://***@b.org/"}, "params.webhookUrl"),
        ({"webhookUrl": "https://a.org/"}, {"webhookUrl": "https://***@a.org/"}, "params.webhookUrl"),
        (
            {"webhookUrl": "https://a.org/", "headers": [{"key": "Token", "value": "hush"}]},
            {"webhookUrl": "https://b.org/", "headers": [{"key": "Token", "value": "***"}]},
            "params.headers.0.value",
        ),
        (
            {"webhookUrl": "https://a.org/"},
            {"webhookUrl": "https://a.org/", "headers": [{"key": "Token", "value": "***"}]},
            "params.headers.0.value",
        ),
    ],
)
def test_credentials_must_be_given_again_for_another_host(before: Any, then: Any, field: str) -> None:
    refusal = sealed.filled(then, *sealed.split(before))
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith(f"{field}: ")


def test_a_signing_secret_stays_whatever_the_address_is() -> None:
    before = {"webhookUrl": "https://a.org/", "signingSecret": "whsec_x"}
    after = sealed.filled({"webhookUrl": "https://b.org/"}, *sealed.split(before))
    assert after == {"webhookUrl": "https://b.org/", "signingSecret": "whsec_x"}


# -- bodies

ACTION: dict[str, Any] = {
    "name": "Hook",
    "connectorType": "webhook",
    "triggerTypes": ["alert-created"],
    "alertSources": [{"id": 5}],
    "params": {"webhookUrl": "https://bus.example.org/in"},
}
AUTOMATION: dict[str, Any] = {
    "name": "Down",
    "connectorType": "automation_rule",
    "params": {"alertType": "ACCEPTED", "serviceIds": [1], "serviceStatus": "DEGRADED"},
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"connectorType": "zoom_chat"}, "connectorType"),
        ({"connectorId": "3"}, "connectorId"),
        ({"connectorType": "jira", "params": {"project": "OPS"}}, "connectorId"),
        ({"triggerTypes": []}, "triggerTypes"),
        ({"triggerTypes": None}, "triggerTypes"),
        ({"triggerTypes": ["alert-eaten"]}, "triggerTypes.0"),
        ({"triggerMode": "SOMETIMES"}, "triggerMode"),
        ({"escalationEndedDelaySec": 60}, "escalationEndedDelaySec"),
        ({"triggerTypes": ["alert-escalation-ended"], "escalationEndedDelaySec": 29}, "escalationEndedDelaySec"),
        ({"triggerTypes": ["alert-escalation-ended"], "escalationEndedDelaySec": 7201}, "escalationEndedDelaySec"),
        ({"triggerTypes": ["v-alert-not-resolved"]}, "notResolvedDelaySec"),
        ({"triggerTypes": ["v-alert-not-resolved"], "notResolvedDelaySec": 59}, "notResolvedDelaySec"),
        ({"conditions": "alert.summary == 1"}, "conditions"),
        ({"alertFilter": {"operator": "AND"}}, "alertFilter"),
        ({"alertSources": [{"id": 0}]}, "alertSources.0.id"),
        ({"alertSourceIds": [2**63]}, "alertSourceIds.0"),
        ({"teams": [{}]}, "teams.0.id"),
        ({"params": None}, "params"),
        ({"params": {}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "ftp://bus.example.org"}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "https://"}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "https://a.org:99999"}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "https://a@b@c.org"}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "https://a.org\\@b.org"}}, "params.webhookUrl"),
        ({"params": {"webhookUrl": "https://a.org/x y"}}, "params.webhookUrl"),
        ({"params": ACTION["params"] | {"headers": [{"key": "Host", "value": "a"}]}}, "params.headers.0.key"),
        ({"params": ACTION["params"] | {"headers": [{"key": "A:", "value": "a"}]}}, "params.headers.0.key"),
        ({"params": ACTION["params"] | {"headers": [{"key": "A", "value": "a\nb"}]}}, "params.headers.0.value"),
        ({"params": ACTION["params"] | {"headers": [{"key": "A", "value": "a"}] * 2}}, "params.headers"),
        ({"params": ACTION["params"] | {"bodyTemplate": "x" * 50_001}}, "params.bodyTemplate"),
        ({"connectorType": "email", "params": {"recipients": []}}, "params.recipients"),
        ({"connectorType": "email", "params": {"recipients": ["ada"]}}, "params.recipients.0"),
        ({"connectorType": "email", "params": {"recipients": ["a***@example.org"]}}, "params.recipients.0"),
        ({"connectorType": "reroute", "params": {"escalationPolicyId": "second"}}, "params.escalationPolicyId"),
        ({**AUTOMATION, "params": AUTOMATION["params"] | {"serviceIds": []}}, "params.serviceIds"),
        ({**AUTOMATION, "params": AUTOMATION["params"] | {"serviceStatus": "BROKEN"}}, "params.serviceStatus"),
        ({**AUTOMATION, "params": AUTOMATION["params"] | {"alertType": "RESOLVED"}}, "params.alertType"),
    ],
)
def test_what_is_wrong_with_an_action_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        ActionBody.model_validate(ACTION | change)
    assert next(iter(field_errors(wrong.value))) == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "zendesk"}, "type"),
        ({"name": ""}, "name"),
        ({"params": {"email": "a@example.org"}}, "params.url"),
        ({"params": {"url": "https://u:p@j.example.org", "email": "a@example.org"}}, "params.url"),
        ({"params": {"url": "https://j.example.org", "email": "ada"}}, "params.email"),
        ({"params": {"url": "https://j.example.org", "email": "a@example.org", "password": ""}}, "params.password"),
        ({"type": "slack", "params": {"apiUrl": "slack"}}, "params.apiUrl"),
    ],
)
def test_what_is_wrong_with_a_connector_is_named(body: dict[str, Any], field: str) -> None:
    good = {"type": "jira", "name": "Jira", "params": {"url": "https://j.example.org", "email": "a@example.org"}}
    ConnectorBody.model_validate(good)
    with pytest.raises(ValidationError) as wrong:
        ConnectorBody.model_validate(good | body)
    assert list(field_errors(wrong.value)) == [field]


def test_an_automation_begins_by_its_alert_type() -> None:
    assert ActionBody.model_validate(AUTOMATION).triggers == ("alert-acknowledged",)
    assert ActionBody.model_validate({**AUTOMATION, "triggerTypes": ["alert-created"]}).triggers == ("alert-created",)
    assert ActionBody.model_validate({**AUTOMATION, "triggerMode": "MANUAL"}).triggers == ()


def test_sources_are_named_in_the_present_and_in_the_older_way() -> None:
    assert ActionBody.model_validate({**ACTION, "alertSources": [{"id": 6}, {"id": 5}, {"id": 6}]}).sources == (6, 5)
    assert ActionBody.model_validate({**ACTION, "alertSources": None, "alertSourceIds": [7, "8"]}).sources == (7, 8)


def decided(outcome: list[Event] | Refusal) -> list[Event]:
    """Nothing, when it was refused."""
    return [] if isinstance(outcome, Refusal) else list(outcome)


def _first(history: list[Event], kind: type[Event]) -> int:
    return next((place for place, one in enumerate(history) if isinstance(one, kind)), len(history))
