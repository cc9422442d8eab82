"""Times and lengths of time as the tables show them, always with an offset."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from flowlatch.model.run import FlowRun, TaskRun


def stamp(moment: datetime | None, zone: tzinfo) -> str:
    """Return `2026-11-23 14:00:00 +01:00`, `-` for None."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def length(seconds: float | None) -> str:
    """Return `41s`, `1m12s`, `2h05m` or `3d04h`, `-` for None."""
    if seconds is None:
        return "-"
    total = int(max(seconds, 0))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02}s"
    if total < 86400:
        return f"{total // 3600}h{total // 60 % 60:02}m"
    return f"{total // 86400}d{total // 3600 % 24:02}h"


def took(run: FlowRun | TaskRun, now: datetime) -> float | None:
    """Return the seconds that a run took or has been running; None when it never started."""
    if run.start_time is None:
        return None
    return max(((run.end_time or now) - run.start_time) / timedelta(seconds=1), 0.0)
