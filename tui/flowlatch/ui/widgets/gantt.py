"""The tasks of a run as an indented list, each with its state and its bar on the time axis (ux.md rows 20, 21)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget

from flowlatch.model.run import TaskRun
from flowlatch.model.state import category_of
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import duration, fit, glyph, state_label, style_name
from flowlatch.ui.widgets.line_view import LineView, Span

MANY_CHILDREN = 20
"""A mapped task with more children than this begins folded."""
NAME_CELLS = 36
STATE_CELLS = 11, 18
"""Width of the states: at least, and at most where one needs it."""
TIME_CELLS = 7
BAR = "▓"


@dataclass(frozen=True)
class TaskRow:
    """One line: a task, a mapped child of the task above, or a mapped task that stands for its children."""

    task: TaskRun
    depth: int = 0
    children: tuple[TaskRun, ...] = ()

    @property
    def slug(self) -> str:
        """What its children are known by."""
        return self.task.task_slug or self.task.id


def tree(tasks: Sequence[TaskRun]) -> list[TaskRow]:
    """Return one row for each task, in the order given, each with its mapped children.

    Children without a parent run (`map_index` -1) get the first of them as a stand-in for it.
    """
    order: dict[str, list[TaskRun]] = {}
    for task in tasks:
        order.setdefault(task.task_slug or task.id, []).append(task)
    rows: list[TaskRow] = []
    for group in order.values():
        parents = [task for task in group if task.map_index < 0]
        children = tuple(sorted((t for t in group if t.map_index >= 0), key=lambda t: t.map_index))
        rows += [TaskRow(task) for task in parents[:-1]]
        rows.append(TaskRow(parents[-1] if parents else children[0], children=children))
    return rows


@dataclass(frozen=True)
class Axis:
    """The stretch of time that bars are drawn on."""

    begin: datetime
    end: datetime

    def columns(self, begin: datetime | None, end: datetime | None, width: int) -> tuple[int, int] | None:
        """Return first column and cells of a bar, at least one cell; None when it has not begun."""
        span = (self.end - self.begin).total_seconds()
        if begin is None or width <= 0:
            return None
        if span <= 0:
            return 0, 1
        first = (begin - self.begin).total_seconds() / span
        last = ((end or self.end) - self.begin).total_seconds() / span
        left = max(0, min(round(first * width), width - 1))
        return left, max(1, min(round(last * width), width) - left)


def axis_of(tasks: Sequence[TaskRun], begin: datetime | None, now: datetime) -> Axis:
    """Return the axis from the first start to the last end; to `now` while a task runs."""
    starts = [task.start_time for task in tasks if task.start_time] + ([begin] if begin else [])
    ends = [task.end_time for task in tasks if task.end_time]
    if any(task.start_time and not task.end_time for task in tasks) or not ends:
        ends.append(now)
    first = min(starts, default=now)
    return Axis(first, max(max(ends), first + timedelta(seconds=1)))


class TaskView(LineView):
    """The tasks under a cursor; enter folds the mapped children of one."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.FOLD, keys.FOLD_ALL]
    empty_text = "no tasks: nothing has run yet, or this server does not tell them"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tasks: list[TaskRow] = []
        self._rows: list[TaskRow] = []
        self._toggled: set[str] = set()
        self._state_cells = STATE_CELLS[0]
        self.axis: Axis | None = None
        self._now: datetime | None = None

    def show(self, tasks: Sequence[TaskRun], begin: datetime | None, now: datetime) -> None:
        """Show the tasks of a run that began at `begin`."""
        self.tasks = tree(tasks)
        self.axis = axis_of(tasks, begin, now)
        self._now = now
        self._rebuild()

    @property
    def chosen(self) -> TaskRun | None:
        """The task under the cursor."""
        return self._rows[self.cursor].task if self.cursor < len(self._rows) else None

    def _is_folded(self, row: TaskRow) -> bool:
        return (len(row.children) > MANY_CHILDREN) != (row.slug in self._toggled)

    def _rebuild(self) -> None:
        here = self._rows[self.cursor].task.id if self.cursor < len(self._rows) else None
        rows: list[TaskRow] = []
        for row in self.tasks:
            rows.append(row)
            if row.children and not self._is_folded(row):
                rows.extend(TaskRow(child, depth=1) for child in row.children)
        self._rows = rows
        least, most = STATE_CELLS
        self._state_cells = min(max((len(state_label(row.task.state)) for row in rows), default=least), most)
        self._state_cells = max(self._state_cells, least)
        if here is not None:
            self.cursor = next((index for index, row in enumerate(rows) if row.task.id == here), self.cursor)
        self.lines_changed()
        self.show_cursor()

    @property
    def length(self) -> int:
        """Rows that are not folded away."""
        return len(self._rows)

    @property
    def name_cells(self) -> int:
        """Width of the names."""
        return min(NAME_CELLS, self.cells * 3 // 10)

    @property
    def bar_column(self) -> int:
        """First cell of the time axis."""
        return self.name_cells + self._state_cells + TIME_CELLS + 5

    @property
    def bar_cells(self) -> int:
        """Width of the time axis."""
        return max(self.cells - self.bar_column, 0)

    def line(self, row: int) -> Sequence[Span]:
        """Return name, state, how long, and the bar."""
        shown = self._rows[row]
        task = shown.task
        fold = ("▸ " if self._is_folded(shown) else "▾ ") if shown.children else "  "
        indent = "  " * shown.depth
        name = one_line(task.name or task.task_slug, 120) or task.id[:8]
        if task.map_index >= 0 and shown.depth:
            name = f"[{task.map_index}] {one_line(task.name, 100)}" if task.name else f"[{task.map_index}]"
        cells = self.name_cells
        look = style_name(task.state)
        spans: list[Span] = [
            (f" {fit(indent + fold + name, cells)} ", ""),
            (fit(state_label(task.state), self._state_cells), look),
            (f" {fit(duration(self._seconds(task)), TIME_CELLS, right=True)}  ", "muted"),
        ]
        return [*spans, *self._bar(shown, look)]

    def _seconds(self, task: TaskRun) -> float | None:
        end = task.end_time or self._now
        return (end - task.start_time).total_seconds() if task.start_time and end else None

    def _bar(self, row: TaskRow, look: str) -> list[Span]:
        width = self.bar_cells
        if row.children and self._is_folded(row):
            return [(fit(summary(row.children), max(width, 0)), "muted")]
        place = self.axis.columns(row.task.start_time, row.task.end_time, width) if self.axis else None
        if place is None:
            return []
        return [(" " * place[0], ""), (BAR * place[1], look)]

    def action_fold(self) -> None:
        """Fold or unfold the mapped children of the task under the cursor."""
        if not self._rows:
            return
        row = self._rows[self.cursor]
        if row.depth:
            self.cursor = next((i for i, each in enumerate(self._rows) if each.slug == row.slug), self.cursor)
        self._toggled ^= {row.slug}
        self._rebuild()

    def action_fold_all(self) -> None:
        """Fold all mapped children; when they are, unfold them."""
        mapped = [row for row in self.tasks if row.children]
        fold = not all(self._is_folded(row) for row in mapped)
        self._toggled = {row.slug for row in mapped if (len(row.children) > MANY_CHILDREN) != fold}
        self._rebuild()


def summary(children: Sequence[TaskRun]) -> str:
    """Return how many mapped children there are in which state: `1000 mapped: 990 + Success  10 x Failed`."""
    counts = Counter(task.state for task in children)
    parts = [f"{number} {glyph(state)} {one_line(state, 20)}" for state, number in counts.most_common()]
    return f"{len(children)} mapped: " + "  ".join(parts)


class TimeAxis(Widget):
    """The line over the bars: when they begin and end."""

    DEFAULT_CSS = """
    TimeAxis { height: 1; width: 1fr; color: $muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""

    def show(self, view: TaskView, written: Callable[[datetime], str]) -> None:
        """Write the ends of the axis over the bars of `view`, and how far the run has come."""
        axis = view.axis
        if axis is None or not view.length:
            text = ""
        else:
            counts = Counter(category_of(row.task.state) for row in view.tasks)
            left = f"  {len(view.tasks)} tasks  " + "  ".join(f"{n} {c}" for c, n in counts.most_common(3))
            has_begun = any(row.task.start_time for row in view.tasks)
            first, last = (written(axis.begin), written(axis.end)) if has_begun else ("", "")
            width = view.bar_cells
            right = first + last.rjust(width - len(first)) if width > len(first) + len(last) + 1 else ""
            text = fit(left, view.bar_column) + right
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Content:
        """Write the line."""
        return Content(self._text).truncate(self.content_size.width)
