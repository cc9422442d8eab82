"""A form about one run: its base is frozen when it opens; what the server has since is watched and said at once."""

from __future__ import annotations

from typing import TypeVar

from textual import on
from textual.content import Content
from textual.widgets import Static

from flowlatch.errors import BackendError, NotFound
from flowlatch.live.drafts import Draft
from flowlatch.live.edit import is_no_change
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeKind
from flowlatch.model.run import FlowRun
from flowlatch.model.state import State, StateDraft
from flowlatch.text import one_line
from flowlatch.ui.messages import Reload, RunsChanged, Tick
from flowlatch.ui.screens.base import WIDE
from flowlatch.ui.screens.edit_words import banner, history_content
from flowlatch.ui.screens.form import FormScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.words import show_words

T = TypeVar("T")
GONE_WORDS = "!! This run does not exist any more. What you typed stays here."
OTHER_DATABASE = "the server has another database now; this form belongs to the old one"


class RunForm(FormScreen[T]):
    """Base of the forms about one run. A body has Statics `#banner` and, in `#side`, `#history`.

    `theirs` is the newest the server told, when it differs from the base. Nothing that arrives touches the fields.
    """

    DEFAULT_CSS = """
    RunForm #side { display: none; width: 40; border-left: solid $rule; padding: 0 1; }
    RunForm.-wide #side { display: block; }
    RunForm #banner { height: auto; display: none; border-top: solid $rule; background: $panel; }
    RunForm.-changed #banner { display: block; }
    """

    def __init__(self, session: Session, run: FlowRun, draft: Draft | None = None) -> None:
        super().__init__(session, draft)
        self.run_shown = run
        self.base = self.desk.base_of(run)
        self.theirs: FlowRun | None = None
        self.is_gone = False
        self.history: list[State] = []
        """Oldest first; empty until it was read."""

    def on_mount(self) -> None:
        """Ask the server whether the base is still so: a list may lag behind."""
        self.set_class(self.size.width >= WIDE, "-wide")
        begin(self, self._load, group="page", exclusive=True)

    def on_resize(self) -> None:
        """Show the history from a certain width on."""
        self.set_class(self.size.width >= WIDE, "-wide")
        self.show_all()

    async def _load(self) -> None:
        try:
            run = await self.session.backend.run(self.base.run_id)
            self.history = await self.session.backend.history(self.base.run_id)
        except NotFound:
            self.is_gone = True
        except BackendError as error:
            self.say(f"history could not be read: {one_line(error)}", is_bad=True)
        else:
            self._see(run)
            self.loaded()
        self.show_all()

    def loaded(self) -> None:
        """Called when run and history were read."""

    def _see(self, run: FlowRun) -> None:
        """Take note of what the server has now; a lower version than the base is noted too (a restored backup)."""
        known = self.theirs.version if self.theirs else self.base.version
        if run.version < self.base.version or (run.version > self.base.version and run.version >= known):
            self.theirs = run

    @on(RunsChanged)
    def _runs_changed(self, message: RunsChanged) -> None:
        mine = [change for change in message.batch.changes if change.id == self.base.run_id]
        for change in mine:
            if change.kind is ChangeKind.GONE:
                self.is_gone = True
            elif change.run is not None and change.run.version > self.base.version:
                self._see(change.run)
                if self.has_class("-wide"):
                    begin(self, self._load, group="page", exclusive=True)
        if mine:
            self.show_all()

    @on(Reload)
    def _reloaded(self) -> None:
        begin(self, self._load, group="page", exclusive=True)

    @on(Tick)
    def _ticked(self) -> None:
        self.show_all()

    def why_not(self) -> str | None:
        """Return why nothing can be sent now."""
        if self.is_gone:
            return "the run does not exist any more"
        if self.session.link.is_online and self.base.server_id not in ("", self.session.server_id):
            return OTHER_DATABASE
        return super().why_not()

    def wanted(self) -> StateDraft | None:
        """Return the state that this form would set, None while there is none."""
        return None

    def show_all(self) -> None:
        """Repaint what depends on base and theirs."""
        if not self.is_open:
            return
        zone, now, shown = self.session.local_zone, self.session.now(), Content("")
        if self.is_gone:
            shown = Content.styled(GONE_WORDS, "$state-late bold")
        elif self.theirs is not None:
            draft = self.wanted()
            is_mine = draft is not None and is_no_change(self.desk.base_of(self.theirs), draft)
            shown = banner(self.theirs, zone, now, me=self.desk.me, is_mine=is_mine, keymap=self.own_keys)
        show_words(self.query_one("#banner", Static), shown)
        self.set_class(bool(shown.plain), "-changed")
        if self.has_class("-wide"):
            side = history_content(self.history, zone, 37, me=self.desk.me, base_version=self.base.version)
            show_words(self.query_one("#history", Static), side)
        self.show_state()
