"""The command line over the last lines of the screen below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from flowlatch.config import places
from flowlatch.live.recall import Recall
from flowlatch.live.session import Session
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.command_line import CommandLine, Verb, find

FILE = "commands.txt"


class CommandScreen(FlowModal[str | None]):
    """Ends with the command that was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.CLOSE]
    DEFAULT_CSS = """
    CommandScreen { align: left bottom; background: $background 0%; }
    CommandScreen > #box { width: 100%; max-width: 100%; border: none; padding: 0; border-top: solid $border; }
    """

    def __init__(self, session: Session, verbs: Sequence[Verb], *, text: str = "") -> None:
        super().__init__(session)
        self._verbs = list(verbs)
        self._text = text
        self._recall = Recall(places().state / FILE)

    def body(self) -> ComposeResult:
        """The prompt and its list."""
        yield CommandLine(self._verbs, self._recall.lines, text=self._text)

    def on_command_line_typed(self, message: CommandLine.Typed) -> None:
        """Remember what makes sense, and return it; a mistake is returned too, so that the caller can name it."""
        if not isinstance(find(message.text, self._verbs), str):
            self._recall.add(message.text)
        self.dismiss(message.text or None)

    def action_close(self) -> None:
        """Return nothing."""
        self.dismiss(None)
