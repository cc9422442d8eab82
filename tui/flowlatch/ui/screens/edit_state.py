"""Setting another state on the version that was on the screen when the form opened (ux.md §2, §3)."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from flowlatch.api.backend import Locking
from flowlatch.errors import BadInput
from flowlatch.live.drafts import Draft, DraftKind
from flowlatch.live.edit import (
    Agreed,
    Applied,
    Conflict,
    EditOutcome,
    Gone,
    NotSent,
    Refused,
    Unknown,
    is_no_change,
    undo_of,
)
from flowlatch.live.parties import party
from flowlatch.live.session import Session
from flowlatch.model.command_line import set_state_command
from flowlatch.model.run import FlowRun
from flowlatch.model.schedule import StartTime
from flowlatch.model.state import StateDraft
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.editor import edit_text
from flowlatch.ui.format import run_title, start_stamp
from flowlatch.ui.messages import CopyText
from flowlatch.ui.screens.conflict import ConflictResult, ConflictScreen, Way
from flowlatch.ui.screens.edit_words import (
    now_line,
    will_do,
)
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.link_text import command_server, lock
from flowlatch.ui.screens.run_form import RunForm
from flowlatch.ui.screens.schedule_view import until
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.choice import Choice
from flowlatch.ui.widgets.field import Field
from flowlatch.ui.widgets.state_fields import StateFields
from flowlatch.ui.widgets.words import show_words


class EditStateScreen(RunForm[None]):
    """`base` is frozen when the form opens and changes only when the operator says so on the conflict screen."""

    BINDINGS = [
        worded(keys.SUBMIT, "Set state"),
        keys.REVIEW,
        keys.READ_BACK,
        worded(keys.SEE_CHANGE, "See"),
        worded(keys.TAKE_CHANGE, "Take it"),
        keys.COPY_COMMAND,
        keys.EDITOR,
        keys.CLOSE,
    ]
    DEFAULT_CSS = """
    EditStateScreen #will-do-field { margin: 1 0 0 0; border-top: solid $rule; }
    EditStateScreen #will-do { width: 1fr; height: auto; }
    """
    draft_kind = DraftKind.EDIT

    def __init__(
        self,
        session: Session,
        run: FlowRun,
        *,
        draft: Draft | None = None,
        undo: bool = False,
        proposed: StateDraft | None = None,
    ) -> None:
        super().__init__(session, run, draft)
        self.is_undo = undo
        self._proposed = proposed
        self.typed_at = session.now()
        self._is_strict = False

    def body(self) -> ComposeResult:
        """Now, to, why, start; what it will do; the warning; the history where there is room."""
        with Horizontal():
            with VerticalScroll(id="form", can_focus=False):
                yield Field("now", Static(Content(""), id="now", markup=False), id="now-field")
                yield StateFields(
                    zone=self.session.zone,
                    now=self.session.now,
                    is_reason_required=self.session.profile.reason_required,
                    states=self.session.capabilities.states if self.session.capabilities else (),
                )
                yield Field("will do", Static(Content(""), id="will-do", markup=False), id="will-do-field")
                yield Static(Content(""), id="banner", markup=False)
            with VerticalScroll(id="side", can_focus=False):
                yield Static(Content(""), id="history", markup=False)

    def on_mount(self) -> None:
        """Show the base, and ask the server whether it is still so."""
        word = "Undo" if self.is_undo else "Edit state"
        self.show_title(Content(f"{word} · {run_title(self.run_shown)}"))
        if self.draft is not None:
            typed = self.draft.fields
            texts = [str(typed.get(name) or "") for name in ("state", "message", "start")]
            extra = typed.get("extra")
            self.typed.fill(texts[0], texts[1], texts[2], extra if isinstance(extra, dict) else None)
        elif self._proposed is not None:
            self._fill(self._proposed)
        self.show_all()
        self.query_one("#to", Choice).focus()

    @property
    def typed(self) -> StateFields:
        """The fields of the form."""
        return self.query_one(StateFields)

    def wanted(self) -> StateDraft | None:
        """Return the state that would be set."""
        return self.typed.draft()

    def loaded(self) -> None:
        """Propose the undo, once the state before is known."""
        if self.is_undo and not self.typed.state:
            self._propose_undo()

    def _propose_undo(self) -> None:
        """Fill in the state before the present one."""
        known = [state for state in self.history if state.version <= self.base.version]
        proposal = undo_of(known)
        if proposal is None:
            self.say("there is no state before this one to go back to", is_bad=True)
            return
        self._fill(proposal)

    def _fill(self, proposal: StateDraft) -> None:
        start = proposal.start_time.isoformat() if proposal.start_time else ""
        self.typed.fill(proposal.type, proposal.message or "", start, proposal.extra)

    @on(StateFields.Changed)
    def _edited(self) -> None:
        self.typed_at = self.session.now()
        self.touch()
        self.show_all()

    def problem_count(self) -> int:
        """Return how many fields cannot be sent as they are."""
        return len(self.typed.problems()) if self.is_dirty and self.is_open else 0

    def show_all(self) -> None:
        """Repaint what depends on base, theirs and what is typed."""
        if not self.is_open:
            return
        zone, now = self.session.local_zone, self.session.now()
        show_words(self.query_one("#now", Static), now_line(self.base, zone))
        self.query_one("#now-field", Field).show_hint(lock(self.session))
        self.typed.base = self.base.state
        self.typed.show_problems(is_strict=self._is_strict)
        start, kept = self.typed.start(), self.typed.kept_start
        hint = f"{start.wire}  {until(start.at, now)}" if isinstance(start, StartTime) else ""
        self.typed.show_start(hint, kept=start_stamp(kept, zone) if kept else "")
        shown = will_do(self.base, self.typed.draft(), zone=zone, now=now, keymap=self.own_keys)
        show_words(self.query_one("#will-do", Static), shown)
        super().show_all()

    def status_right(self) -> Content:
        """Return the version this form is based on, behind the count of problems or the mode."""
        return Content.assemble(
            super().status_right(), ("   based on ", "$muted"), (version_label(self.base.version), "bold")
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer one of submit, review and read back; see and take only when something changed."""
        if action in ("submit", "review", "read_back"):
            wanted = "read_back" if self.is_unknown else "review" if self.theirs is not None else "submit"
            if action != wanted:
                return False
            return None if self.is_sending or self.why_not() is not None else True
        if action in ("see_change", "take_change"):
            return self.theirs is not None and not self.is_sending
        return super().check_action(action, parameters)

    def action_review(self) -> None:
        """Submit on the base: the server refuses, and the conflict opens."""
        self.action_submit()

    def action_read_back(self) -> None:
        """Find out what became of the change whose answer was lost."""
        self.action_submit()

    async def submit(self) -> None:
        """Send the base's version, whatever was learnt since; or read back what is unknown."""
        draft, problems = self.typed.draft(), self.typed.problems()
        if draft is None or problems:
            self._is_strict = self.is_dirty = True
            self.show_all()
            self.say(problems[0] if problems else "to: choose a state", is_bad=True)
            return
        if is_no_change(self.base, draft) and self.theirs is None:
            self.say(f"nothing to do: the run is {one_line(draft.type, 40)} already")
            return
        await self._deal_with(await self._send(draft), draft)

    async def _send(self, draft: StateDraft) -> EditOutcome:
        """Send, or only look where sending could overwrite what is known to have changed."""
        if self.is_unknown:
            return await self.desk.settle(self.base, draft)
        capabilities = self.session.capabilities
        is_enforced = capabilities is not None and capabilities.locking is Locking.ENFORCED
        if self.theirs is not None and not is_enforced:
            seen = await self.desk.look(self.base, draft)
            if seen is not None:
                return seen
        return await self.desk.set_state(self.base, draft)

    async def _deal_with(self, outcome: EditOutcome, draft: StateDraft) -> None:
        self.is_unknown = isinstance(outcome, Unknown)
        match outcome:
            case Applied(version=version, is_read_back=is_read_back):
                how = "; the answer was lost, read back" if is_read_back else ""
                self._applied(
                    f"{version_label(version)} {one_line(draft.type, 40)}{how}; {self.named('{undo} proposes undo')}"
                )
            case Agreed(theirs=theirs):
                who = party(theirs.actor, me=self.desk.me)
                there = f"{version_label(theirs.version)} is {one_line(theirs.name, 40)} already"
                self._applied(f"{there}, set by {who}; nothing to do")
            case Conflict():
                self._open_conflict(outcome)
            case Gone():
                self.is_gone = True
                self.say("gone: the run does not exist any more", is_bad=True)
            case Refused(reason=reason):
                self.say(f"refused: {reason}", is_bad=True)
            case NotSent(reason=reason):
                self.say(f"not done: {reason}", is_bad=True)
            case Unknown(reason=reason):
                self.say(f"OUTCOME UNKNOWN, {self.named('{read_back} reads back')}: {reason}", is_bad=True)
                self.keep_draft()
        self.show_all()

    def _applied(self, words: str) -> None:
        self.app.notify(words, title=run_title(self.run_shown), markup=False)
        self.finish()

    def _open_conflict(self, conflict: Conflict) -> None:
        self.keep_draft()
        screen = ConflictScreen(self.session, conflict, typed_at=self.typed_at, sent_at=self.session.now())
        self.app.push_screen(screen, self._conflict_ended)

    def _conflict_ended(self, result: ConflictResult | None) -> None:
        if result is None:
            return
        match result.way:
            case Way.REFRESH:
                self._set_aside(result.conflict.theirs.version)
            case Way.KEEP_EDITING:
                self.base = result.conflict.rebased()
                self.theirs = None
                self.say(f"now based on {version_label(self.base.version)}; nothing was sent")
                self.touch()
                self.show_all()
            case Way.BACK:
                self.say("")
                self.show_all()
            case Way.DONE if result.outcome is not None:
                if isinstance(result.outcome, Unknown):
                    self.base, self.theirs = result.conflict.rebased(), None
                begin(self, partial(self._deal_with, result.outcome, result.conflict.draft), group="write")

    def _set_aside(self, version: int) -> None:
        """Close on what the server has; what was typed stays as a draft."""
        self.is_dirty = True
        self.keep_draft()
        self._is_finished = True
        self.app.notify(
            f"took {version_label(version)}; your edit is set aside, {self.named('{drafts} brings it back')}",
            markup=False,
        )
        self.dismiss(None)

    async def action_see_change(self) -> None:
        """Show base, theirs and yours; nothing is sent."""
        draft = self.typed.draft() or StateDraft(type=self.base.state.name, message=self.typed.message or None)
        seen = await self.desk.look(self.base, draft)
        match seen:
            case Conflict():
                self._open_conflict(seen)
            case Agreed(theirs=theirs):
                self.say(
                    f"{version_label(theirs.version)} is exactly what you want: {self.named('{take_change} takes it')}"
                )
            case Gone():
                self.is_gone = True
                self.show_all()
            case Unknown(reason=reason):
                self.say(reason, is_bad=True)
            case None:
                self.theirs = None
                self.show_all()

    def action_take_change(self) -> None:
        """Take what the server has and set this edit aside."""
        if self.theirs is not None:
            self._set_aside(self.theirs.version)

    def action_copy_command(self) -> None:
        """Copy the command that does the same on the same version."""
        draft = self.typed.draft()
        if draft is None:
            self.notify("choose a state first", severity="warning", markup=False)
            return
        line = set_state_command(self.base.run_id, self.base.version, draft, server=command_server(self.session))
        self.post_message(CopyText(line, "command"))

    def action_editor(self) -> None:
        """Edit the message in the operator's editor: it may have several lines."""
        try:
            text = edit_text(self.app, self.typed.message)
        except BadInput as problem:
            self.notify(str(problem), severity="error", markup=False)
            return
        if text != self.typed.message:
            self.typed.set_message(text)

    def fields(self) -> dict[str, Any]:
        """Return what was typed."""
        typed = self.typed
        return {"state": typed.state, "message": typed.message, "start": typed.start_text, "extra": typed.extra}

    def draft_title(self) -> str:
        """Return `Failed on etl-orders / amber-lynx`."""
        return f"{self.typed.state or '(no state yet)'} on {self.run_shown.flow_name} / {self.run_shown.name}"

    def draft_extra(self) -> dict[str, Any]:
        """Return run and version."""
        return {"run_id": self.base.run_id, "base_version": self.base.version}
