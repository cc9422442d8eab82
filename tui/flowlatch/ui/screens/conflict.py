"""The conflict screen: base, theirs, yours, and every way on. Nothing here is forced (ux.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from flowlatch.live.desk import Desk
from flowlatch.live.edit import Agreed, Conflict, ConflictKind, EditOutcome, Gone, NotSent
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeKind
from flowlatch.model.versions import next_version_label, version_label
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import fit, state_content
from flowlatch.ui.keys import shown_keys
from flowlatch.ui.messages import CopyText, OpenRun, Reload, RunsChanged, Tick
from flowlatch.ui.screens import conflict_view
from flowlatch.ui.screens.base import ROOMY, FlowScreen
from flowlatch.ui.screens.compare import CompareScreen
from flowlatch.ui.screens.confirm import ConfirmScreen, typeable
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.link_text import lock
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.words import show_words

DISARMED_S = 1.0
"""Seconds for which `a` is off after theirs moved: a key meant for what was shown must not hit what is shown now."""


class Way(StrEnum):
    """How the operator left the conflict."""

    REFRESH = "refresh"
    """Take theirs, set mine aside."""
    KEEP_EDITING = "keep editing"
    """Back to the form, based on theirs; nothing was sent."""
    BACK = "back"
    """Back to the form, still on the old base."""
    DONE = "done"
    """Mine was sent on top of theirs; `outcome` says what became of it."""


@dataclass(frozen=True)
class ConflictResult:
    """The way out, and the conflict as it was last."""

    way: Way
    conflict: Conflict
    outcome: EditOutcome | None = None


class ConflictScreen(FlowScreen[ConflictResult]):
    """Enter and r write nothing; a asks again and is conditional on the version shown, so it can conflict again."""

    BINDINGS = [
        worded(keys.TAKE_THEIRS, "Refresh"),
        worded(keys.KEEP_EDITING, "Keep editing"),
        worded(keys.APPLY_MINE, "Apply mine"),
        worded(keys.COMPARE, "Compare"),
        worded(keys.HISTORY, "History"),
        worded(keys.COPY_REPORT, "Copy"),
        worded(keys.CLOSE, "Back"),
    ]
    DEFAULT_CSS = """
    ConflictScreen #scroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ConflictScreen Static { height: auto; }
    ConflictScreen #columns { margin: 1 0; }
    ConflictScreen #moved { display: none; color: $state-late; text-style: bold; }
    ConflictScreen.-moved #moved { display: block; }
    ConflictScreen #ways { border-top: solid $rule; }
    """
    letters_are_keys = False

    def __init__(
        self, session: Session, conflict: Conflict, *, typed_at: datetime, sent_at: datetime | None = None
    ) -> None:
        super().__init__(session)
        self.desk = Desk(session)
        self.conflict = conflict
        self.count = 1
        """How many times this edit met another version."""
        self.is_armed = True
        self.is_gone = False
        self._typed_at, self._sent_at = typed_at, sent_at
        self._moved = ""
        self._timer: Timer | None = None
        self._is_sending = False

    def body(self) -> ComposeResult:
        """What happened, the columns, what came between, the ways on."""
        with VerticalScroll(id="scroll"):
            yield Static(id="head", markup=False)
            yield Static(id="moved", markup=False)
            yield Static(id="columns", markup=False)
            yield Static(id="between", markup=False)
            yield Static(id="kind", markup=False)
            yield Static(id="ways", markup=False)

    def on_mount(self) -> None:
        """Show the conflict."""
        self.show_title(Content.styled("Changed while you were editing", "bold"))
        self._show()

    def on_resize(self) -> None:
        """Fit the columns to the width."""
        self._show()

    @property
    def title_of_run(self) -> str:
        """`flow / run`, clean."""
        base = self.conflict.base
        flow_cells = 60 if self.size.width >= ROOMY else 28
        return f"{one_line(base.flow_name, flow_cells)} / {one_line(base.run_name, 60)}"

    def _view(self) -> conflict_view.View:
        width = max(self.size.width - 3, 57)
        session = self.session
        return conflict_view.View(session.local_zone, session.now(), self.desk.me, width, self._typed_at, self._sent_at)

    def _show(self) -> None:
        if not self.is_open:
            return
        conflict, view = self.conflict, self._view()
        written = "yours was written" if conflict.is_written else "nothing was written"
        chips = [f"conflict {self.count}"] if self.count > 1 or view.width >= ROOMY else []
        chips += [written, *([lock(self.session)] if view.width >= ROOMY else [])]
        chip = " · ".join(chips)
        room = view.width - cell_len(chip) - 1
        name, run_id = self.title_of_run, str(conflict.base.run_id)
        if view.width >= ROOMY:
            is_whole = cell_len(name) + len(f"   id {run_id}") <= room
            name += f"   id {run_id if is_whole else run_id[:4] + '…' + run_id[-4:]}"
        head = Content.assemble(
            (fit(name, room), "bold"),
            (f"  {chip}", "$state-success"),
            "\n",
            conflict_view.headline(conflict, view),
        )
        show_words(self.query_one("#head", Static), head)
        show_words(self.query_one("#moved", Static), Content(self._moved))
        self.set_class(bool(self._moved), "-moved")
        show_words(self.query_one("#columns", Static), conflict_view.columns(conflict, view))
        show_words(self.query_one("#between", Static), conflict_view.between_line(conflict, view))
        show_words(self.query_one("#kind", Static), conflict_view.kind_words(conflict, self.desk.me))
        show_words(self.query_one("#ways", Static), self._ways())
        self.show_link()
        self.refresh_bindings()

    def _back_again(self) -> str:
        other = shown_keys(keys.TAKE_THEIRS, self.own_keys)[1:2]
        return self.named("({drafts} brings it back)") + "".join(f"   [{key}]" for key in other)

    def _ways(self) -> Content:
        """Return the choices with the keys they are bound to."""
        base, theirs = self.conflict.base.version, self.conflict.theirs.version
        apply = f"Apply mine to {version_label(theirs)} … asks again; fails again if {version_label(theirs)} moves"
        if not self.conflict.may_apply:
            apply = "(applying is blocked here)"
        elif not self.is_armed:
            apply = f"(off for a moment: {version_label(theirs)} is new here)"
        rows: list[list[tuple[Binding, str]]] = [
            [(keys.TAKE_THEIRS, f"Refresh: take {version_label(theirs)}, set my edit aside {self._back_again()}")],
            [(keys.KEEP_EDITING, f"Keep editing on top of {version_label(theirs)}; nothing is sent")],
            [(keys.APPLY_MINE, apply)],
            [
                (keys.COMPARE, "Compare in full"),
                (keys.HISTORY, f"History {version_label(min(base, theirs))}-{version_label(max(base, theirs))}"),
                (keys.COPY_REPORT, "Copy this report"),
            ],
            [(keys.CLOSE, f"Back to the form, still based on {version_label(base)}")],
        ]
        parts: list[Content | str | tuple[str, str]] = []
        for number, row in enumerate(rows):
            parts.append(("> " if number == 0 else "\n  ", "$accent bold"))
            for binding, words in row:
                key = shown_keys(binding, self.own_keys)[0]
                style = "bold" if number == 0 else "$muted" if words.startswith("(") else ""
                parts += [(f"{key:<4}", "$accent bold"), (f"{words:<20}" if len(row) > 1 else words, style), "  "]
        return Content.assemble(*parts)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey apply while it is blocked, disarmed or off."""
        if action == "apply_mine":
            is_on = self.conflict.may_apply and self.is_armed and not self.is_gone and not self._is_sending
            return True if is_on and self.session.can_write else None
        if action == "keep_editing":
            return self.conflict.kind is not ConflictKind.OLDER and not self.is_gone and not self._is_sending
        if action in ("take_theirs", "close"):
            return not self._is_sending
        return super().check_action(action, parameters)

    @on(RunsChanged)
    def _runs_changed(self, message: RunsChanged) -> None:
        for change in message.batch.changes:
            if change.id != self.conflict.base.run_id:
                continue
            if change.kind is ChangeKind.GONE:
                self._gone()
            elif change.run is not None and change.run.version != self.conflict.theirs.version:
                begin(self, self._look_again, group="page", exclusive=True)

    @on(Reload)
    def _reloaded(self) -> None:
        begin(self, self._look_again, group="page", exclusive=True)

    @on(Tick)
    def _ticked(self) -> None:
        self._show()

    async def _look_again(self) -> None:
        """Take note of what the server has now; the screen stays, its target stays."""
        seen = await self.desk.look(self.conflict.base, self.conflict.draft)
        match seen:
            case Conflict() if seen.theirs != self.conflict.theirs:
                self._take(seen)
            case Agreed(theirs=theirs) if theirs != self.conflict.theirs:
                kind = ConflictKind.ALREADY_SO
                base, draft = self.conflict.base, self.conflict.draft
                self._take(Conflict(kind, base, draft, theirs, (*self.conflict.between, theirs)))
            case Gone():
                self._gone()
            case _:
                pass

    def _take(self, seen: Conflict) -> None:
        """Show newer theirs in place and disarm `a` for a moment."""
        if self.conflict.is_written:
            return
        old, new = version_label(self.conflict.theirs.version), version_label(seen.theirs.version)
        self.conflict = seen
        at = f"{self.session.now().astimezone(self.session.local_zone):%H:%M:%S}"
        self._moved = f"{new} arrived at {at} while this was open; below is {new}, not {old}"
        self._disarm()
        self._show()

    def _disarm(self) -> None:
        self.is_armed = False
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DISARMED_S, self._arm)

    def _arm(self) -> None:
        self.is_armed = True
        self._show()

    def _gone(self) -> None:
        self.is_gone = True
        self._moved = "the run was deleted meanwhile; nothing can be applied"
        self._show()

    def action_take_theirs(self) -> None:
        """Take theirs and set mine aside; writes nothing to the server."""
        self.dismiss(ConflictResult(Way.REFRESH, self.conflict))

    def action_keep_editing(self) -> None:
        """Go back to the form, based on theirs; nothing is sent."""
        self.dismiss(ConflictResult(Way.KEEP_EDITING, self.conflict))

    def action_close(self) -> None:
        """Go back to the form, still on the old base."""
        self.dismiss(ConflictResult(Way.BACK, self.conflict))

    def action_apply_mine(self) -> None:
        """Ask once more, then send mine on exactly the version shown."""
        conflict = self.conflict
        question = Content.assemble(
            (self.title_of_run, "bold"),
            f"\n\n{version_label(conflict.theirs.version)} ",
            state_content(conflict.theirs.name),
            f"  →  {next_version_label(conflict.theirs.version)} ",
            state_content(conflict.draft.type),
            f"\n\nOnly if it is still {version_label(conflict.theirs.version)}; else this conflict comes back.",
        )
        is_grave = conflict.theirs.is_finished or self.session.profile.production
        typed = typeable(conflict.base.run_name, conflict.base.run_id) if is_grave else ""
        screen = ConfirmScreen(self.session, "Apply mine?", question, yes="Apply mine", typed=typed)
        self.app.push_screen(screen, lambda is_yes: self._confirmed(conflict, bool(is_yes)))

    def _confirmed(self, conflict: Conflict, is_yes: bool) -> None:
        if is_yes:
            begin(self, partial(self._apply, conflict), group="write", exclusive=False)

    async def _apply(self, conflict: Conflict) -> None:
        """Send mine on the version that was confirmed, whatever arrived since."""
        self._is_sending = True
        self._show()
        outcome = await self.desk.set_state(conflict.rebased(), conflict.draft)
        self._is_sending = False
        if isinstance(outcome, Conflict) and not outcome.is_written:
            self.count += 1
            self._sent_at = self.session.now()
            base, between = conflict.base, (*conflict.between, *outcome.between)
            self._take(Conflict(outcome.kind, base, conflict.draft, outcome.theirs, between))
        elif isinstance(outcome, NotSent):
            self._moved = f"not sent: {outcome.reason}"
            self._show()
        else:
            self.dismiss(ConflictResult(Way.DONE, conflict, outcome))

    def action_compare(self) -> None:
        """Show the three states whole."""
        self.app.push_screen(CompareScreen(self.session, self.conflict))

    def action_history(self) -> None:
        """Show every state of the run."""
        self.post_message(OpenRun(self.conflict.base.run_id, "history"))

    def action_copy_report(self) -> None:
        """Copy this screen as text."""
        text = conflict_view.report(
            self.conflict, self._view(), title=self.title_of_run, lock=lock(self.session), count=self.count
        )
        self.post_message(CopyText(text, "report"))

    def status_left(self) -> Content:
        """Say that an answer is awaited, else how fresh the data is."""
        return Content.styled("sending …", "$accent") if self._is_sending else super().status_left()
