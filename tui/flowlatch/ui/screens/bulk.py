"""One act on many runs: the frozen list and the count first, then progress, then a result for each run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.live.bulk import TYPED_OVER, Bulk, Item, Result, Verb, result_line
from flowlatch.live.desk import Desk
from flowlatch.live.edit import Conflict
from flowlatch.live.session import Session
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.versions import version_label
from flowlatch.text import counted, one_line
from flowlatch.ui import keys
from flowlatch.ui.format import run_title, state_label, style_name
from flowlatch.ui.messages import LinkChanged, OpenRun, WritingChanged
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.conflict import ConflictResult, ConflictScreen, Way
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.form import worded
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.rows import Column, Row, Rows
from flowlatch.ui.widgets.state_fields import StateFields
from flowlatch.ui.widgets.words import show_words

WORDS = {
    Verb.SET_STATE: ("Set the state of", "each on the version shown here; a run that moved on is not touched"),
    Verb.CANCEL: ("Cancel", "with the cancel call; a run that moved on is not touched"),
    Verb.RETRY: ("Retry", "a new run of the same flow version for each, with its parameters; the old ones stay"),
    Verb.DELETE: ("Delete", "with states, task runs and logs, for good; a run that moved on is not touched"),
}
LOOKS = {
    Result.NOT_SENT: "faint",
    Result.SENDING: "accent",
    Result.DONE: "success",
    Result.CONFLICT: "late",
    Result.REFUSED: "failed",
    Result.UNKNOWN: "late",
}
COLUMNS = (
    Column("RESULT", limit=9),
    Column("STATE", limit=16),
    Column("VER", limit=5),
    Column("FLOW / RUN", limit=46),
    Column("OUTCOME", is_last=True),
)
BAR_CELLS = 30


class BulkScreen(FlowScreen[frozenset[RunId]]):
    """Nothing is sent before ctrl+s; over 20 runs the count has to be typed. Escape stops, and closes when it rests."""

    BINDINGS = [
        worded(keys.SUBMIT, "Start"),
        keys.SEND_REST,
        keys.NEXT_FIELD,
        keys.PREVIOUS_FIELD,
        worded(keys.OPEN, "Open"),
        keys.STOP,
        worded(keys.CLOSE, "Close"),
    ]
    DEFAULT_CSS = """
    BulkScreen #words { height: auto; padding: 0 1; }
    BulkScreen #fields { height: auto; padding: 1 1 0 1; }
    BulkScreen #fields.-started { display: none; }
    BulkScreen #progress { height: auto; padding: 0 1; display: none; }
    BulkScreen #progress.-started { display: block; }
    BulkScreen #heading { height: 1; color: $muted; margin: 1 0 0 0; }
    """
    letters_are_keys = False

    def __init__(self, session: Session, verb: str, runs: list[FlowRun]) -> None:
        super().__init__(session)
        self.desk = Desk(session)
        self.bulk = Bulk(self.desk, Verb(verb), runs, on_change=self._changed)
        self.message = Content("")
        self.is_strict = False
        self._is_stale = False

    def body(self) -> ComposeResult:
        """What will be done, the fields it takes, the runs."""
        yield Static(self._words(), id="words", markup=False)
        yield Static(Content(""), id="progress", markup=False)
        with Vertical(id="fields"):
            if self.bulk.verb is Verb.SET_STATE:
                yield StateFields(
                    zone=self.session.zone,
                    now=self.session.now,
                    is_reason_required=self.session.profile.reason_required,
                    states=self.session.capabilities.states if self.session.capabilities else (),
                )
            if self._must_type:
                hint = f"type {len(self.bulk.items)} to confirm"
                yield Field("count", TextInput(id="count", restrict=r"[0-9]*"), hint=hint, id="count-field")
        yield Static(Content(""), id="heading", markup=False)
        yield Rows(COLUMNS, id="runs")

    @property
    def _must_type(self) -> bool:
        return len(self.bulk.items) > TYPED_OVER

    def on_mount(self) -> None:
        """Show the list; the focus goes to the first field, else to the list."""
        verb, _ = WORDS[self.bulk.verb]
        self.show_title(Content(f"{verb} {counted(len(self.bulk.items), 'run')}"))
        self._show_rows()
        fields = self.query("#fields Choice, #fields TextInput")
        (fields.first() if fields else self.query_one(Rows)).focus()

    def on_resize(self) -> None:
        """The columns have other widths."""
        self.call_after_refresh(self._show_rows)

    def _words(self) -> Content:
        verb, how = WORDS[self.bulk.verb]
        states = ", ".join(f"{number} {one_line(state, 30)}" for state, number in self.bulk.states().most_common())
        server = f"{one_line(self.session.profile.name, 40)}{' PROD' if self.session.profile.production else ''}"
        return Content.assemble(
            (f"{verb} {counted(len(self.bulk.items), 'run')} on {server}: ", "bold"),
            f"{states}. ",
            (f"{how[0].upper()}{how[1:]}.", "$muted"),
        )

    def _show_rows(self) -> None:
        """Show each run with what became of it."""
        self._is_stale = False
        if not self.is_open:
            return
        table = self.query_one(Rows)
        table.show([self._row(item) for item in self.bulk.items])
        show_words(self.query_one("#heading", Static), Content(table.heading))
        self._show_progress()

    def _row(self, item: Item) -> Row:
        run = item.run
        return Row(
            item.base.run_id,
            (
                (str(item.result) if self.bulk.is_started else "", LOOKS[item.result]),
                (state_label(run.state, category=run.category), style_name(run.state, category=run.category)),
                (version_label(item.base.version), "muted"),
                (run_title(run), ""),
                (result_line(item.outcome, me=self.desk.me), ""),
            ),
        )

    def _show_progress(self) -> None:
        bulk, results = self.bulk, self.bulk.results()
        for selector in ("#fields", "#progress"):
            self.query_one(selector).set_class(bulk.is_started, "-started")
        open_count = results[Result.NOT_SENT] + results[Result.SENDING]
        ended = len(bulk.items) - open_count
        filled = BAR_CELLS * ended // max(len(bulk.items), 1)
        told = " · ".join(f"{results[result]} {result}" for result in Result if results[result])
        bar = Content.assemble(("━" * filled, "$accent"), ("─" * (BAR_CELLS - filled), "$rule"))
        show_words(
            self.query_one("#progress", Static), Content.assemble(bar, f"  {ended} of {len(bulk.items)}   ", told)
        )
        self.show_link()
        self.refresh_bindings()

    def _changed(self, item: Item) -> None:
        """Repaint soon; many changes cost one repaint."""
        if not self._is_stale:
            self._is_stale = True
            self.call_after_refresh(self._show_rows)

    def problem(self) -> str:
        """Return what is wrong with the fields, empty when it can start."""
        if self.bulk.verb is Verb.SET_STATE:
            problems = self.query_one(StateFields).problems()
            if problems:
                return problems[0]
        if self._must_type and self.query_one("#count", TextInput).value != str(len(self.bulk.items)):
            return f"count: type {len(self.bulk.items)} to confirm"
        return ""

    @on(Input.Changed)
    @on(StateFields.Changed)
    def _edited(self) -> None:
        self.message = Content("")
        if self.is_strict:
            self._show_problems()
        self.show_link()

    def _show_problems(self) -> None:
        if self.bulk.verb is Verb.SET_STATE:
            self.query_one(StateFields).show_problems(is_strict=True)
        if self._must_type:
            problem = self.problem()
            self.query_one("#count-field", Field).show_problem(problem if problem.startswith("count") else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer start, then stop, then the rest."""
        bulk = self.bulk
        is_off = self.session.why_read_only is not None
        if action == "submit":
            return False if bulk.is_started else None if is_off else True
        if action == "send_rest":
            is_offered = bulk.is_started and not bulk.is_running and bool(bulk.rest())
            return (None if is_off else True) if is_offered else False
        if action == "stop":
            return bulk.is_running
        if action == "close":
            return not bulk.is_running
        if action == "open_run":
            return self.query_one(Rows).has_focus if self.is_open else False
        return super().check_action(action, parameters)

    def action_submit(self) -> None:
        """Check the fields, then start."""
        self.is_strict = True
        problem = self.problem()
        if problem:
            self._show_problems()
            self.message = Content.styled(one_line(problem), "$error")
            self.show_link()
            return
        if self.bulk.verb is Verb.SET_STATE:
            self.bulk.draft = self.query_one(StateFields).draft()
        self._start()

    def action_send_rest(self) -> None:
        """Send what was not sent; read back what is unknown."""
        self._start()

    def _start(self) -> None:
        if not self.bulk.is_running:
            self.message = Content("")
            self.query_one(Rows).focus()
            begin(self, self._run, group="write", exclusive=False)

    async def _run(self) -> None:
        await self.bulk.run()
        results = self.bulk.results()
        told = ", ".join(f"{results[result]} {result}" for result in Result if results[result])
        is_whole = results[Result.DONE] == len(self.bulk.items)
        self.message = Content.styled(told, "$state-success" if is_whole else "$state-late bold")
        if self.is_open:
            self._show_rows()

    def action_stop(self) -> None:
        """Send nothing more; what is under way ends."""
        self.bulk.stop()
        self.message = Content.styled("stopping: what is under way ends", "$state-late")
        self.show_link()

    @on(Rows.Chosen)
    def _row_chosen(self) -> None:
        self.action_open_run()

    @property
    def chosen(self) -> Item | None:
        """The run under the cursor."""
        key = self.query_one(Rows).chosen
        return next((item for item in self.bulk.items if item.base.run_id == key), None)

    def action_open_run(self) -> None:
        """Open the conflict of a run that has one, the new run of a retry, else the run."""
        item = self.chosen
        if item is None:
            return
        outcome = item.outcome
        if isinstance(outcome, Conflict) and self.bulk.verb is Verb.SET_STATE:
            now = self.session.now()
            screen = ConflictScreen(self.session, outcome, typed_at=now, sent_at=item.base.taken_at)
            self.app.push_screen(screen, lambda result: self._conflict_ended(item, result))
        else:
            self.post_message(OpenRun(getattr(outcome, "id", item.base.run_id)))

    def _conflict_ended(self, item: Item, result: ConflictResult | None) -> None:
        """Take what was decided for one run; keep editing opens the form on theirs."""
        if result is None or result.way is Way.BACK:
            return
        if result.way is Way.DONE and result.outcome is not None:
            item.outcome = result.outcome
            item.base = result.conflict.rebased()
        elif result.way is Way.KEEP_EDITING:
            theirs = result.conflict.theirs
            update: dict[str, Any] = {
                "version": theirs.version,
                "state": theirs.name,
                "state_message": theirs.message,
                "state_timestamp": theirs.timestamp,
                "actor": theirs.actor,
            }
            run = replace(item.run, **update)
            self.app.push_screen(EditStateScreen(self.session, run, proposed=result.conflict.draft))
        self._show_rows()

    def action_close(self) -> None:
        """Close, and tell which runs are done; nothing is under way."""
        self.dismiss(frozenset(item.run.id for item in self.bulk.items if item.result is Result.DONE))

    @on(LinkChanged)
    @on(WritingChanged)
    def _link_changed(self) -> None:
        self.refresh_bindings()

    def status_left(self) -> Content:
        """Return how it stands, else why nothing can be sent, else the freshness of the data."""
        if self.message.plain:
            return self.message
        reason = self.session.why_read_only if self.session.link.is_online else None
        return Content.styled(f"start is off: {one_line(reason)}", "$state-late") if reason else super().status_left()
