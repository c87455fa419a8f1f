"""What mails to public subscribers hold, before they are written: the link that a person asked for, or news of a page."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from events.statuspage import Occasion, ServiceStatus


class Part(BaseModel):
    """A piece of a delivery's payload."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ServiceSaid(Part):
    """A service that news are about, and how it is said to be."""

    service: int
    name: str
    status: ServiceStatus


class News(Part):
    """Something that the public is told of: an incident, or a maintenance (exactly one is named).

    `status` is a word for people (`Investigating`, `Planned`), `message` is markdown.
    """

    occasion: Occasion
    title: str
    message: str = ""
    status: str = ""
    services: tuple[ServiceSaid, ...]
    incident: int | None = None
    maintenance: int | None = None


class Purpose(StrEnum):
    CONFIRM = "CONFIRM"
    REMIND = "REMIND"
    LINK = "LINK"
    NEWS = "NEWS"


class Letter(Part):
    """One mail to one subscriber; `mail` is its number, `at` when it was decided."""

    mail: int
    purpose: Purpose
    page: int
    subscriber: int
    at: AwareDatetime
    news: News | None = None
