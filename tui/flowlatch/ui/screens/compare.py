"""Base, theirs and yours as raw JSON, side by side."""

from __future__ import annotations

import json
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from flowlatch.errors import BackendError
from flowlatch.live.edit import Conflict
from flowlatch.live.session import Session
from flowlatch.model.state import State
from flowlatch.model.versions import version_label
from flowlatch.text import DETAIL_LIMIT, clean, one_line
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.form import worded
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.words import show_words


class CompareScreen(FlowScreen[None]):
    """The three documents; lines that differ from the base are marked."""

    BINDINGS = [worded(keys.CLOSE, "Back")]
    DEFAULT_CSS = """
    CompareScreen VerticalScroll { width: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    CompareScreen .middle { border-left: solid $rule; border-right: solid $rule; }
    CompareScreen Static { height: auto; }
    """
    letters_are_keys = False

    def __init__(self, session: Session, conflict: Conflict) -> None:
        super().__init__(session)
        self.conflict = conflict

    def body(self) -> ComposeResult:
        """Three columns that scroll on their own."""
        with Horizontal():
            for name in ("base", "theirs", "yours"):
                with VerticalScroll(classes="middle" if name == "theirs" else None):
                    yield Static(Content("…"), id=name, markup=False)

    def on_mount(self) -> None:
        """Show what is known, then the whole documents once they are read."""
        base = self.conflict.base
        self.show_title(Content(f"Compare · {one_line(base.flow_name, 50)} / {one_line(base.run_name, 50)}"))
        self._show(self.conflict.base.state, self.conflict.theirs)
        self.query(VerticalScroll).first().focus()
        begin(self, self._load, group="page", exclusive=True)

    async def _load(self) -> None:
        conflict = self.conflict
        try:
            states = await self.session.backend.history(conflict.base.run_id, after_version=conflict.base.version - 1)
        except BackendError as error:
            self.notify(f"the whole states could not be read: {one_line(error)}", severity="warning", markup=False)
            return
        by_version = {state.version: state for state in states}
        self._show(
            by_version.get(conflict.base.version, conflict.base.state),
            by_version.get(conflict.theirs.version, conflict.theirs),
        )

    def _show(self, base: State, theirs: State) -> None:
        lines = _lines(_document(base))
        heads = (f"BASE {version_label(base.version)}", f"THEIRS {version_label(theirs.version)}", "YOURS (not sent)")
        documents = (_document(base), _document(theirs), self.conflict.draft.document())
        for name, head, document in zip(("base", "theirs", "yours"), heads, documents, strict=True):
            parts: list[Content | str | tuple[str, str]] = [(head, "bold"), "\n"]
            for line in _lines(document):
                is_new = name != "base" and line not in lines
                parts.append((f"\n{'≠' if is_new else ' '} {line}", "$state-late" if is_new else ""))
            show_words(self.query_one(f"#{name}", Static), Content.assemble(*parts))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)


def _document(state: State) -> dict[str, Any]:
    """Return the state's own document, or what is known of it."""
    if state.serialized is not None:
        return state.serialized
    known = {"type": state.name, "message": state.message, "result": state.result}
    if state.start_time is not None:
        known["start_time"] = state.start_time.isoformat()
    return known


def _lines(document: dict[str, Any]) -> list[str]:
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True)
    return clean(text, DETAIL_LIMIT, multiline=True).split("\n")
