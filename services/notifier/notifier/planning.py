"""From «this person must be told» to a plan, whoever is known first: the person or the alert.

Both sides lock: a demand for a stranger locks the person before it is parked, an introduction plans what was parked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from events.machinery import SYNTHETIC
from events.topics import VAULTS
from notifier.domain import dossier as dossiers
from notifier.domain.dossier import Dossier
from notifier.domain.page import Ask, Demand, Park, Parked, Route, lack, routes
from notifier.domain.reach import Forget, Forgotten, Introduce, Offer, Reachable, State, Unknown
from notifier.streams import PAGE, PERSON
from runtime.breath import breathing
from runtime.unit import NO_CAUSE, Cause, Unit

DOSSIERS: Final = "alert"
PARKED: Final = "parked"
VAULT: Final = VAULTS["notifier"].name
GONE: Final = "This person is not here any more."


@dataclass(frozen=True)
class Wish:
    """Somebody must be told of an alert, and what said so."""

    alert: int
    user: int
    demand: Demand
    cause: Cause


def page_number(alert: int, user: int) -> str:
    """The id of a page's stream: `page-<alert>-<user>`."""
    return f"{alert}-{user}"


# -- dossiers


async def read_dossiers(unit: Unit, alerts: Iterable[int]) -> dict[int, Dossier]:
    """What we believe of these alerts, unknown ones included."""
    wanted = set(alerts)
    texts = await unit.index(DOSSIERS, map(str, wanted))
    return {
        alert: dossiers.load(texts[str(alert)]) if str(alert) in texts else Dossier(alert)
        async for alert in breathing(wanted)
    }


async def open_dossiers(unit: Unit, alerts: Iterable[int]) -> dict[int, Dossier]:
    """As `read_dossiers`, and nobody else changes them until we commit: an answer and a page of it meet here."""
    wanted = set(alerts)
    if wanted:
        await unit.tx.lock(f"dossier-{alert}" for alert in wanted)
    return await read_dossiers(unit, wanted)


def keep_dossiers(unit: Unit, changed: Iterable[Dossier]) -> None:
    unit.put(DOSSIERS, {str(one.alert): dossiers.dump(one) for one in changed})


# -- plans


async def plan(unit: Unit, known: dict[int, Dossier], wishes: Sequence[Wish], minute: timedelta) -> None:
    """Ask for each wish, or park it. `known` are the alerts' locked dossiers; they remember who was to be told."""
    people = await _people(unit, {wish.user for wish in wishes})
    await unit.load(PAGE, {page_number(wish.alert, wish.user) for wish in wishes})
    fresh = await _fresh_ids(unit, people, wishes)
    async for wish in breathing(wishes):
        _plan_one(unit, known[wish.alert], wish, people[wish.user], fresh, minute)
        known[wish.alert] = known[wish.alert].told(wish.user, wish.cause.traceparent)


def _plan_one(unit: Unit, known: Dossier, wish: Wish, person: State, fresh: list[int], minute: timedelta) -> None:
    page = page_number(wish.alert, wish.user)
    if isinstance(person, Unknown):
        unit.decide(PAGE, page, Park(wish.alert, wish.user, wish.demand, unit.at), wish.cause)
        unit.put(PARKED, {f"{wish.user}/{wish.alert}": "parked"})
        return
    ways, why_none = _ways(person, wish.demand, fresh, minute)
    asked = Ask(wish.alert, wish.user, wish.demand, ways, unit.at, why_none, known.stop)
    unit.decide(PAGE, page, asked, wish.cause)


def _ways(person: State, demand: Demand, fresh: list[int], minute: timedelta) -> tuple[tuple[Route, ...], str]:
    if not isinstance(person, Reachable):
        return (), GONE
    mine = tuple(fresh.pop() for _ in person.preferences)
    return routes(person, demand.priority, minute, mine), lack(person, demand.priority)


