"""Times short enough for a list, always with an offset; screens and commands write them the same."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


def offset_of(moment: datetime) -> str:
    """Return the offset of a local time as `+01`, `+05:30`, or `UTC`."""
    offset = moment.utcoffset() or timedelta(0)
    if not offset and moment.tzname() in ("UTC", "Etc/UTC", None):
        return "UTC"
    sign = "-" if offset < timedelta(0) else "+"
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    return f"{sign}{hours:02}:{minutes:02}" if minutes else f"{sign}{hours:02}"


def short_stamp(moment: datetime | None, now: datetime, zone: tzinfo) -> str:
    """Return a time for a list, 16 cells at most: `14:00:28 +01` today, else `11-23 14:00 +01` or with the year."""
    if moment is None:
        return "-"
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S} {offset_of(local)}"
    if local.year == today.year:
        return f"{local:%m-%d %H:%M} {offset_of(local)}"
    return f"{local:%Y-%m-%d} {offset_of(local)}"
