"""The list of runs: home. Marks, and what can be done with the runs that are marked or under the cursor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.binding import BindingType

from flowlatch.errors import BackendError
from flowlatch.live.export import Export, marked_runs, runs_of
from flowlatch.model.filter import format_filter
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, RunId
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.messages import (
    OpenBulk,
    OpenCancel,
    OpenCreate,
    OpenEditState,
    OpenRetry,
    OpenRun,
    OpenSchedule,
    ShowRuns,
)
from flowlatch.ui.screens.runs_filter import RunsFiltering
from flowlatch.ui.widgets.run_line import searched_text
from flowlatch.ui.widgets.run_table import RunTable

MARK_LIMIT = 5_000
"""Runs that can be marked at once by `*`: what one can still look through."""
MARK_PAGE = 1_000
PATIENCE_S = 5.0
"""How long a key may wait for its row."""


class RunsScreen(RunsFiltering):
    """Lists runs, live; opens forms for them; writes nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(key for key in keys.LIST_KEYS if key not in RunTable.BINDINGS),
        keys.BACK,
    ]
    _range_from: int | None = None
    _waits: tuple[int, int, float, Callable[[FlowRun], object]] | None = None
    """Cursor, generation of the list, when it is given up, and what to do once the row under the cursor is there."""

    def chosen_runs(self) -> list[FlowRun]:
        """Return the marked runs, else the one under the cursor, as they are known now."""
        if self.marks:
            return list(self.marks.values())
        run = self.table.selected
        return [run] if run is not None else []

    def what_to_export(self) -> Export | None:
        """Return the marked runs, else all that match the filter."""
        if self.marks:
            return marked_runs(self.chosen_runs())
        board = self.list.board
        return runs_of(self.session, self.current_query(), board.total if board.total_is_exact else None)

    # The row that is still under way: a key pressed right behind a jump is about the run that arrives there

    def _with_run(self, act: Callable[[FlowRun], object]) -> None:
        """Do something with the run under the cursor, as soon as it is loaded; a note when there is none."""
        run = self.table.selected
        self._waits = None
        if run is not None:
            act(run)
        elif self._is_row_coming():
            self._waits = (self.table.window.cursor, self.list.board.generation, time.monotonic() + PATIENCE_S, act)
        else:
            self.say_no_run()

    def _is_row_coming(self) -> bool:
        return self.session.link.is_online and self.table.window.total > 0 and self.table.selected is None

    def _rows_changed(self, patched: set[RunId]) -> None:
        super()._rows_changed(patched)
        if self._waits is None or self.table.selected is None:
            return
        cursor, generation, gives_up_at_s, act = self._waits
        self._waits = None
        is_same = (cursor, generation) == (self.table.window.cursor, self.list.board.generation)
        if is_same and self.app.screen is self and time.monotonic() < gives_up_at_s:
            act(self.table.selected)

    def say_no_run(self) -> None:
        """Say why there is no run to do this with."""
        if self._is_row_coming():
            self.notify("this row is still under way", severity="warning", markup=False)
        else:
            super().say_no_run()

    def on_run_table_picked(self, message: RunTable.Picked) -> None:
        """Open the run."""
        self._with_run(lambda run: self.post_message(OpenRun(run.id)))

    # Marks

    def action_mark(self) -> None:
        """Mark the run under the cursor or unmark it, and go on."""
        run = self.table.selected
        if run is None:
            self.say_no_run()
            return
        if run.id in self.marks:
            del self.marks[run.id]
        else:
            self.marks[run.id] = run
        self.table.action_cursor_down()
        self._marks_changed()

    def action_mark_range(self) -> None:
        """Begin marking a range, or end it."""
        if self._range_from is not None:
            self._range_from = None
            return
        self._range_from = self.table.window.cursor
        self._mark_span(self._range_from)
        self.notify("v: move to mark a range, v again to end it", markup=False)

    def on_run_table_cursor_moved(self, message: RunTable.CursorMoved) -> None:
        """Mark what the cursor passes while a range is open; what waits for the row before is dropped."""
        if self._waits is not None and self._waits[0] != message.index:
            self._waits = None
        super().on_run_table_cursor_moved(message)
        message.prevent_default()
        if self._range_from is not None:
            self._mark_span(message.index)

    def _mark_span(self, index: int) -> None:
        start = self._range_from if self._range_from is not None else index
        for place in range(min(start, index), max(start, index) + 1):
            row = self.table.window.row(place)
            if row is not None:
                self.marks[row.id] = row
        self._marks_changed()

    @work(group="mark", exclusive=True)
    async def action_mark_all(self) -> None:
        """Mark all runs that match the filter, up to `MARK_LIMIT`."""
        if self.parsed.problems:
            self.notify("not marked: the filter could not be read whole", severity="warning", markup=False)
            return
        if self.parsed.local_regex is not None:
            hits = [row for row in self.list.board.window.rows if self.parsed.local_regex.search(searched_text(row))]
            self._mark_rows(hits, "loaded runs that match re:")
            return
        query = replace(self.parsed.query, limit=MARK_PAGE)
        try:
            rows = await self._all_rows(query)
        except BackendError as error:
            self.notify(f"not marked: {one_line(error)}", severity="error", markup=False)
            return
        more = f", the first {MARK_LIMIT}" if len(rows) >= MARK_LIMIT else ""
        self._mark_rows(rows, f"runs that match{more}")

    async def _all_rows(self, query: RunQuery) -> list[FlowRun]:
        rows: list[FlowRun] = []
        while len(rows) < MARK_LIMIT:
            page = await self.session.backend.page(replace(query, offset=len(rows)), with_total=False)
            rows += page.rows
            if len(page.rows) < MARK_PAGE:
                break
        return rows[:MARK_LIMIT]

    def _mark_rows(self, rows: list[FlowRun], what: str) -> None:
        self.marks.update({row.id: row for row in rows})
        self._marks_changed()
        self.notify(f"marked {len(rows)} {what}", markup=False)

    def action_unmark_all(self) -> None:
        """Unmark all."""
        self._range_from = None
        self.marks.clear()
        self._marks_changed()

    def unmark(self, done: frozenset[RunId] | None) -> None:
        """Unmark what an act on many was done with: the next key is not about them. What is left stays marked."""
        self.marks = {run_id: run for run_id, run in self.marks.items() if run_id not in (done or ())}
        if self.is_open:
            self._marks_changed()

    def _marks_changed(self) -> None:
        self.table.restyle(marks=frozenset(self.marks))
        self.show_link()

    def action_back(self) -> None:
        """Drop marks, then the filter."""
        if self._range_from is not None or self.marks:
            self.action_unmark_all()
        elif self.filter_text:
            self.set_filter("")

    # What can be done with runs: each opens a form or a question

    def action_new_run(self) -> None:
        """Open the form for a new run."""
        self.post_message(OpenCreate())

    def action_new_from(self) -> None:
        """Open the form with the parameters of this run."""
        self._with_run(lambda run: self.post_message(OpenCreate(source=run)))

    def action_schedule(self) -> None:
        """Open the form for a run of this flow that starts later."""
        self.post_message(OpenSchedule(source=self.table.selected))

    def action_edit_state(self) -> None:
        """Open the state form; with marks, for all of them."""
        if self.marks:
            self.post_message(OpenBulk("set_state", self.chosen_runs(), self.unmark))
        else:
            self._with_run(lambda run: self.post_message(OpenEditState(run)))

    def action_cancel(self) -> None:
        """Ask whether to cancel."""
        if self.marks:
            self.post_message(OpenBulk("cancel", self.chosen_runs(), self.unmark))
        else:
            self._with_run(lambda run: self.post_message(OpenCancel(run)))

    def action_retry(self) -> None:
        """Ask whether to run again."""
        if self.marks:
            self.post_message(OpenBulk("retry", self.chosen_runs(), self.unmark))
        else:
            self._with_run(lambda run: self.post_message(OpenRetry([run])))

    def action_logs(self) -> None:
        """Open the run's logs."""
        self._open("logs")

    def action_history(self) -> None:
        """Open the run's history."""
        self._open("history")

    def action_raw(self) -> None:
        """Open the run as the server sent it."""
        self._open("raw")

    def _open(self, tab: str) -> None:
        self._with_run(lambda run: self.post_message(OpenRun(run.id, tab)))

    # How it is shown

    def action_freeze(self) -> None:
        """Hold the view still, or let it go."""
        self.frozen_at = None if self.is_frozen else self.session.local_now()
        self.list.frozen = self.tally.frozen = not self.is_frozen
        if not self.is_frozen:
            self.tally.refresh()
            self.pane.reload()
        self.show_link()

    def action_refresh(self) -> None:
        """Load anew; without a link, try to connect now."""
        self.session.retry_now()
        if self.session.link.is_online:
            self.reread()
            self.tally.refresh()
            self.pane.reload()

    def action_pane(self) -> None:
        """Show or hide the side pane."""
        has_pane = not self.view.has_pane
        self.view = replace(self.view, has_pane=has_pane)
        self.set_class(not has_pane, "-no-pane")
        if not self.has_class("-wide"):
            self.notify("the side pane needs 110 columns", markup=False)
        self.keep_view()
        self.call_after_refresh(lambda: self.pane.look_at(self.table.selected))

    @work(group="menu", exclusive=True)
    async def action_wide(self) -> None:
        """Choose the columns and their order."""
        from flowlatch.ui.screens.runs_columns import ColumnsScreen

        names = await self.app.push_screen_wait(ColumnsScreen(self.session, self.table.line.columns))
        if names is not None:
            self.view = replace(self.view, columns=names)
            self.table.restyle(columns=names, skip=0)
            self.keep_view()

    def on_show_runs(self, message: ShowRuns) -> None:
        """Show the runs another screen asked for."""
        message.stop()
        self.set_filter(message.filter)

    def current_query(self) -> RunQuery:
        """Return what is shown, for exports and commands."""
        return self.parsed.query

    def current_filter(self) -> str:
        """Return the filter text that is shown."""
        return self.filter_text or format_filter(self.parsed.query)
