"""A question about one run before an act without a form: cancel, delete, retry. Focus on No; the run is watched."""

from __future__ import annotations

from abc import abstractmethod

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from flowlatch.live.desk import Cancelled, Deleted, Desk, Outcome
from flowlatch.live.edit import Conflict, Gone, NotSent, Refused, Unknown
from flowlatch.live.parties import party
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeKind
from flowlatch.model.run import FlowRun
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui.format import run_title
from flowlatch.ui.messages import LinkChanged, RunsChanged, WritingChanged
from flowlatch.ui.screens.confirm import Question, typeable
from flowlatch.ui.screens.edit_words import banner, now_line
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.words import show_words


class RunQuestion(Question[None]):
    """Base of the questions. Subclasses give the words and `act`, which ends in an outcome."""

    DEFAULT_CSS = """
    RunQuestion #told { height: auto; max-height: 40vh; margin: 1 0 0 0; }
    RunQuestion #meanwhile, RunQuestion #result { display: none; margin: 1 0 0 0; }
    RunQuestion #meanwhile.-shown, RunQuestion #result.-shown { display: block; }
    """
    title_words = "?"
    yes_words = "Yes"

    def __init__(self, session: Session, run: FlowRun) -> None:
        super().__init__(session, "")
        self.run_shown = run
        self.desk = Desk(session)
        self.base = self.desk.base_of(run)
        self.typed = typeable(run.name, run.id) if self.is_grave else ""
        self._is_sending = False

    @property
    def is_grave(self) -> bool:
        """True when the run's name has to be typed."""
        return False

    @abstractmethod
    def words(self) -> Content:
        """Return what yes will do."""

    @abstractmethod
    async def act(self) -> Outcome:
        """Do it."""

    def body(self) -> ComposeResult:
        """The run, what yes does, the buttons."""
        head = Content.assemble((run_title(self.run_shown), "bold"), "\n", now_line(self.base, self.session.local_zone))
        yield Static(head, markup=False)
        yield VerticalScroll(Static(self.words(), id="words", markup=False), can_focus=False, id="told")
        yield Static(Content(""), id="meanwhile", markup=False)
        yield Static(Content(""), id="result", markup=False)
        yield from self.answers("No", self.yes_words)

    def on_mount(self) -> None:
        """Put the focus where nothing happens."""
        server = f"{self.session.profile.name} PROD" if self.session.profile.production else self.session.profile.name
        self.query_one("#box").border_title = Content(f"{self.title_words} · {one_line(server, 30)}")
        self.query_one("#no", Button).focus()
        self._show_yes()

    @on(LinkChanged)
    @on(WritingChanged)
    @on(Input.Changed)
    def _show_yes(self) -> None:
        """Switch Yes off while nothing can be sent, or the name is not typed."""
        reason = self.session.why_read_only
        self.query_one("#yes", Button).disabled = not self.is_typed or reason is not None or self._is_sending
        if reason and not self._is_sending:
            self.say(f"off: {reason}")

    @on(RunsChanged)
    def _runs_changed(self, message: RunsChanged) -> None:
        """Say that the run moved on; the question and its target stay."""
        for change in message.batch.changes:
            if change.id != self.base.run_id:
                continue
            if change.kind is ChangeKind.GONE:
                self.meanwhile(Content.styled("!! the run does not exist any more", "$state-late bold"))
            elif change.run is not None and change.run.version > self.base.version:
                zone, now = self.session.local_zone, self.session.now()
                self.meanwhile(banner(change.run, zone, now, me=self.desk.me, is_mine=False))

    def meanwhile(self, words: Content) -> None:
        """Show what changed since the question was asked."""
        shown = self.query_one("#meanwhile", Static)
        show_words(shown, words)
        shown.set_class(bool(words.plain), "-shown")

    def say(self, words: str) -> None:
        """Show why it was not done."""
        shown = self.query_one("#result", Static)
        show_words(shown, Content.styled(one_line(words, 500), "$error"))
        shown.set_class(bool(words), "-shown")

    @on(Button.Pressed)
    def _answered(self, message: Button.Pressed) -> None:
        if message.button.id == "yes":
            begin(self, self._act, group="write", exclusive=False)
        else:
            self.action_close()

    async def _act(self) -> None:
        self._is_sending = True
        self._show_yes()
        outcome = await self.act()
        self._is_sending = False
        self.deal_with(outcome)
        if self.is_open:
            self._show_yes()

    def deal_with(self, outcome: Outcome) -> None:
        """Close with a line when it is done; else say what became of it and stay."""
        match outcome:
            case Cancelled(state=state):
                self.done(f"the server says {one_line(state, 40)}")
            case Deleted():
                self.done("deleted")
            case Gone():
                self.done("it does not exist any more")
            case Conflict(theirs=theirs):
                who = party(theirs.actor, me=self.desk.me)
                name = one_line(theirs.name, 40)
                self.say(
                    f"not done: it is {version_label(theirs.version)} {name} now, by {who}; close, look, and ask again"
                )
            case Refused(reason=reason):
                self.say(f"refused: {reason}")
            case NotSent(reason=reason):
                self.say(f"not sent: {reason}")
            case Unknown(reason=reason):
                self.say(f"OUTCOME UNKNOWN: {reason}. Close and look at the run before anything else.")
            case _:
                self.done("done")

    def done(self, words: str) -> None:
        """Close and say how it went."""
        self.app.notify(words, title=f"{self.title_words} {run_title(self.run_shown)}", markup=False)
        self.dismiss(None)

    def action_close(self) -> None:
        """Escape and No write nothing."""
        if not self._is_sending:
            self.dismiss(None)
