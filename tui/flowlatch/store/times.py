"""Times as the store keeps them: text in UTC that sorts as time. Source: contract.md §3.6."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_FORM = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<offset_hour>\d\d):?(?P<offset_minute>\d\d))?",
    re.ASCII,
)
FORMS = "YYYY-MM-DD HH:MM:SS, also with T, a fraction and Z or ±HH:MM; no zone means UTC"
"""The accepted forms, for error messages."""


def utc_text(moment: datetime) -> str:
    """Return an aware time as `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """Return the aware UTC time of a text that `utc_text` or `canonical_time` made."""
    return datetime.fromisoformat(text)


def canonical_time(text: str) -> str:
    """Return a time in any form of contract.md §3.6 as stored text; a fraction is cut to microseconds.

    Raises `ValueError` for any other form, days and hours that do not exist, and years outside 1970–9999 in UTC.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"a time must have the form {FORMS}")
    year, month, day = (int(part) for part in match["date"].split("-"))
    offset = timedelta(0)
    if match["sign"]:
        hours, minutes = int(match["offset_hour"]), int(match["offset_minute"])
        if hours > 23 or minutes > 59:
            raise ValueError("the offset of a time must lie between -23:59 and +23:59")
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if match["sign"] == "-" else 1)
    try:
        local = datetime(
            year,
            month,
            day,
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            int((match["fraction"] or "").ljust(6, "0")[:6]),
            tzinfo=timezone(offset),
        )
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("that day or time does not exist") from None
    if moment.year < 1970:
        raise ValueError("a time must lie between the years 1970 and 9999 in UTC")
    return utc_text(moment)


def add_seconds(text: str, seconds: float) -> str:
    """Return the stored time `seconds` later; the last moment of the year 9999 at most."""
    return text_after(from_text(text), seconds)


def text_after(moment: datetime, seconds: float) -> str:
    """Return the time `seconds` after an aware one as stored text; the last moment of the year 9999 at most."""
    try:
        return utc_text(moment + timedelta(seconds=seconds))
    except OverflowError:
        return utc_text(datetime.max.replace(tzinfo=UTC))


def microseconds_between(start: str, end: str) -> int:
    """Return `end - start` of two stored times in whole microseconds."""
    return (from_text(end) - from_text(start)) // timedelta(microseconds=1)
