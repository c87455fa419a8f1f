"""The REST edge of subscriptions: which users and teams hear of an incident, a service or a status page."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response

from events.statuspage import Subject
from runtime.access import Access
from runtime.resources import answer, no_content
from statuspage.bodies.incidents import OneOrMore, Subscribers
from statuspage.desk import Anybody, AtDesk, Knows
from statuspage.domain.subscription import About, Who
from statuspage.shapes.incidents import SubscriberResource
from web.guards import Id

router: Final = APIRouter()


def _shown(who: list[Who], access: Access) -> list[SubscriberResource]:
    return [SubscriberResource.of(one, access) for one in who]


def _serve(collection: str, subject: Subject, *, is_replaceable: bool) -> None:
    """The routes of one kind of thing. Writes answer 202 with the list: ilert's Go client reads it."""
    path = f"/api/{collection}/{{number}}/private-subscribers"
    thing = subject.value.lower().replace("_", " ")

    @router.get(
        path, summary=f"List the users and teams that hear of the {thing}", response_model=list[SubscriberResource]
    )
    async def listed(number: Id, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
        return answer(_shown(await desk.subscriptions.of(About(subject, number), caller), access))

    @router.post(
        path,
        summary=f"Subscribe users and teams to the {thing}",
        response_model=list[SubscriberResource],
        status_code=202,
    )
    async def add(number: Id, body: OneOrMore, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
        who = [one.who for one in body]
        return answer(_shown(await desk.subscriptions.add(About(subject, number), who, caller), access), 202)

    @router.delete(f"{path}/{{subscriber}}", summary=f"End a subscription to the {thing}", status_code=204)
    async def remove(
        number: Id,
        subscriber: Id,
        caller: Anybody,
        desk: AtDesk,
        kind: Annotated[Literal["USER", "TEAM"], Query(alias="subscriber-type")],
    ) -> Response:
        who = Who(user=subscriber) if kind == "USER" else Who(team=subscriber)
        await desk.subscriptions.remove(About(subject, number), who, caller)
        return no_content()

    if is_replaceable:

        @router.put(
            path,
            summary=f"Set the users and teams that hear of the {thing}",
            response_model=list[SubscriberResource],
            status_code=202,
        )
        async def replace(number: Id, body: Subscribers, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
            who = [one.who for one in body]
            return answer(_shown(await desk.subscriptions.replace(About(subject, number), who, caller), access), 202)


_serve("incidents", Subject.INCIDENT, is_replaceable=False)
_serve("services", Subject.SERVICE, is_replaceable=True)
_serve("status-pages", Subject.STATUS_PAGE, is_replaceable=True)
