"""The base of dialogs that are one list of choices: j and k beside the arrows, escape and q to leave without one."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from flowlatch.ui.screens.base import FlowModal

T = TypeVar("T")
KEY_STYLE = "$footer-key-foreground"
"""Of keys and marks: the accent, but plain in the terminal's own colours, where the cursor's row is blue as well."""


class OptionsModal(FlowModal[T | None]):
    """A dialog around one OptionList; None means that nothing was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close"),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
    ]
    DEFAULT_CSS = """
    OptionsModal OptionList { height: auto; max-height: 16; border: none; padding: 0; background: $surface; }
    OptionsModal #note { color: $muted; height: auto; padding: 0; }
    """

    @property
    def options(self) -> OptionList:
        """The list."""
        return self.query_one(OptionList)

    def action_down(self) -> None:
        """Next line."""
        self.options.action_cursor_down()

    def action_up(self) -> None:
        """Previous line."""
        self.options.action_cursor_up()

    def action_close(self) -> None:
        """Leave without a choice."""
        self.dismiss(None)
