"""Notification preferences over HTTP, in the published shapes: for alerts, duties ahead, updates of alerts, subscriptions."""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from fastapi import APIRouter, Response

from notifier.contacts import Choices
from notifier.desk import AtDesk, Desk, Owner
from notifier.domain.reach import DutyPreference, SubscriptionPreference, UpdatePreference
from notifier.shapes import (
    DutyBody,
    DutyResource,
    PreferenceBody,
    PreferenceResource,
    SubscriptionBody,
    SubscriptionResource,
    UpdateBody,
    UpdateResource,
)
from runtime.resources import answer, no_content
from web.guards import ApiError, Id

OF_USER: Final = "/api/users/{user}/notification-preferences"

router: Final = APIRouter()


class Numbered(Protocol):
    @property
    def id(self) -> int: ...


N = TypeVar("N", bound=Numbered)


def _found(number: int, preferences: Iterable[N]) -> N:
    found = next((one for one in preferences if one.id == number), None)
    if found is None:
        raise ApiError(404, "NOT_FOUND", f"There is no preference {number}")
    return found


def _location(desk: Desk, user: int, kind: str, number: int) -> str:
    return f"{desk.shell.settings.public_url}/api/users/{user}/notification-preferences/{kind}/{number}"


# -- alerts that call the user

ALERTS: Final = OF_USER + "/alerts"


@router.get(
    ALERTS, summary="List a user's notification preferences for alerts", response_model=list[PreferenceResource]
)
async def preferences(user: Owner, desk: AtDesk) -> Response:
    return answer(_alerts(await desk.contacts.choices(user)))


@router.post(
    ALERTS, summary="Add a notification preference for alerts", response_model=PreferenceResource, status_code=201
)
async def add_preference(user: Owner, body: PreferenceBody, desk: AtDesk) -> Response:
    number = await desk.contacts.prefer(user, body.wish)
    return answer(await _preference(desk, user, number), 201, location=_location(desk, user, "alerts", number))


@router.get(
    ALERTS + "/{preference}", summary="Get a notification preference for alerts", response_model=PreferenceResource
)
async def preference(user: Owner, preference: Id, desk: AtDesk) -> Response:
    return answer(await _preference(desk, user, preference))


@router.put(
    ALERTS + "/{preference}",
    summary="Replace a notification preference for alerts",
    response_model=PreferenceResource,
)
async def change_preference(user: Owner, preference: Id, body: PreferenceBody, desk: AtDesk) -> Response:
    await desk.contacts.prefer(user, body.wish, preference)
    return answer(await _preference(desk, user, preference))


@router.delete(ALERTS + "/{preference}", summary="Delete a notification preference for alerts", status_code=204)
async def delete_preference(user: Owner, preference: Id, desk: AtDesk) -> Response:
    await desk.contacts.drop(user, preference)
    return no_content()


def _alerts(chosen: Choices) -> list[PreferenceResource]:
    return [PreferenceResource.of(one, chosen.addresses[one.contact]) for one in chosen.person.preferences]


async def _preference(desk: Desk, user: int, number: int) -> PreferenceResource:
    return _found(number, _alerts(await desk.contacts.choices(user)))


# -- duties ahead

DUTIES: Final = OF_USER + "/duties"


@router.get(
    DUTIES, summary="List a user's notification preferences for duties ahead", response_model=list[DutyResource]
)
async def duties(user: Owner, desk: AtDesk) -> Response:
    return answer(_duties(await desk.contacts.choices(user)))


@router.post(
    DUTIES, summary="Add a notification preference for duties ahead", response_model=DutyResource, status_code=201
)
async def add_duty(user: Owner, body: DutyBody, desk: AtDesk) -> Response:
    number = await desk.contacts.prefer(user, body.wish)
    return answer(await _duty(desk, user, number), 201, location=_location(desk, user, "duties", number))


@router.get(DUTIES + "/{duty}", summary="Get a notification preference for duties ahead", response_model=DutyResource)
async def duty(user: Owner, duty: Id, desk: AtDesk) -> Response:
    return answer(await _duty(desk, user, duty))


@router.put(
    DUTIES + "/{duty}", summary="Replace a notification preference for duties ahead", response_model=DutyResource
)
async def change_duty(user: Owner, duty: Id, body: DutyBody, desk: AtDesk) -> Response:
    await desk.contacts.prefer(user, body.wish, duty)
    return answer(await _duty(desk, user, duty))


