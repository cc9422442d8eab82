"""Asks for one line of text."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.field import LineInput


class TextPrompt(FlowModal[str | None]):
    """Returns what was typed, stripped, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]
    DEFAULT_CSS = """
    TextPrompt > #box { width: 60; }
    TextPrompt #about { color: $muted; height: auto; }
    """

    def __init__(self, session: Session, title: str, about: str = "", *, text: str = "", limit: int = 100) -> None:
        super().__init__(session)
        self._title, self._about, self._text, self._limit = title, about, text, limit

    def body(self) -> ComposeResult:
        """What it is about, and the field."""
        if self._about:
            yield Static(one_line(self._about), id="about", markup=False)
        yield LineInput(self._text, compact=True, max_length=self._limit)

    def on_mount(self) -> None:
        """Name the box and stand in the field."""
        self.query_one("#box").border_title = Content(self._title)
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the text."""
        self.dismiss(event.value.strip() or None)

    def action_close(self) -> None:
        """Return nothing."""
        self.dismiss(None)
