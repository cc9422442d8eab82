"""The list of runs: shows the lines on the screen out of a window of rows, whatever the length of the list.

It holds no data of its own: it is given a `Window` and says where the operator goes. The cursor belongs to a run id;
its owner decides where that run is now. A change repaints the lines it is on, not the screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from flowlatch.model.query import SortKey
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.window import Window
from flowlatch.ui import keys
from flowlatch.ui.widgets.columns import GAP, GUTTER, Times
from flowlatch.ui.widgets.pen import pen
from flowlatch.ui.widgets.run_line import LOOKS, RunLine

CHANGED_S = 2.0
"""How long the Δ of a changed row stays (ux.md row 6)."""
HEAD = 1
"""Lines of the heading."""
LATE_NEWS = timedelta(seconds=45)
"""A run that is late for less may stand there as a punctual one still."""


class RunTable(ScrollView, can_focus=True):
    """A long list of runs, one line each, under a heading."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.MOVES, keys.COLUMN_LEFT, keys.COLUMN_RIGHT, keys.OPEN]
    DEFAULT_CSS = """
    RunTable {
        width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        background: $background; color: $foreground;
        scrollbar-color: $rule; scrollbar-color-hover: $muted; scrollbar-color-active: $muted;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """

    @dataclass
    class Picked(Message):
        """The operator chose the run under the cursor with enter or a double click; it may not be loaded yet."""

    @dataclass
    class CursorMoved(Message):
        """The operator went to a row; `run_id` is None while that row is not loaded."""

        index: int
        run_id: RunId | None

    @dataclass
    class Wanted(Message):
        """Rows `first` … `last` are on the screen."""

        first: int
        last: int

        def can_replace(self, message: Message) -> bool:
            """Only where the screen is now matters."""
            return isinstance(message, RunTable.Wanted)

    @dataclass
    class SortWanted(Message):
        """The operator clicked a heading."""

        key: SortKey

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window = Window()
        self.empty_text = ""
        """What stands in the place of the first row when there is none."""
        self.line = RunLine(self._look)
        self.on_move: Callable[[int, RunId | None], None] = lambda index, run_id: None
        """Told at once where the operator goes: rows that arrive before the message would take the cursor back."""
        self._changed_until: dict[RunId, float] = {}
        self._monotonic = monotonic
        self._shown_range = (-1, -1)

    # What it is given

    @property
    def selected(self) -> FlowRun | None:
        """The run under the cursor as it is drawn; None while that row is not loaded."""
        return self.window.row(self.window.cursor)

    def show(self, window: Window, *, changed: Iterable[RunId] = (), empty_text: str = "") -> None:
        """Draw another window. Lines whose row is the same are not painted again; the cursor stays on its line."""
        old, self.window = self.window, window
        if empty_text != self.empty_text and not window.total:
            self.refresh(Region(0, HEAD, self._width(), 1))
        self.empty_text = empty_text
        fresh = set(changed)
        if fresh:
            self._changed_until.update(dict.fromkeys(fresh, self._monotonic() + CHANGED_S))
            self.set_timer(CHANGED_S + 0.05, self._settle)
        top = round(self.scroll_y)
        if window.total != old.total:
            self._set_length()
        self._go_to_top(self._top_for(window, old, top))
        if round(self.scroll_y) == top:
            self._refresh_lines(lambda index: self._differs(index, old, fresh))
        else:
            self.refresh()
        self._say_range()

    def restyle(self, **looks: object) -> None:
        """Set attributes of `RunLine` that change how every line looks, and paint once if any differs."""
        differing = {name: value for name, value in looks.items() if getattr(self.line, name) != value}
        for name, value in differing.items():
            setattr(self.line, name, value)
        if differing:
            self.refresh()

    def tick(self, times: Times, *, is_minute: bool) -> None:
        """Let time pass: every minute for all lines, in between for runs that are under way or became late just now."""
        self.line.times = times

        def counts(index: int) -> bool:
            run = self.window.row(index)
            if run is None or run.is_finished:
                return False
            late = run.late_by(times.now)
            return run.start_time is not None or (late is not None and late < LATE_NEWS)

        self._refresh_lines(lambda index: is_minute or counts(index))

    def _top_for(self, window: Window, old: Window, top: int) -> int:
        """Return the row at the top that keeps the cursor on its screen line, or the list's head while it shows."""
        height = self._body_height()
        target = window.cursor - (old.cursor - top)
        if top == 0 and window.cursor < height:
            target = 0
        return max(0, min(max(target, window.cursor - height + 1), window.cursor))

    def _differs(self, index: int, old: Window, fresh: set[RunId]) -> bool:
        before, after = old.row(index), self.window.row(index)
        if before is not after or (after is not None and after.id in fresh):
            return True
        if (index == old.cursor) != (index == self.window.cursor) or (index < old.total) != (index < self.window.total):
            return True
        return after is not None and (after.id == old.guest) != (after.id == self.window.guest)

    def _refresh_lines(self, is_due: Callable[[int], bool], *, width: int | None = None) -> None:
        """Paint the lines on the screen whose index in the list is due."""
        top, cells = round(self.scroll_y), width or self._width()
        lines = range(self._body_height())
        regions = [Region(0, HEAD + line, cells, 1) for line in lines if is_due(top + line)]
        if regions:
            self.refresh(*regions)

    def _settle(self) -> None:
        """Take the Δ off rows that changed a while ago."""
        now = self._monotonic()
        over = {run_id for run_id, until in self._changed_until.items() if until <= now}
        for run_id in over:
            del self._changed_until[run_id]
        self._refresh_lines(lambda index: (row := self.window.row(index)) is not None and row.id in over, width=1)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: the heading, or a row."""
        width = self._width()
        return self.line.heading(width) if y < HEAD else self._draw(round(self.scroll_y) + y - HEAD, width)

    def _draw(self, index: int, width: int) -> Strip:
        is_cursor = index == self.window.cursor
        if index >= self.window.total:
            return self.line.blank(width, self.empty_text if index == 0 else "")
        run = self.window.row(index)
        if run is None:
            return self.line.blank(width, "·", is_cursor=is_cursor)
        return self.line.row(
            run,
            width,
            is_cursor=is_cursor,
            is_changed=run.id in self._changed_until,
            is_guest=run.id == self.window.guest,
        )

    def _look(self, name: str) -> Style:
        return pen(self, LOOKS[name])

    def notify_style_update(self) -> None:
        """Look the colours up again: the theme changed."""
        self.line.forget_looks()
        super().notify_style_update()

    # Where it is

    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _body_height(self) -> int:
        return max(self.size.height - HEAD, 1)

    def _set_length(self) -> None:
        self.virtual_size = Size(self._width(), self.window.total + HEAD)

    def _go_to_top(self, top: int) -> None:
        if top != round(self.scroll_y):
            self.scroll_to(y=top, animate=False, force=True, immediate=True)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor on the screen."""
        if self.window.total:  # an empty list has no length to tell: one layout less at the start
            self._set_length()
        self._go_to_top(self._top_for(self.window, self.window, round(self.scroll_y)))
        self._say_range()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Say which rows are on the screen now."""
        super().watch_scroll_y(old_value, new_value)
        self._say_range()

    def _say_range(self) -> None:
        top = round(self.scroll_y)
        shown = (top, top + self._body_height())
        if shown != self._shown_range and self.size.height:
            self._shown_range = shown
            self.post_message(self.Wanted(*shown))

    # Where the operator goes

    def go_to(self, index: int) -> None:
        """Put the cursor on a row and say so."""
        index = max(0, min(index, self.window.total - 1))
        if index == self.window.cursor or not self.window.total:
            return
        old, self.window = self.window, replace(self.window, cursor=index)
        top, height = round(self.scroll_y), self._body_height()
        self._go_to_top(max(0, min(max(top, index - height + 1), index)))
        if round(self.scroll_y) == top:
            self._refresh_lines(lambda line: line in (old.cursor, index))
        else:
            self.refresh()
        row = self.selected
        self.on_move(index, row.id if row else None)
        self.post_message(self.CursorMoved(index, row.id if row else None))

    def action_cursor_down(self) -> None:
        """Next row."""
        self.go_to(self.window.cursor + 1)

    def action_cursor_up(self) -> None:
        """Previous row."""
        self.go_to(self.window.cursor - 1)

    def action_top(self) -> None:
        """First row; where the selected run stands there as a guest, the list's own first."""
        is_guest = self.window.cursor == 0 and self.selected is not None and self.selected.id == self.window.guest
        self.go_to(1 if is_guest else 0)

    def action_bottom(self) -> None:
        """Last row."""
        self.go_to(self.window.total - 1)

    def action_half_page_down(self) -> None:
        """Half a page down."""
        self.go_to(self.window.cursor + max(self._body_height() // 2, 1))

    def action_half_page_up(self) -> None:
        """Half a page up."""
        self.go_to(self.window.cursor - max(self._body_height() // 2, 1))

    def action_page_down(self) -> None:
        """A page down."""
        self.go_to(self.window.cursor + max(self._body_height() - 1, 1))

    def action_page_up(self) -> None:
        """A page up."""
        self.go_to(self.window.cursor - max(self._body_height() - 1, 1))

    def action_column_right(self) -> None:
        """Scroll the columns behind the first two to the left."""
        if self.line.skip < len(self.line.columns) - 3:
            self.restyle(skip=self.line.skip + 1)

    def action_column_left(self) -> None:
        """Scroll the columns back."""
        self.restyle(skip=max(self.line.skip - 1, 0))

    def action_open_run(self) -> None:
        """Open the run under the cursor."""
        if self.window.total:
            self.post_message(self.Picked())

    def on_click(self, event: events.Click) -> None:
        """A click goes to a row, a second one opens it; on a title it orders by that column."""
        event.stop()
        if event.y < HEAD:
            self._click_heading(event.x)
            return
        index = round(self.scroll_y) + event.y - HEAD
        if index < self.window.total:
            self.go_to(index)
            if event.chain == 2:
                self.action_open_run()

    def _click_heading(self, x: int) -> None:
        column = GUTTER
        for placed in self.line.placed(self._width()):
            if column <= x < column + placed.width and placed.column.sort:
                self.post_message(self.SortWanted(placed.column.sort))
            column += placed.width + GAP