@router.delete(DUTIES + "/{duty}", summary="Delete a notification preference for duties ahead", status_code=204)
async def delete_duty(user: Owner, duty: Id, desk: AtDesk) -> Response:
    await desk.contacts.drop(user, duty, DutyPreference)
    return no_content()


def _duties(chosen: Choices) -> list[DutyResource]:
    return [DutyResource.of(one, chosen.addresses[one.contact]) for one in chosen.person.duties]


async def _duty(desk: Desk, user: int, number: int) -> DutyResource:
    return _found(number, _duties(await desk.contacts.choices(user)))


# -- updates of alerts

UPDATES: Final = OF_USER + "/updates"


@router.get(
    UPDATES, summary="List a user's notification preferences for updates of alerts", response_model=list[UpdateResource]
)
async def updates(user: Owner, desk: AtDesk) -> Response:
    return answer(_updates(await desk.contacts.choices(user)))


@router.post(
    UPDATES,
    summary="Add a notification preference for updates of alerts",
    response_model=UpdateResource,
    status_code=201,
)
async def add_update(user: Owner, body: UpdateBody, desk: AtDesk) -> Response:
    number = await desk.contacts.prefer(user, body.wish)
    return answer(await _update(desk, user, number), 201, location=_location(desk, user, "updates", number))


@router.get(
    UPDATES + "/{update}",
    summary="Get a notification preference for updates of alerts",
    response_model=UpdateResource,
)
async def update(user: Owner, update: Id, desk: AtDesk) -> Response:
    return answer(await _update(desk, user, update))


@router.put(
    UPDATES + "/{update}",
    summary="Replace a notification preference for updates of alerts",
    response_model=UpdateResource,
)
async def change_update(user: Owner, update: Id, body: UpdateBody, desk: AtDesk) -> Response:
    await desk.contacts.prefer(user, body.wish, update)
    return answer(await _update(desk, user, update))


@router.delete(UPDATES + "/{update}", summary="Delete a notification preference for updates of alerts", status_code=204)
async def delete_update(user: Owner, update: Id, desk: AtDesk) -> Response:
    await desk.contacts.drop(user, update, UpdatePreference)
    return no_content()


def _updates(chosen: Choices) -> list[UpdateResource]:
    return [UpdateResource.of(one, chosen.addresses[one.contact]) for one in chosen.person.updates]


async def _update(desk: Desk, user: int, number: int) -> UpdateResource:
    return _found(number, _updates(await desk.contacts.choices(user)))


# -- subscriptions

SUBSCRIPTIONS: Final = OF_USER + "/subscriptions"


@router.get(
    SUBSCRIPTIONS,
    summary="List a user's notification preferences for subscriptions",
    response_model=list[SubscriptionResource],
)
async def subscriptions(user: Owner, desk: AtDesk) -> Response:
    return answer(_subscriptions(await desk.contacts.choices(user)))


@router.post(
    SUBSCRIPTIONS,
    summary="Add a notification preference for subscriptions",
    response_model=SubscriptionResource,
    status_code=201,
)
async def add_subscription(user: Owner, body: SubscriptionBody, desk: AtDesk) -> Response:
    number = await desk.contacts.prefer(user, body.wish)
    return answer(await _subscription(desk, user, number), 201, location=_location(desk, user, "subscriptions", number))


@router.get(
    SUBSCRIPTIONS + "/{subscription}",
    summary="Get a notification preference for subscriptions",
    response_model=SubscriptionResource,
)
async def subscription(user: Owner, subscription: Id, desk: AtDesk) -> Response:
    return answer(await _subscription(desk, user, subscription))


@router.put(
    SUBSCRIPTIONS + "/{subscription}",
    summary="Replace a notification preference for subscriptions",
    response_model=SubscriptionResource,
)
async def change_subscription(user: Owner, subscription: Id, body: SubscriptionBody, desk: AtDesk) -> Response:
    await desk.contacts.prefer(user, body.wish, subscription)
    return answer(await _subscription(desk, user, subscription))


@router.delete(
    SUBSCRIPTIONS + "/{subscription}", summary="Delete a notification preference for subscriptions", status_code=204
)
async def delete_subscription(user: Owner, subscription: Id, desk: AtDesk) -> Response:
    await desk.contacts.drop(user, subscription, SubscriptionPreference)
    return no_content()


def _subscriptions(chosen: Choices) -> list[SubscriptionResource]:
    return [SubscriptionResource.of(one, chosen.addresses[one.contact]) for one in chosen.person.subscriptions]


async def _subscription(desk: Desk, user: int, number: int) -> SubscriptionResource:
    return _found(number, _subscriptions(await desk.contacts.choices(user)))
