"""Cron expressions. The library is imported with the first of them: most servers start without one, 30 ms sooner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime


def is_cron(expression: str) -> bool:
    """Return whether it is a cron expression of five fields."""
    from croniter import croniter

    return croniter.is_valid(expression)


def cron_times(expression: str, begin: datetime, *, day_or: bool) -> Iterator[datetime]:
    """Yield the times after `begin`, in its kind of time, for ever; `day_or` joins both day fields by "or".

    Raises `ValueError`, `AttributeError` or `TypeError` for what is no expression, `OverflowError` at the end of time.
    """
    from croniter import croniter

    walk = croniter(expression, begin, day_or=day_or)
    while True:
        yield walk.get_next(datetime)
