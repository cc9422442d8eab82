"""What the forms share: letters are text, drafts are kept while one types, a submit is sent once, offline it is off."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeVar

from textual.binding import Binding
from textual.content import Content
from textual.timer import Timer

from flowlatch.live.desk import Desk
from flowlatch.live.drafts import Draft, DraftKind, new_draft_id
from flowlatch.live.session import Session
from flowlatch.text import counted, one_line
from flowlatch.ui import keys
from flowlatch.ui.messages import LinkChanged, WritingChanged
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.field import TextInput

T = TypeVar("T")
DRAFT_DELAY_S = 0.4
"""Seconds after the last key until the draft is on disk."""


def worded(binding: Binding, word: str) -> Binding:
    """Return a key shown on the key line with another word."""
    return replace(binding, description=word, show=True)


class FormScreen(FlowScreen[T]):
    """Base of the forms. Subclasses give `fields`, `draft_title`, `why_not` and `submit`."""

    BINDINGS = [
        keys.SUBMIT,
        keys.NEXT_FIELD,
        keys.PREVIOUS_FIELD,
        keys.CLOSE,
    ]
    DEFAULT_CSS = """
    FormScreen #form { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    FormScreen .rule { height: 1; color: $rule; }
    FormScreen .words { height: auto; width: 1fr; }
    """
    letters_are_keys = False
    draft_kind: ClassVar[DraftKind]

    def __init__(self, session: Session, draft: Draft | None = None) -> None:
        super().__init__(session)
        self.desk = Desk(session)
        self.draft_id = draft.id if draft else new_draft_id()
        self.draft = draft
        """The draft this form was opened on, None for a fresh one."""
        self.is_dirty = draft is not None
        self.is_sending = False
        self.is_unknown = bool(draft and draft.is_unknown)
        """True while something was sent and its outcome is not known."""
        self.message = Content("")
        """What became of the last submit; empty before it."""
        self._unsaved: Draft | None = None
        """What is not on disk yet; taken at each key, since the fields are gone when the screen is unmounted."""
        self._draft_timer: Timer | None = None
        self._is_finished = False

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Return what was typed, as JSON values."""

    @abstractmethod
    def draft_title(self) -> str:
        """Return what the list of drafts shows."""

    def draft_extra(self) -> dict[str, Any]:
        """Return further fields of the `Draft`."""
        return {}

    def why_not(self) -> str | None:
        """Return one line why nothing can be submitted now, None when it can."""
        return self.session.why_read_only

    @abstractmethod
    async def submit(self) -> None:
        """Check, send, and deal with the outcome."""

    def touch(self) -> None:
        """Something was typed: keep it as a draft, a moment after the last key."""
        self.is_dirty = True
        self._unsaved = self.make_draft()
        if self._draft_timer is None:
            self._draft_timer = self.set_timer(DRAFT_DELAY_S, self._save_soon)
        else:
            self._draft_timer.reset()
        self.show_state()

    def _save_soon(self) -> None:
        self._draft_timer = None
        draft, self._unsaved = self._unsaved, None
        if draft is not None and not self._is_finished:
            begin(self, partial(asyncio.to_thread, self.session.drafts.save, draft), group="draft")

    def make_draft(self) -> Draft:
        """Return the form as a draft."""
        return Draft(
            id=self.draft_id,
            kind=self.draft_kind,
            profile=self.session.profile.name,
            server_id=self.session.server_id,
            title=self.draft_title(),
            fields=self.fields(),
            saved_at=self.session.local_now(),
            is_unknown=self.is_unknown,
            **self.draft_extra(),
        )

    def keep_draft(self) -> bool:
        """Put the draft on disk now if anything was typed; False when there was nothing to keep."""
        self._unsaved = None
        if not self.is_dirty:
            return False
        self.session.drafts.save(self.make_draft())
        if self.session.drafts.problem:
            self.notify(self.session.drafts.problem, severity="error", markup=False)
        return True

    def finish(self, result: T | None = None) -> None:
        """The form did its work: forget the draft and close."""
        self._is_finished = True
        self.session.drafts.discard(self.draft_id)
        self.dismiss(result)

    def on_unmount(self) -> None:
        """Keep what was typed when the program ends or another screen takes over."""
        if self._unsaved is not None and not self._is_finished:
            self.session.drafts.save(self._unsaved)

    def action_close(self) -> None:
        """Close the form; what was typed stays as a draft."""
        if self.is_sending:
            self.notify("the answer is still awaited", markup=False)
            return
        if self.keep_draft():
            self.notify(self.named("draft kept; {drafts} brings it back"), markup=False)
        self._is_finished = True
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the submit while it is off."""
        if action == "submit" and (self.is_sending or self.why_not() is not None):
            return None
        return super().check_action(action, parameters)

    def action_submit(self) -> None:
        """Send the form, once."""
        if not self.is_sending:
            begin(self, self._submit, group="write", exclusive=False)

    async def _submit(self) -> None:
        reason = self.why_not()
        if reason:
            self.say(reason, is_bad=True)
            return
        self.is_sending = True
        self.show_state()
        try:
            await self.submit()
        finally:
            self.is_sending = False
            if self.is_open:
                self.show_state()

    def say(self, text: str | Content, *, is_bad: bool = False) -> None:
        """Show what became of the submit, in the status line; empty takes it away."""
        content = Content(one_line(text, 400)) if isinstance(text, str) else text
        self.message = content.stylize("$error") if is_bad else content
        self.show_state()

    def problem_count(self) -> int:
        """Return how many problems the fields have now."""
        return 0

    def status_left(self) -> Content:
        """Return what became of the submit, else why it is off, else the freshness of the data."""
        if self.is_sending:
            return Content.styled("sending …", "$accent")
        if self.message.plain:
            return self.message
        reason = self.why_not() if self.session.link.is_online else None
        if reason:
            return Content.styled(f"submit is off: {one_line(reason)}", "$state-late")
        return super().status_left()

    def status_right(self) -> Content:
        """Return the count of problems, else the mode."""
        count = self.problem_count()
        if count:
            return Content.styled(counted(count, "problem"), "$error bold")
        return super().status_right()

    def show_state(self) -> None:
        """Repaint status line and keys."""
        self.show_link()
        self.refresh_bindings()

    def on_link_changed(self, message: LinkChanged) -> None:
        """Submit goes on and off with the link; the form stays."""
        self.show_state()

    def on_writing_changed(self, message: WritingChanged) -> None:
        """Submit goes on and off with writing."""
        self.show_state()

    def on_text_input_dropped(self, message: TextInput.Dropped) -> None:
        """Say what a paste lost."""
        self.notify(f"pasted without {message.what}", severity="warning", markup=False)
