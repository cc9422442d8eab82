"""The columns of the list of runs: what each shows, how wide it is, and which are left out when there is no room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from rich.cells import cell_len

from flowlatch.model.query import SortKey
from flowlatch.model.run import FlowRun
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui.format import age, duration, fit, rough, run_duration_s, short_stamp, state_label

GUTTER = 3
"""Cells before the first column: cursor or Δ, mark, a space."""
GAP = 1
BETWEEN = " / "
LEAST_FLOW = 6
"""Cells that are left of a flow's name where the run's name needs the room, and the least for a run's name."""
SHOWN_MESSAGE = 300
"""Characters of a message that are looked at for one cell."""


@dataclass(frozen=True)
class Times:
    """How times are written: relative to `now` (server's clock), or in `zone`."""

    now: datetime
    zone: tzinfo = UTC
    is_relative: bool = True

    def write(self, moment: datetime | None) -> str:
        """Return a moment as a cell."""
        if moment is None:
            return "-"
        return age(moment, self.now) if self.is_relative else short_stamp(moment, self.now, self.zone)

    def start(self, run: FlowRun) -> str:
        """Return when a run started or shall start: `2m ago`, `due 6m`, `in 12m`."""
        late = run.late_by(self.now)
        if late is not None and self.is_relative:
            return f"due {rough(late.total_seconds())}"
        if run.start_time is None and not run.is_finished:
            return self.write(run.due_at())
        started = run.start_time or run.scheduled_start_time
        return self.write(min(started, self.now) if run.start_time and started else started)

    def duration(self, run: FlowRun) -> str:
        """Return how long a run took or takes; a running one counts in steps of 10 s, so that it ticks rarely."""
        seconds = run_duration_s(run, self.now)
        if seconds is None:
            return "-"
        if run.end_time is None and not run.is_finished and seconds >= 10:
            seconds -= seconds % 10
        return duration(seconds)


@dataclass(frozen=True)
class Column:
    """One column. `width` is in cells; a flexible one takes what is left, at least `width`, at most `most`."""

    name: str
    title: str
    write: Callable[[FlowRun, Times], str]
    width: int
    most: int = 0
    """0 = not flexible."""
    is_right: bool = False
    rank: int = 0
    """The highest ranks are left out first when there is no room; 0 never is."""
    sort: SortKey | None = None
    wide_width: int = 0
    """Width when times are written out, or where there is plenty of room."""


def _flow_and_run(run: FlowRun, times: Times) -> str:
    return f"{one_line(run.flow_name) or '?'}{BETWEEN}{one_line(run.name) or run.id[:8]}"


def _state(run: FlowRun, times: Times) -> str:
    return state_label(run.state, category=run.category, is_late=run.late_by(times.now) is not None)


def _message(run: FlowRun, times: Times) -> str:
    late = run.late_by(times.now)
    if late is not None:
        return f"Late by {duration(late) if not times.is_relative else rough(late.total_seconds())}"
    return one_line(run.state_message or "", SHOWN_MESSAGE)


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("state", "STATE", _state, 11, sort=SortKey.STATE, wide_width=18),
        Column("run", "FLOW / RUN", _flow_and_run, 16, most=48, sort=SortKey.FLOW),
        Column("start", "START", lambda run, times: times.start(run), 8, is_right=True, rank=1, sort=SortKey.START,
               wide_width=15),
        Column("duration", "DUR", lambda run, times: times.duration(run), 6, is_right=True, rank=2,
               sort=SortKey.DURATION),
        Column("version", "VER", lambda run, _: version_label(run.version), 4, is_right=True, rank=3,
               sort=SortKey.VERSION),
        Column("message", "MESSAGE", _message, 10, most=400, rank=4, sort=SortKey.MESSAGE),
        Column("flow", "FLOW", lambda run, _: one_line(run.flow_name), 12, most=30, rank=5, sort=SortKey.FLOW),
        Column("name", "RUN", lambda run, _: one_line(run.name), 12, most=30, rank=5, sort=SortKey.NAME),
        Column("key", "KEY", lambda run, _: one_line(run.idempotency_key or "-"), 10, most=28, rank=6),
        Column("labels", "LABELS", lambda run, _: one_line(" ".join(run.labels) or "-"), 8, most=24, rank=7),
        Column("who", "WHO", lambda run, _: one_line(run.actor or "-"), 8, most=20, rank=7),
        Column("updated", "UPDATED", lambda run, times: times.write(run.updated), 8, is_right=True, rank=8,
               sort=SortKey.UPDATED, wide_width=15),
        Column("created", "CREATED", lambda run, times: times.write(run.created), 8, is_right=True, rank=8,
               sort=SortKey.CREATED, wide_width=15),
        Column("id", "ID", lambda run, _: run.id[:8], 8, rank=9),
    )
}  # fmt: skip
DEFAULT_COLUMNS = ("state", "run", "start", "duration", "version", "message")
WORTH_A_MESSAGE = 10
"""Cells that must be left for the names beside a message; with fewer the names get its place: the pane shows it."""
ROOMY = 140
"""From this width on, states are never cut."""


