"""Filters and adjustments of a serialized Prefect 1 schedule: `{fn: "prefect.schedules.filters.NAME", kwargs: {…}}`."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flowlatch.store.times import canonical_time

FILTERS = "prefect.schedules.filters."
ADJUSTMENTS = "prefect.schedules.adjustments."


class UnknownSchedule(Exception):
    """A part of a schedule that is not understood; one line."""


def is_allowed(schedule: dict[str, Any], moment: datetime) -> bool:
    """True when a time passes all `filters`, one of `or_filters` if there are any, and none of `not_filters`."""
    every, some, none = (schedule.get(key) or [] for key in ("filters", "or_filters", "not_filters"))
    return (
        all(_passes(entry, moment) for entry in every)
        and (not some or any(_passes(entry, moment) for entry in some))
        and not any(_passes(entry, moment) for entry in none)
    )


def adjust(schedule: dict[str, Any], moment: datetime) -> datetime:
    """Return a time moved by the schedule's adjustments, one after the other."""
    for entry in schedule.get("adjustments") or []:
        name, values = _reference(entry, ADJUSTMENTS)
        match name:
            case "add":
                moment += timedelta(microseconds=_whole(values, "interval"))
            case "next_weekday":
                while moment.weekday() > 4:
                    moment += timedelta(days=1)
            case _:
                raise UnknownSchedule(f"the adjustment {name!r} is not known")
    return moment


def _passes(entry: Any, moment: datetime) -> bool:
    name, values = _reference(entry, FILTERS)
    match name:
        case "on_datetime":
            return moment == _moment(values, "dt", moment)
        case "between_datetimes":
            return _moment(values, "start", moment) <= moment <= _moment(values, "end", moment)
        case "on_date":
            return (moment.month, moment.day) == (_whole(values, "month"), _whole(values, "day"))
        case "between_dates":
            first = (_whole(values, "start_month"), _whole(values, "start_day"))
            last = (_whole(values, "end_month"), _whole(values, "end_day"))
            return _between(first, (moment.month, moment.day), last)
        case "at_time":
            return moment.time() == _clock_time(values, "t")
        case "between_times":
            return _between(_clock_time(values, "start"), moment.time(), _clock_time(values, "end"))
        case "is_weekday":
            return moment.weekday() < 5
        case "is_weekend":
            return moment.weekday() > 4
        case "is_day_of_week":
            return moment.isoweekday() % 7 == _whole(values, "day_of_week")  # 0 = Sunday
        case "is_month_start":
            return moment.day == 1
        case "is_month_end":
            return (moment + timedelta(days=1)).day == 1
        case _:
            raise UnknownSchedule(f"the filter {name!r} is not known")


def _between(first: Any, value: Any, last: Any) -> bool:
    """True when `value` lies in a range that may wrap around the end of the year or the day."""
    return bool(first <= value <= last if first <= last else value >= first or value <= last)


def _reference(entry: Any, prefix: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("fn"), str):
        raise UnknownSchedule("a filter or adjustment names no function")
    return entry["fn"].removeprefix(prefix), entry.get("kwargs") or {}


def _whole(values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnknownSchedule(f"{key} of a filter or adjustment must be a whole number")
    return value


def _clock_time(values: dict[str, Any], key: str) -> time:
    try:
        return time.fromisoformat(values[key])
    except (KeyError, TypeError, ValueError):
        raise UnknownSchedule(f"{key} of a filter must be a time of day") from None


def _moment(values: dict[str, Any], key: str, like: datetime) -> datetime:
    """Return a time of a filter; one without a zone is in that of the clock."""
    value = values.get(key)
    if isinstance(value, dict):
        value = value.get("dt")
    try:
        if not isinstance(value, str):
            raise ValueError("no text")
        naive = datetime.fromisoformat(value)
        if naive.tzinfo is None:
            return naive.replace(tzinfo=like.tzinfo)
        return datetime.fromisoformat(canonical_time(value))
    except ValueError:
        raise UnknownSchedule(f"{key} of a filter must be a date and time") from None