async def _people(unit: Unit, users: set[int]) -> Mapping[int, State]:
    """How these people are reached. A stranger is locked and looked at again, so that no introduction slips between."""
    found = await unit.peek(PERSON, users)
    known = {user: found[PERSON.stream(user)].state for user in users}
    strangers = {user for user, state in known.items() if isinstance(state, Unknown)}
    await unit.load(PERSON, strangers)
    if SYNTHETIC in strangers:  # nobody will ever introduce the person of the suite's own check
        await introduce(unit, {SYNTHETIC: Newcomer("the suite's own sink")}, timedelta(minutes=1))
    return known | {user: unit.state(PERSON, user) for user in strangers}


async def _fresh_ids(unit: Unit, people: Mapping[int, State], wishes: Sequence[Wish]) -> list[int]:
    """An id for every route that may be needed, the lowest taken first."""
    reachable = [person for wish in wishes if isinstance(person := people[wish.user], Reachable)]
    needed = sum(len(person.preferences) for person in reachable)
    return sorted(await unit.draw("notification", needed), reverse=True)


# -- people


@dataclass(frozen=True)
class Newcomer:
    """A user exists: `mask` is their sign-in address made unreadable."""

    mask: str
    cause: Cause = NO_CAUSE


async def introduce(unit: Unit, people: Mapping[int, Newcomer], minute: timedelta) -> None:
    """Those who are not known yet get what a new person has, and what waited for them; others' masks are brought up to date."""
    await unit.load(PERSON, people)
    strangers = [user for user in people if isinstance(unit.state(PERSON, user), Unknown)]
    contacts = await unit.draw("contact", len(strangers))
    preferences = await unit.draw("preference", 2 * len(strangers))
    for user, new in people.items():
        contact, high, low = (
            (contacts.pop(), preferences.pop(-2), preferences.pop()) if user in strangers else (0, 0, 0)
        )
        unit.decide(PERSON, user, Introduce(user, new.mask, contact, high, low, unit.at), new.cause)
    await offer(unit, strangers)
    for user in strangers:
        await _plan_parked(unit, user, minute, people[user].cause)


async def offer(unit: Unit, users: Iterable[int]) -> None:
    """Those who never chose how to hear of what they subscribe to hear by their first contact."""
    wanted = set(users)
    await unit.load(PERSON, wanted)
    silent = [user for user in sorted(wanted) if _never_chose(unit.state(PERSON, user))]
    for user, number in zip(silent, await unit.draw("preference", len(silent)), strict=True):
        unit.decide(PERSON, user, Offer(user, number, unit.at))


def _never_chose(person: State) -> bool:
    return isinstance(person, Reachable) and not person.chose


async def forget(unit: Unit, user: int, minute: timedelta, cause: Cause = NO_CAUSE) -> None:
    """This user left: their addresses are erased, and what waited for them ends."""
    await unit.load(PERSON, [user])
    before = unit.state(PERSON, user)
    unit.decide(PERSON, user, Forget(user, unit.at), cause)
    for contact in before.contacts if isinstance(before, Reachable) else ():
        if contact.cell is not None:
            await unit.erase_cell(VAULT, contact.cell)
    if not isinstance(before, Forgotten):
        await _plan_parked(unit, user, minute, cause)


async def _plan_parked(unit: Unit, user: int, minute: timedelta, cause: Cause) -> None:
    """The pages that waited until this person was known."""
    parked = await unit.scan(PARKED, f"{user}/")
    alerts = [int(key.partition("/")[2]) for key in parked]
    known = await open_dossiers(unit, alerts)
    await unit.load(PAGE, {page_number(alert, user) for alert in alerts})
    wishes = [wish for alert in alerts for wish in _parked_wishes(unit, alert, user, known[alert], cause)]
    await plan(unit, known, wishes, minute)
    unit.put(PARKED, dict.fromkeys(parked))


def _parked_wishes(unit: Unit, alert: int, user: int, known: Dossier, cause: Cause) -> list[Wish]:
    state = unit.state(PAGE, page_number(alert, user))
    because = Cause(cause.event_id, known.trace or cause.traceparent)
    return [Wish(alert, user, demand, because) for demand in state.demands] if isinstance(state, Parked) else []
