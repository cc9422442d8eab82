"""What a start time means, and what else is due around it: text for the schedule form, and one read."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from textwrap import wrap

from textual.content import Content

from flowlatch.errors import BackendError
from flowlatch.live.session import Session
from flowlatch.model.query import RunQuery, Sort
from flowlatch.model.run import Flow, FlowRun
from flowlatch.model.schedule import FORMS, NotATime, StartTime, TimeReading, TwoTimes, local_text
from flowlatch.model.state import SCHEDULED_LIKE
from flowlatch.text import one_line
from flowlatch.ui.widgets.field import LABEL_CELLS

NEAR = timedelta(minutes=10)
"""Other runs of the flow that are due this close are named."""
WEEK = timedelta(days=7)
NAMED = 2
WIDTH = 78
"""Cells of the block before it was laid out."""
Part = Content | str | tuple[str, str]


def until(at: datetime, now: datetime) -> str:
    """Return `in 16 h 56 min`, `in 3 d 2 h`, `in 40 s`, `now`, `12 min ago`."""
    seconds = int((at - now).total_seconds())
    if not seconds:
        return "now"
    ahead = abs(seconds)
    days, hours, minutes = ahead // 86400, ahead % 86400 // 3600, ahead % 3600 // 60
    if days:
        text = f"{days} d {hours} h" if hours else f"{days} d"
    elif hours:
        text = f"{hours} h {minutes} min" if minutes else f"{hours} h"
    else:
        text = f"{minutes} min" if minutes else f"{ahead} s"
    return f"in {text}" if seconds >= 0 else f"{text} ago"


async def due_runs(session: Session, flow: Flow) -> list[FlowRun]:
    """Return the runs of a flow that are due within a week, soonest first; empty when they cannot be read now."""
    now = session.now()
    query = RunQuery(
        flow_ids=(flow.id,),
        states=tuple(sorted(SCHEDULED_LIKE)),
        since=now - timedelta(hours=1),
        until=now + WEEK,
        sort=Sort(descending=False),
        limit=100,
    )
    try:
        return list((await session.backend.page(query, with_total=False)).rows)
    except BackendError:
        return []


def preview(
    reading: TimeReading, start: StartTime | None, session: Session, due: list[FlowRun], *, width: int = WIDTH
) -> Content:
    """Return the block `Reads as … Sent as … Notes …`; while it is no time, the allowed forms in `width` cells."""
    if start is None:
        return _problem(reading, width)
    now = session.now()
    in_utc = f"{local_text(start.at, 'UTC').removesuffix(' +00:00')} UTC"
    lines = [in_utc] if start.zone == "UTC" else [f"{local_text(start.at, start.zone)}   {start.zone}", in_utc]
    if start.zone != session.zone and session.zone != "UTC":
        lines.append(f"{local_text(start.at, session.zone)}   {session.zone} (yours)")
    parts: list[Part] = []
    for line in lines:
        is_first = not parts
        parts.append(("Reads as   ", "$muted") if is_first else "\n           ")
        parts += [(line, "bold" if is_first else "")]
        if line is in_utc:
            parts.append((f"      {until(start.at, now)}", "bold"))
    parts += [("\nSent as    ", "$muted"), start.wire]
    notes: list[Part] = [(note, "$state-late bold" if start.is_past and "past" in note else "") for note in start.notes]
    near = near_line(start, due, session)
    if near:
        notes.append((near, "$state-late"))
    for index, note in enumerate(notes):
        parts += [("\nNotes      " if index == 0 else "\n           ", "$muted"), note]
    return Content.assemble(*parts)


def _problem(reading: TimeReading, width: int) -> Content:
    match reading:
        case TwoTimes(earlier=earlier, later=later):
            return Content.assemble(
                ("The clocks go back, so this time happens twice: say which.", "$state-late bold"),
                f"\n  first   {local_text(earlier.at, earlier.zone)}   {earlier.wire}",
                f"\n  second  {local_text(later.at, later.zone)}   {later.wire}",
            )
        case NotATime(problem=problem) if problem.endswith(FORMS):
            lines = wrap(FORMS, max(width - LABEL_CELLS, 20), break_on_hyphens=False)
            return Content.assemble(("It reads".ljust(LABEL_CELLS), "$muted"), f"\n{' ' * LABEL_CELLS}".join(lines))
        case _:
            return Content.assemble(("Reads as   ", "$muted"), "-")


def near_line(start: StartTime, due: list[FlowRun], session: Session) -> str:
    """Return `1 other run of this flow is due within 10 min (shy-mole 07:05)`, empty for none."""
    near = [run for run in due if (at := run.due_at()) is not None and abs(at - start.at) <= NEAR]
    if not near:
        return ""
    named = ", ".join(f"{one_line(run.name, 30)} {_time(run, session)}" for run in near[:NAMED])
    more = f" and {len(near) - NAMED} more" if len(near) > NAMED else ""
    count = "1 other run of this flow is" if len(near) == 1 else f"{len(near)} other runs of this flow are"
    return f"{count} due within 10 min ({named}{more})"


def week_strip(session: Session, flow: Flow | None, due: list[FlowRun], start: StartTime | None) -> Content:
    """Return the coming week of a flow, day by day, with the new run in its place."""
    zone = session.local_zone
    if flow is None:
        return Content.styled("choose a flow to see its week", "$muted")
    entries: list[tuple[datetime, str, str]] = [
        (at, one_line(run.name, 24), "") for run in due if (at := run.due_at()) is not None
    ]
    if start is not None and start.at - session.now() <= WEEK:
        entries.append((start.at, "this one", "$accent bold"))
    entries.sort(key=lambda entry: entry[0])
    parts: list[Part] = [(f"Next 7 days of {one_line(flow.name, 26)}\n", "bold")]
    if not entries:
        parts.append(("nothing is due", "$muted"))
    for day, of_day in groupby(entries, key=lambda entry: entry[0].astimezone(zone).date()):
        parts.append((f"\n{day:%a} {day.day} {day:%b}\n", "$muted"))
        for at, name, style in of_day:
            mark = ">" if style else " "
            parts.append((f"{mark} {at.astimezone(zone):%H:%M}  {name}\n", style))
    return Content.assemble(*parts)


def _time(run: FlowRun, session: Session) -> str:
    at = run.due_at()
    return f"{at.astimezone(session.local_zone):%H:%M}" if at else ""
