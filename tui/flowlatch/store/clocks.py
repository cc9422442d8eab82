"""When a serialized Prefect 1 schedule fires next: interval, cron and dates clocks, filters and adjustments.

The document is `{clocks: [{type, …}], filters, or_filters, not_filters, adjustments}`, as `flow.schedule` keeps it.
Whatever is not understood raises `UnknownSchedule`: a run at a wrong time is worse than none.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowlatch.store.cron import cron_times
from flowlatch.store.schedule_filters import UnknownSchedule, adjust, is_allowed
from flowlatch.store.times import canonical_time

__all__ = ["Event", "UnknownSchedule", "next_events", "time_zone"]

CANDIDATES = 2_000
"""Times looked at for one schedule at most: filters may let none pass."""
DEFAULT_START = datetime(2019, 1, 1, tzinfo=UTC)
"""Where an interval clock without a start date begins, as in the client."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Event:
    """One time at which a schedule fires, with what its clock sets for the run."""

    start_time: datetime
    """Aware, in the zone of its clock."""
    parameters: dict[str, Any] = field(default_factory=dict, compare=False)
    labels: list[str] | None = field(default=None, compare=False)


def next_events(schedule: Any, after: datetime, count: int) -> list[Event]:
    """Return the next `count` events later than `after` (aware), oldest first; fewer if the schedule ends.

    Raises `UnknownSchedule`.
    """
    if not isinstance(schedule, dict) or not isinstance(schedule.get("clocks"), list):
        raise UnknownSchedule("it has no list of clocks")
    merged = heapq.merge(*(_events(clock, after) for clock in schedule["clocks"]))
    chosen: list[Event] = []
    for event in islice(merged, CANDIDATES):
        if is_allowed(schedule, event.start_time):
            moment = adjust(schedule, event.start_time)
            moved = Event(moment.astimezone(UTC), event.parameters, event.labels)
            if moved not in chosen or _differs(moved, chosen):
                chosen.append(moved)
        if len(chosen) == count:
            break
    return chosen


def _differs(event: Event, chosen: list[Event]) -> bool:
    """True when no chosen event of that time has the same parameters and labels."""
    return all(
        (other.parameters, other.labels) != (event.parameters, event.labels)
        for other in chosen
        if other.start_time == event.start_time
    )


def _events(clock: Any, after: datetime) -> Iterator[Event]:
    if not isinstance(clock, dict):
        raise UnknownSchedule("a clock is no object")
    parameters, labels = clock.get("parameter_defaults") or {}, clock.get("labels")
    if not isinstance(parameters, dict):
        raise UnknownSchedule("parameter_defaults of a clock must be an object")
    start, end = read_moment(clock.get("start_date")), read_moment(clock.get("end_date"))
    match clock.get("type"):
        case "IntervalClock":
            moments = _interval_moments(clock, start or DEFAULT_START, after)
        case "CronClock":
            moments = _cron_moments(clock, start, after)
        case "DatesClock":
            dates = [read_moment(moment) for moment in clock.get("dates") or []]
            moments = (moment for moment in sorted(filter(None, dates)) if moment > after)
        case other:
            raise UnknownSchedule(f"the clock type {other!r} is not known")
    for moment in moments:
        if end is not None and moment > end:
            return
        yield Event(moment, parameters, labels)


def _interval_moments(clock: dict[str, Any], start: datetime, after: datetime) -> Iterator[datetime]:
    """Walk by the interval: whole days by the wall clock of the start's zone, the rest by elapsed time."""
    us = clock.get("interval")
    if isinstance(us, bool) or not isinstance(us, int) or us < 1:
        raise UnknownSchedule("the interval of a clock must be a positive number of microseconds")
    interval = timedelta(microseconds=us)
    # The wall clock may be an hour or two off the elapsed time, so begin a little early and drop what is past.
    steps = max((after - _DAY - start) // interval, 0)
    while True:
        total = interval * steps
        days, rest = divmod(total, _DAY)
        try:
            wall = start.replace(tzinfo=None) + timedelta(days=days)
            moment = (wall.replace(tzinfo=start.tzinfo).astimezone(UTC) + rest).astimezone(start.tzinfo)
        except OverflowError:
            return
        if moment > after:
            yield moment
        steps += 1


def _cron_moments(clock: dict[str, Any], start: datetime | None, after: datetime) -> Iterator[datetime]:
    """Walk by the wall clock of the start's zone; a time that a clock change skips or repeats fires once."""
    zone = (start.tzinfo if start is not None else None) or UTC
    begin = after if start is None else max(after, start - timedelta(seconds=1))
    expression = str(clock.get("cron"))
    try:
        last = begin
        wall = begin.astimezone(zone).replace(tzinfo=None)
        for time in cron_times(expression, wall, day_or=clock.get("day_or", True)):
            moment = time.replace(tzinfo=zone)
            in_utc = moment.astimezone(UTC)
            if in_utc > last:
                yield in_utc.astimezone(zone)
                last = in_utc
    except (ValueError, AttributeError, TypeError) as error:
        raise UnknownSchedule(f"the cron expression {expression!r} cannot be used: {error}") from None
    except OverflowError:
        return


def read_moment(value: Any) -> datetime | None:
    """Return an aware time from `{dt, tz}` (wall clock and zone) or ISO text (UTC unless said), None for None."""
    if value is None:
        return None
    try:
        if isinstance(value, dict):
            wall = datetime.fromisoformat(value["dt"]).replace(tzinfo=None)
            return wall.replace(tzinfo=time_zone(value.get("tz") or "UTC"))
        return datetime.fromisoformat(canonical_time(value))
    except (ValueError, TypeError, KeyError) as error:
        raise UnknownSchedule(f"a date of a clock cannot be read: {error}") from None


def time_zone(name: str) -> tzinfo:
    """Return a zone by its name, or by its offset `+02:00`. Raises `ValueError`."""
    if name[:1] in "+-":
        return timezone(datetime.strptime(name, "%z").utcoffset() or timedelta(0))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None
