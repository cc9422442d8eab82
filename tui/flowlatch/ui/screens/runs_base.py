"""The list of runs, its frame: the window of rows, the counts, the pane; what is shown and kept true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from flowlatch.live.link import ReloadReason
from flowlatch.live.run_list import RunList
from flowlatch.live.session import Session, TimeStyle, utc_now
from flowlatch.live.tally import Tally
from flowlatch.live.views import View, load_view, save_view
from flowlatch.model.filter import Parsed, parse_filter
from flowlatch.model.query import RunQuery, SortKey
from flowlatch.model.run import FlowRun, RunId
from flowlatch.ui.format import count
from flowlatch.ui.messages import AttentionChanged, LinkChanged, Reload, RunsChanged, Tick, TimesChanged
from flowlatch.ui.screens import link_text
from flowlatch.ui.screens.base import ROOMY, WIDE
from flowlatch.ui.screens.runs_pane import SidePane
from flowlatch.ui.screens.taking import Taking
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.columns import Times, chosen_columns
from flowlatch.ui.widgets.filter_bar import FilterBar
from flowlatch.ui.widgets.run_table import RunTable
from flowlatch.ui.widgets.state_tabs import TABS, StateTabs

VIEWS = "views.json"
PANE_REST_S = 0.15
"""The cursor rests this long on a run before the pane asks for it, so that moving through a list asks for nothing."""
SORT_WORDS = {
    SortKey.START: "start",
    SortKey.UPDATED: "updated",
    SortKey.CREATED: "created",
    SortKey.STATE: "state",
    SortKey.FLOW: "flow",
    SortKey.NAME: "run name",
    SortKey.VERSION: "version",
    SortKey.DURATION: "duration",
    SortKey.MESSAGE: "message",
}


def pane_width(width: int) -> int:
    """Return the cells of the pane on a screen of so many."""
    return max(min(width * 42 // 100, 80), 46)


@cache
def _tab_states() -> list[tuple[tuple[str, ...], tuple[str, ...], bool]]:
    """Return what each tab asks for: states, states left out, late runs."""
    queries = [parse_filter(f"state:{tab.states}" if tab.states else "", utc_now()).query for tab in TABS]
    return [(query.states, query.not_states, query.late) for query in queries]


class RunsBase(Taking[None]):
    """Shows one list of runs and keeps it true."""

    DEFAULT_CSS = """
    RunsBase #list { height: 1fr; }
    RunsBase #pane { display: none; width: 60; }
    RunsBase.-wide #pane { display: block; }
    RunsBase.-wide.-no-pane #pane { display: none; }
    """

    def __init__(self, session: Session, *, state_dir: Path) -> None:
        super().__init__(session)
        self._views_file = state_dir / VIEWS
        profile = session.profile
        self.view: View = load_view(self._views_file, profile.name, profile.filter)
        session.time_style = self.view.time_style
        self.filter_text = self.view.filter
        self.parsed: Parsed = self._parse(self.filter_text)
        self.problem: str | None = None
        self._requests_per_minute = 0
        self.frozen_at: datetime | None = None
        self.marks: dict[RunId, FlowRun] = {}
        self.list = RunList(session, on_change=self._rows_changed, on_problem=self._list_problem)
        queries = {tab.states: parse_filter(f"state:{tab.states}", session.now()).query for tab in TABS if tab.states}
        self.tally = Tally(session, {"": parse_filter("", session.now()).query, **queries}, on_change=self.show_counts)

    def body(self) -> ComposeResult:
        """Tabs, filter, table and pane."""
        yield StateTabs(id="tabs")
        yield FilterBar(id="filter")
        self._divide(self.app.size.width)
        with Horizontal(id="list"):
            yield RunTable(id="table")
            pane = SidePane(self.session, id="pane")
            pane.styles.width = pane_width(self.app.size.width)
            yield pane

    @property
    def pane(self) -> SidePane:
        """The side pane, shown or not."""
        return self.query_one(SidePane)

    @property
    def table(self) -> RunTable:
        """The table."""
        return self.query_one(RunTable)

    def on_mount(self) -> None:
        """Start loading, as soon as there is a link."""
        names, problems = chosen_columns(self.view.columns or self.session.profile.columns)
        self.table.line.columns = names
        self.table.on_move = self._follow
        for problem in problems:
            self.notify(problem, severity="warning", markup=False)
        self.table.focus()
        self.restyle()
        self.list.ask(self.parsed.query)
        begin(self, self.list.run, group="list", name="list")
        begin(self, self.tally.run, group="tally", name="tally")
        self.tally.refresh()
        self.show_counts()

    def _parse(self, text: str) -> Parsed:
        base = RunQuery(sort=self.view.sort)
        return parse_filter(text, self.session.now(), zone=self.session.local_zone, base=base)

    def keep_view(self) -> None:
        """Remember how this server was looked at."""
        self.view = replace(self.view, filter=self.filter_text, time_style=self.session.time_style)
        save_view(self._views_file, self.session.profile.name, self.view)

    def reread(self) -> None:
        """Ask for the list as the filter text means it now: `since:2h` moves with the clock."""
        if self.parsed.is_relative:
            self.parsed = self._parse(self.parsed.text)
        self.list.ask_again(self.parsed.query)

    # What the server says

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Patch rows, keep marks up to date, count again."""
        for change in message.batch.changes:
            if change.id in self.marks:
                if change.run is None:
                    del self.marks[change.id]
                elif change.run.version >= self.marks[change.id].version:
                    self.marks[change.id] = change.run
        self.list.apply(message.batch)
        self.tally.refresh()
        if not self.is_frozen:
            self.pane.apply(message.batch)

    def on_reload(self, message: Reload) -> None:
        """Load anew; forget everything when another database answers."""
        if message.reason is ReloadReason.SERVER_CHANGED:
            self.marks.clear()
            self.list.clear()
            self.tally.clear()
            self.pane.forget()
            self.notify("Another database answers now: what was shown is gone", severity="warning", markup=False)
        elif message.reason is ReloadReason.RECONNECTED:
            self.notify("Connected again", markup=False)
        if self.is_frozen:
            return
        self.reread()
        if self.list.board.is_loaded:  # the first rows come before any number
            self.tally.refresh()
        self.pane.reload()
        self.restyle()

    def on_link_changed(self, message: LinkChanged) -> None:
        """Dim what may be old."""
        self.restyle()
        self._rows_changed(set())

    def on_attention_changed(self, message: AttentionChanged) -> None:
        """Rest while nobody looks."""
        self.pane.rest(not self.app.app_focus)

    def on_tick(self, message: Tick) -> None:
        """Repaint what counts, and every minute all that has an age."""
        if message.is_minute or not self._requests_per_minute:
            self._requests_per_minute = round(self.session.requests_per_minute)
        if not self.is_frozen:
            self.table.tick(self._times(), is_minute=message.is_minute)
            self.list.tick()
            if message.is_minute and self.parsed.is_relative:
                self.reread()
            if self.list.board.query.late or self.tally.counts:
                self.tally.refresh()
            self.pane.tick(is_minute=message.is_minute)

    def on_times_changed(self, message: TimesChanged) -> None:
        """Write times in the other way."""
        self.restyle()
        self.keep_view()

    def on_screen_resume(self) -> None:
        """Come back to the front."""
        self.restyle()
        self.pane.repaint()

    def on_resize(self, event: events.Resize) -> None:
        """Find room for the pane and the chart, or take it back."""
        self._divide(event.size.width)
        self.pane.styles.width = pane_width(event.size.width)
        self.tally.has_trend = event.size.width >= ROOMY
        self.tally.refresh()
        self.show_counts()

    def _divide(self, width: int) -> None:
        """Say whether there is a pane: before the widgets are there, a change of it would lay them out twice."""
        self.update_classes({"-wide": width >= WIDE, "-no-pane": not self.view.has_pane})

    # What is shown

    @property
    def is_frozen(self) -> bool:
        """True while the view is held still."""
        return self.list.frozen

    def _times(self) -> Times:
        style = self.session.time_style
        zone = self.session.local_zone
        if style is TimeStyle.UTC:
            return Times(self.session.now(), UTC, is_relative=False)
        return Times(self.session.now(), zone, is_relative=style is TimeStyle.RELATIVE)

    def restyle(self) -> None:
        """Paint the table as times, marks and the link want it now."""
        is_dim = self.session.link.is_stale(self.session.local_now()) and self.list.board.is_loaded
        self.table.restyle(
            times=self._times(),
            is_dim=is_dim,
            pattern=self.parsed.local_regex,
            sort=self.parsed.query.sort,
            marks=frozenset(self.marks),
        )

    def _rows_changed(self, patched: set[RunId]) -> None:
        if not self.is_open:
            return
        board = self.list.board
        self.table.line.times = self._times()
        self.table.show(board.window, changed=patched, empty_text=self._empty_text())
        if not patched:  # other rows, not only newer ones
            bar = self.query_one(FilterBar)
            bar.flows = sorted({row.flow_name for row in board.window.rows if row.flow_name})
            bar.labels = sorted({label for row in board.window.rows for label in row.labels})
        if board.is_loaded and not self.tally.counts:
            self.tally.refresh()
        self.show_counts()
        self.pane.look_at(self.table.selected)

    def _list_problem(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            self.show_counts()

    def _empty_text(self) -> str:
        if not self.list.board.is_loaded:
            return "loading …" if self.session.link.is_online else "nothing loaded yet"
        whole = self.tally.counts.get("")
        if self.filter_text and (whole is None or whole.value):
            return self.named("no run matches this filter; {back} clears it")
        return self.named("no runs yet; {new_run} creates one")

    def show_counts(self) -> None:
        """Show the tabs' numbers, the filter and what it found, the status line."""
        if not self.is_open:
            return
        self.query_one(StateTabs).show(
            self.tally.counts, self.active_tab(), self.tally.trend if self.size.width >= ROOMY else ()
        )
        problems = [*([self.problem] if self.problem else []), *self.parsed.problems]
        self.query_one(FilterBar).show(self.filter_text, self._summary(), problems)
        self.show_link()

    def active_tab(self) -> int | None:
        """Return the tab that the filter's states stand for, None when it is none of them."""
        query = self.parsed.query
        asked = (query.states, query.not_states, query.late)
        return next((index for index, states in enumerate(_tab_states()) if states == asked), None)

    def _summary(self) -> Content:
        board, sort = self.list.board, self.parsed.query.sort
        parts = []
        if board.is_loaded:
            found = count(board.total, is_exact=board.total_is_exact)
            if self.list.is_behind:
                found = "…".rjust(len(found))  # as wide as the number that was there: nothing has to move for it
            whole = self.tally.counts.get("")
            if self.parsed.query.is_filtered and whole:
                found += f" of {count(whole.value, is_exact=whole.is_exact)}"
            parts.append(found)
        if self.parsed.local_regex:
            parts.append("re: loaded rows only")
        parts.append(f"{SORT_WORDS[sort.key]} {'↓' if sort.descending else '↑'}")
        saved = self._saved_name()
        if saved and self.size.width >= ROOMY:
            parts.append(f"saved: {saved}")
        return Content(" · ".join(parts))

    def _saved_name(self) -> str:
        filters = self.session.profile.filters
        return next((name for name, text in filters.items() if text == self.filter_text and text), "")

    def status_left(self) -> Content:
        """Marks, freshness, traffic."""
        parts: list[Content] = []
        if self.marks:
            parts.append(Content.styled(f"{len(self.marks)} marked", "$mark bold"))
        parts.append(link_text.freshness(self.session, is_frozen=self.is_frozen, frozen_at=self.frozen_at))
        if self.list.board.window.guest:
            is_in = self.list.board.is_guest_listed(self.session.now())
            place = "stands elsewhere in this list" if is_in else "is not in this list any more"
            parts.append(Content(f"the selected run {place}"))
        if self.size.width >= ROOMY:
            parts.append(Content(f"{self._requests_per_minute} requests/min"))
        return Content(" · ").join(parts)

    # The cursor and the pane

    def _follow(self, index: int, run_id: RunId | None) -> None:
        had_guest = self.list.board.window.guest is not None
        self.list.board.move_to(index, run_id)
        if had_guest:
            self._rows_changed(set())

    def on_run_table_cursor_moved(self, message: RunTable.CursorMoved) -> None:
        """Show where the operator went."""
        self.pane.look_at(self.table.selected)

    def on_run_table_wanted(self, message: RunTable.Wanted) -> None:
        """Load what is on the screen."""
        self.list.see(message.first, message.last)
