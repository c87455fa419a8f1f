"""Words, dates and durations in the viewer's language and zone; in come values, out comes text."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.support import NullTranslations, Translations

LOCALES: Final = Path(__file__).parent / "locale"


@dataclass(frozen=True)
class Tongue:
    """How one viewer reads: an IANA zone and a locale such as `en` or `de_AT`; what is unknown falls back to UTC and
    English.
    """

    zone: str = "UTC"
    locale: str = "en"


_current: ContextVar[Tongue] = ContextVar("tongue", default=Tongue())  # noqa: B039 (frozen)


@contextmanager
def speaking(tongue: Tongue) -> Iterator[None]:
    """Everything said inside is said for this viewer."""
    token = _current.set(tongue)
    try:
        yield
    finally:
        _current.reset(token)


def gettext(message: str) -> str:
    return _catalogue(_current.get().locale).gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    return _catalogue(_current.get().locale).ngettext(singular, plural, number)


def short_date(at: datetime) -> str:
    """`3 Mar, 03:00` in the viewer's zone; with its abbreviation where the clock shows this time twice."""
    text = _dated(_minute(at), "d MMM, HH:mm", _current.get())
    return f"{text} {_zone_at(at)}" if _is_shown_twice(at) else text


def near_date(at: datetime, now: datetime) -> str:
    """As short as it can be: `03:00` on the viewer's day of `now`, else `3 Mar, 03:00`, in another year `3 Mar 2025, 03:00`."""
    here = zone(_current.get().zone)
    day, today = at.astimezone(here).date(), now.astimezone(here).date()
    if day.year != today.year:
        return _dated(_minute(at), "d MMM y, HH:mm", _current.get())
    if day != today or _is_shown_twice(at):
        return short_date(at)
    return clock_time(at)


def exact_date(at: datetime) -> str:
    """`Tue 3 Mar 2026, 03:00:12 CET`: the zone is said, since on one night a year 02:30 exists twice."""
    return f"{_dated(at.astimezone(UTC), 'EEE d MMM yyyy, HH:mm:ss', _current.get())} {_zone_at(at)}"


def clock_time(at: datetime) -> str:
    return _dated(_minute(at), "HH:mm", _current.get())


def day_name(day: date) -> str:
    """`Tue 3 Mar`."""
    return format_date(day, "EEE d MMM", locale=_locale(_current.get().locale))


def zone_name() -> str:
    return zone(_current.get().zone).key


def language() -> str:
    """What `<html lang>` says."""
    return str(_locale(_current.get().locale)).replace("_", "-")


def ago(at: datetime, now: datetime, style: Literal["long", "narrow"] = "long") -> str:
    """`5 minutes ago`, `in 2 hours` (narrow: `5m ago`, `in 2h`); within ten seconds it is now."""
    delta = at - now
    if abs(delta) < timedelta(seconds=10):
        return gettext("just now")
    return format_timedelta(delta, add_direction=True, locale=_locale(_current.get().locale), threshold=1, format=style)


def duration(length: timedelta) -> str:
    """`2 hours 5 minutes`: the two largest units that are not zero."""
    seconds = int(abs(length).total_seconds())
    parts: list[tuple[str, int, int]] = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append((unit, size, count))
    return " ".join(_counted(size, count, unit) for unit, size, count in parts[:2] if count) or _counted(1, 0, "second")


def rule_broken(kind: str, context: Mapping[str, Any], otherwise: str) -> str:
    """Our sentence for a rule of pydantic's, by its error type; `otherwise` where we have none."""
    words = _RULES.get(kind)
    return gettext(words) % context if words else otherwise


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def noop(message: str) -> str:
    """Marks a message for extraction where it is kept, to be said later."""
    return message


_RULES: Final[dict[str, str]] = {
    "missing": noop("is required"),
    "extra_forbidden": noop("is not known here"),
    "string_type": noop("must be text"),
    "string_too_short": noop("must have at least %(min_length)s characters"),
    "string_too_long": noop("must have at most %(max_length)s characters"),
    "string_pattern_mismatch": noop("has the wrong form"),
    "string_unicode": noop("must be valid Unicode"),
    "int_type": noop("must be a whole number"),
    "int_parsing": noop("must be a whole number"),
    "int_from_float": noop("must be a whole number"),
    "int_parsing_size": noop("is too large"),
    "float_type": noop("must be a number"),
    "float_parsing": noop("must be a number"),
    "bool_type": noop("must be true or false"),
    "bool_parsing": noop("must be true or false"),
    "greater_than": noop("must be more than %(gt)s"),
    "greater_than_equal": noop("must be at least %(ge)s"),
    "less_than": noop("must be less than %(lt)s"),
    "less_than_equal": noop("must be at most %(le)s"),
    "enum": noop("must be %(expected)s"),
    "literal_error": noop("must be %(expected)s"),
    "list_type": noop("must be a list"),
    "too_short": noop("must have at least %(min_length)s entries"),
    "too_long": noop("must have at most %(max_length)s entries"),
    "dict_type": noop("must be an object"),
    "model_type": noop("must be an object"),
    "model_attributes_type": noop("must be an object"),
    "datetime_type": noop("must be an instant such as 2026-03-01T03:00:00Z"),
    "datetime_parsing": noop("must be an instant such as 2026-03-01T03:00:00Z"),
    "datetime_from_date_parsing": noop("must be an instant such as 2026-03-01T03:00:00Z"),
    "timezone_aware": noop("must name its offset, such as 2026-03-01T03:00:00Z"),
    "json_type": noop("must be JSON"),
}


@lru_cache(maxsize=64)
def _catalogue(name: str) -> NullTranslations:
    return Translations.load(LOCALES, [str(_locale(name))])


@lru_cache(maxsize=64)
def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache(maxsize=4096)
def _dated(at: datetime, pattern: str, tongue: Tongue) -> str:
    """Dates are half of a page's time: each distinct minute is formatted once."""
    return format_datetime(at, pattern, tzinfo=zone(tongue.zone), locale=_locale(tongue.locale))


def _zone_at(at: datetime) -> str:
    return _zone_abbreviation(_minute(at), _current.get().zone)


@lru_cache(maxsize=4096)
def _zone_abbreviation(at: datetime, name: str) -> str:
    """`CET`; `UTC+03` for zones without an abbreviation."""
    short = at.astimezone(zone(name)).tzname() or name
    return f"UTC{short}" if short.startswith(("+", "-")) else short


def _is_shown_twice(at: datetime) -> bool:
    local = at.astimezone(zone(_current.get().zone))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _counted(size: int, count: int, unit: Any) -> str:
    length = timedelta(seconds=size * count)
    return format_timedelta(length, granularity=unit, threshold=10**9, locale=_locale(_current.get().locale))
