"""What clients send about incident templates."""

from typing import Annotated

from pydantic import AfterValidator

from events.statuspage import IncidentStatus
from runtime.resources import Body
from statuspage.bodies.fields import Refs, Text, Words, broken
from statuspage.domain.template import PLACEHOLDERS, unknown_placeholders


def _known(text: str) -> str:
    for name in unknown_placeholders(text):
        raise broken(f"there is no placeholder {{{{{name[:100]}}}}}; known are {', '.join(PLACEHOLDERS)}")
    return text


class TemplateBody(Body):
    """A whole template: what is left out is as if it had never been set."""

    name: Words
    summary: Annotated[Words, AfterValidator(_known)]
    status: IncidentStatus = IncidentStatus.INVESTIGATING
    message: Annotated[Text, AfterValidator(_known)] | None = None
    send_notification: bool | None = None
    teams: Refs | None = None