@dataclass(frozen=True)
class Placed:
    """A column with the width it got."""

    column: Column
    width: int


def chosen_columns(names: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the known column names in order, each once, and one line for each unknown one; the default if none is."""
    known = tuple(dict.fromkeys(name for name in names if name in COLUMNS))
    problems = [
        f"columns: {one_line(name, 40)!r} is unknown; known: {', '.join(COLUMNS)}"
        for name in names
        if name not in COLUMNS
    ]
    return known or DEFAULT_COLUMNS, problems


@lru_cache(64)
def layout(names: Sequence[str], width: int, *, is_relative: bool = True, skip: int = 0) -> tuple[Placed, ...]:
    """Return the columns that fit in `width` cells, gutter excluded, each with its width.

    `skip` columns behind the first two are scrolled out to the left. What has no room is left out by rank; the room
    that remains goes to the flexible columns in order, up to their `most`, then to the last one.
    """
    columns = [COLUMNS[name] for name in names]
    columns = columns[:2] + columns[2 + skip :]
    least = {column.name: _least(column, width, is_relative) for column in columns}
    while len(columns) > 1 and _sum(columns, least) > width:
        worst = max(range(len(columns)), key=lambda place: (columns[place].rank, place))
        if columns[worst].rank == 0:
            break
        del columns[worst]
    if len(columns) > 2 and columns[-1].name == "message" and width - _sum(columns, least) < WORTH_A_MESSAGE:
        del columns[-1]
    rest = max(width - _sum(columns, least), 0)
    widths = dict(least)
    flexible = [column for column in columns if column.most]
    shares = _shares(flexible, least, rest)
    for column in flexible:
        widths[column.name] = least[column.name] + shares[column.name]
    return tuple(Placed(column, min(widths[column.name], width)) for column in columns)


def _least(column: Column, width: int, is_relative: bool) -> int:
    if column.name == "state":
        return column.wide_width if width >= ROOMY else column.width
    return column.wide_width if column.wide_width and not is_relative else column.width


def _sum(columns: Sequence[Column], widths: dict[str, int]) -> int:
    return sum(widths[column.name] for column in columns) + GAP * max(len(columns) - 1, 0)


def _shares(flexible: Sequence[Column], least: dict[str, int], rest: int) -> dict[str, int]:
    """Split the room that is left: most of it to the names, what they do not need to the message."""
    shares = dict.fromkeys((column.name for column in flexible), 0)
    for place, column in enumerate(flexible):
        is_last = place == len(flexible) - 1
        share = rest if is_last else (rest * 4) // 5
        shares[column.name] = min(share, max(column.most - least[column.name], 0))
        rest -= shares[column.name]
    return shares


def heading(placed: Sequence[Placed], sort: SortKey | None, *, is_descending: bool) -> list[tuple[str, bool]]:
    """Return the title of each column in its width, and whether the list is ordered by it (then with an arrow)."""
    cells: list[tuple[str, bool]] = []
    has_sort = False
    for each in placed:
        is_sorted = each.column.sort is sort and not has_sort
        has_sort = has_sort or is_sorted
        title = each.column.title
        if is_sorted and len(title) + 2 <= each.width:
            title = f"{title} {'↓' if is_descending else '↑'}"
        cells.append((fit(title, each.width, right=each.column.is_right), is_sorted))
    return cells


def cell(placed: Placed, run: FlowRun, times: Times) -> str:
    """Return a cell in exactly its width, clean."""
    text = placed.column.write(run, times)
    if placed.column.name == "run" and cell_len(text) > placed.width:
        text = _shortened(run, placed.width) or text
    return fit(text, placed.width, right=placed.column.is_right)


def _shortened(run: FlowRun, width: int) -> str | None:
    """Return `flo… / run`: the run's name tells runs apart, so the flow's is cut first; None where neither has room."""
    flow, name = one_line(run.flow_name) or "?", one_line(run.name) or run.id[:8]
    room = min(max(width - cell_len(name) - len(BETWEEN), LEAST_FLOW), cell_len(flow))
    left = width - room - len(BETWEEN)
    return f"{fit(flow, room)}{BETWEEN}{fit(name, left)}" if left >= LEAST_FLOW else None
