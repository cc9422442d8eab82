"""What the screen of one run shows: tabs, the log beside them, all of it kept true while the run moves."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from flowlatch.live.detail import Part, RunDetail
from flowlatch.live.export import Export, logs_of
from flowlatch.live.link import ReloadReason
from flowlatch.live.parties import party
from flowlatch.live.session import Session
from flowlatch.model.filter import format_filter
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, RunId
from flowlatch.ui.messages import (
    AttentionChanged,
    CopyText,
    LinkChanged,
    OpenRun,
    Reload,
    RunsChanged,
    ShowRuns,
    Tick,
    TimesChanged,
)
from flowlatch.ui.screens import run_facts
from flowlatch.ui.screens.base import WIDE
from flowlatch.ui.screens.log_pane import LogPane
from flowlatch.ui.screens.run_related import related_rows
from flowlatch.ui.screens.run_tasks import task_detail
from flowlatch.ui.screens.taking import Taking
from flowlatch.ui.screens.times import Times
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.gantt import TaskView, TimeAxis
from flowlatch.ui.widgets.history_list import HistoryList
from flowlatch.ui.widgets.json_view import JsonView
from flowlatch.ui.widgets.line_view import LineView
from flowlatch.ui.widgets.log_view import LogView
from flowlatch.ui.widgets.related_view import RelatedView
from flowlatch.ui.widgets.tab_line import TabLine
from flowlatch.ui.widgets.text_pane import TextPane
from flowlatch.ui.widgets.timeline import Timeline
from flowlatch.ui.widgets.words import show_words

TABS = {
    "overview": "Overview",
    "history": "History",
    "logs": "Logs",
    "tasks": "Tasks",
    "related": "Related",
    "params": "Params",
    "raw": "Raw",
}
WITHOUT_LOGS = ("tasks", "related")
"""Tabs that want the whole width."""
RELATED_FROM_HEIGHT = 34
RELATED_LINES = 8
COPIES_HINT_CELLS = 10


class RunView(Taking[None]):
    """Shows one run and follows it."""

    DEFAULT_CSS = """
    RunView #panes { height: 1fr; }
    RunView #tab { width: 1fr; height: 1fr; }
    RunView #overview, RunView #history, RunView #tasks { height: 1fr; }
    RunView .rule { height: 1; color: $rule; }
    RunView #facts { height: auto; padding: 0 1; }
    RunView #state-detail, RunView #task-detail {
        height: auto; max-height: 50%; padding: 0 1; border-top: solid $rule; overflow-y: auto;
    }
    RunView #others { height: auto; padding: 0 1; display: none; }
    RunView.-tall #others { display: block; }
    RunView #logs { display: none; }
    RunView.-wide #logs { display: block; width: 46%; border-left: solid $rule; }
    RunView.-wide.-no-logs #logs { display: none; }
    RunView.-logs #tab { display: none; }
    RunView.-logs #logs { display: block; width: 1fr; border-left: none; }
    """

    def __init__(self, session: Session, run_id: RunId, tab: str = "overview") -> None:
        super().__init__(session)
        self.tab = tab if tab in TABS else "overview"
        self.detail = RunDetail(session, run_id, on_change=self._repaint)
        self.log_pane = LogPane(id="logs")

    @property
    def run_id(self) -> RunId:
        """The run that is shown, from first to last."""
        return self.detail.run_id

    def chosen_runs(self) -> list[FlowRun]:
        """Return the run, once it is known."""
        return [self.detail.run] if self.detail.run is not None else []

    def what_to_export(self) -> Export | None:
        """Return the log while that is looked at, else the run."""
        run = self.detail.run
        if run is not None and (self.tab == "logs" or isinstance(self.focused, LogView)):
            return logs_of(run, self.detail.tail.lines)
        return super().what_to_export()

    def body(self) -> ComposeResult:
        """Tabs over two panes: what the tab shows, and the log."""
        yield TabLine(TABS, id="tabs")
        with Horizontal(id="panes"):
            with ContentSwitcher(id="tab", initial="overview"):
                with Vertical(id="overview"):
                    yield Static(id="facts", markup=False)
                    yield Rule()
                    yield Timeline(id="timeline")
                    yield Rule()
                    yield HistoryList(id="recent")
                    yield Static(id="others", markup=False)
                with Vertical(id="history"):
                    yield TextPane(HistoryList(id="states"))
                    yield Static(id="state-detail", markup=False)
                with Vertical(id="tasks"):
                    yield TimeAxis(id="axis")
                    yield TextPane(TaskView(id="task-list"))
                    yield Static(id="task-detail", markup=False)
                yield TextPane(RelatedView(id="related-list"), id="related")
                yield TextPane(JsonView(id="parameters"), id="params")
                yield TextPane(JsonView(id="document"), id="raw")
            yield self.log_pane

    # Life

    def on_mount(self) -> None:
        """Start reading, as soon as there is a link."""
        self.show_tab(self.tab)
        self._repaint(frozenset(Part))
        begin(self, self.detail.follow, group="detail", name="detail")

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Follow the run."""
        self.detail.apply(message.batch)

    def on_reload(self, message: Reload) -> None:
        """Read anew; when another database answers, what was known is void."""
        if message.reason is ReloadReason.SERVER_CHANGED:
            self.detail.forget()
            self.notify("Another database answers now: this run may not be there", severity="warning", markup=False)
        self.detail.reload()
        self.detail.resume()

    def on_link_changed(self, message: LinkChanged) -> None:
        """Go on reading once there is a link."""
        if message.link.is_online:
            self.detail.resume()

    def on_tick(self, message: Tick) -> None:
        """Repaint ages."""
        self._repaint(frozenset({Part.RUN, Part.HISTORY}))

    def on_times_changed(self, message: TimesChanged) -> None:
        """Write times in the other way."""
        self._repaint(frozenset(Part))

    def on_attention_changed(self, message: AttentionChanged) -> None:
        """Rest while nobody looks."""
        self.detail.rest(not self.app.app_focus)

    def on_resize(self, event: events.Resize) -> None:
        """Find room for the log and for other runs, or take it back."""
        self.update_classes({"-wide": event.size.width >= WIDE, "-tall": event.size.height >= RELATED_FROM_HEIGHT})
        self._want()
        self.call_after_refresh(self._repaint, frozenset(Part))

    # Tabs

    def show_tab(self, tab: str) -> None:
        """Show a tab and put the focus into it."""
        self.tab = tab
        self.update_classes({"-logs": tab == "logs", "-no-logs": tab in WITHOUT_LOGS})
        if tab != "logs":
            self.query_one("#tab", ContentSwitcher).current = tab
        self._want()
        self._show_tabs()
        view = self.log_pane.view if tab == "logs" else self.query_one(f"#{tab}").query("LineView").first()
        view.focus()
        self.call_after_refresh(self._repaint, frozenset(Part))

    def _want(self) -> None:
        parts = {Part.RUN, Part.HISTORY}
        if self.tab == "logs" or (self.has_class("-wide") and self.tab not in WITHOUT_LOGS):
            parts.add(Part.LOGS)
        if self.tab == "tasks":
            parts |= {Part.TASKS, Part.EDGES}
        if self.tab == "related":
            parts |= {Part.RELATED, Part.KIN}
        if self.tab == "overview" and self.has_class("-tall"):
            parts.add(Part.RELATED)
        self.detail.want(parts)

    def _show_tabs(self) -> None:
        run_id = self.run_id
        short = f"{run_id[:4]}…{run_id[-4:]}" if len(run_id) > COPIES_HINT_CELLS else run_id
        self.query_one(TabLine).show(self.tab, Content.assemble("id ", short, "  ", ("y", "$accent bold"), " copies"))

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        """Show the tab that was clicked."""
        self.show_tab(message.name)

    def step_tab(self, step: int) -> None:
        """Show the tab `step` places on; the ends meet."""
        names = list(TABS)
        self.show_tab(names[(names.index(self.tab) + step) % len(names)])

    # What is shown

    def _repaint(self, parts: frozenset[Part]) -> None:
        """Show what is known now; only what the tab shows is drawn."""
        if not self.is_open:
            return
        times, me = Times(self.session), self.session.target.actor
        self.show_title(run_facts.title(self.detail, times))
        if Part.LOGS in parts and self.log_pane.display:
            self.log_pane.show(self.detail, times)
        elif self.log_pane.display:
            self.log_pane.show_head(self.detail, times)
        match self.tab:
            case "overview":
                self._paint_overview(times, me)
            case "history":
                self._paint_history(times)
            case "tasks":
                self._paint_tasks(times)
            case "related":
                self.query_one("#related-list", RelatedView).show(related_rows(self.detail, times), times.short)
            case "params" if self.detail.run and self.detail.run.parameters is not None:
                self.query_one("#parameters", JsonView).show(self.detail.run.parameters)
            case "raw" if self.detail.run and self.detail.run.raw is not None:
                self.query_one("#document", JsonView).show(self._raw())

    def _raw(self) -> object:
        """Return the answer as the server gave it; after a pushed change it lags behind until it is read again."""
        return self.detail.run.raw if self.detail.run else None

    def _paint_overview(self, times: Times, me: str) -> None:
        facts = self.query_one("#facts", Static)
        show_words(facts, run_facts.facts(self.detail, times, max(facts.content_size.width, 20), me=me))
        self.query_one(Timeline).show(self.detail.history, times.now, times.clock)
        self._show_states("#recent", times)
        if self.has_class("-tall"):
            others = self.query_one("#others", Static)
            width = max(others.content_size.width, 20)
            show_words(others, run_facts.related_lines(self.detail, times, width, RELATED_LINES))

    def _paint_history(self, times: Times) -> None:
        self._show_states("#states", times)
        self._paint_state(times)

    def _show_states(self, name: str, times: Times) -> None:
        states = self.query_one(name, HistoryList)
        states.empty_text = self._nothing(Part.HISTORY, HistoryList.nothing)
        states.show(self.detail.history, times.brief, who=self._who())

    def _nothing(self, part: Part, words: str) -> str:
        """Return `words` for a part of which the server has said that there is none, else why it is not known."""
        return f" {words if part in self.detail.loaded_at else self.detail.problems.get(part, 'loading …')}"

    def _paint_state(self, times: Times) -> None:
        chosen = self.query_one("#states", HistoryList).chosen
        text = run_facts.state_detail(chosen, times, me=self.session.target.actor) if chosen else Content("")
        show_words(self.query_one("#state-detail", Static), text)

    def _paint_tasks(self, times: Times) -> None:
        view = self.query_one("#task-list", TaskView)
        begin = self.detail.run.start_time if self.detail.run else None
        view.empty_text = self._nothing(Part.TASKS, TaskView.empty_text)
        view.show(self.detail.tasks, begin, times.now)
        self.query_one(TimeAxis).show(view, times.clock)
        self._paint_task(times)

    def _paint_task(self, times: Times) -> None:
        shown, view = self.query_one("#task-detail", Static), self.query_one("#task-list", TaskView)
        chosen, whole = view.chosen, [row.task for row in view.tasks]
        shown.display = chosen is not None
        if chosen is not None:
            show_words(shown, task_detail(chosen, whole, self.detail.edges, times, max(self.size.width - 2, 20)))

    def _who(self) -> Callable[[str | None], str] | None:
        """Return how an actor is written; None where the server does not record it."""
        capabilities = self.session.capabilities
        if capabilities is not None and not capabilities.has_actor:
            return None
        return lambda actor: party(actor, me=self.session.target.actor)

    def on_line_view_moved(self, message: LineView.Moved) -> None:
        """Show all of the state under the cursor."""
        if message.view.id == "states":
            self._paint_state(Times(self.session))
        elif message.view.id == "task-list":
            self._paint_task(Times(self.session))

    def status_left(self) -> Content:
        """Return the freshness, and what could not be read."""
        left = super().status_left()
        for part, problem in self.detail.problems.items():
            left = Content.assemble(left, (f"   {part}: {problem}", "$state-late"))
        if self.detail.is_gone:
            left = Content.assemble(left, ("   this run was deleted", "$state-late bold"))
        return left

    def on_related_view_chosen(self, message: RelatedView.Chosen) -> None:
        """Open the run, or the list of all runs of the flow."""
        if message.run_id is not None:
            self.post_message(OpenRun(message.run_id))
        elif self.detail.run is not None:
            self.post_message(ShowRuns(format_filter(RunQuery(flow=self.detail.run.flow_name))))

    def on_log_pane_older_wanted(self, message: LogPane.OlderWanted) -> None:
        """Ask for older lines."""
        if not self.detail.want_older_logs() and self.detail.tail.dropped:
            self.notify("older lines: flowlatch runs logs", markup=False)

    def on_log_view_changed(self, message: LogView.Changed) -> None:
        """Say what is followed now."""
        self.log_pane.show_head(self.detail, Times(self.session))

    def on_json_view_copy_wanted(self, message: JsonView.CopyWanted) -> None:
        """Copy a value."""
        self.post_message(CopyText(message.text, "value"))

    def on_json_view_masked(self, message: JsonView.Masked) -> None:
        """Say why a value was not copied."""
        self.notify(self.named("not copied: it is masked; {reveal} shows it"), severity="warning", markup=False)


class Rule(Static):
    """A thin line between two parts."""

    DEFAULT_CSS = """
    Rule { height: 1; color: $rule; }
    """

    def render(self) -> Content:
        """Draw it over the whole width."""
        return Content("─" * self.size.width)
