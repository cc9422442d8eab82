"""A menu: a few lines to choose from, each with a key of its own where it has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui.screens.options import KEY_STYLE, OptionsModal

NOTE_CELLS = 72
"""A longer note goes on in the next line."""


@dataclass(frozen=True)
class Choice:
    """One line of a menu: what is returned, what is shown, the letter that picks it at once."""

    id: str
    label: str
    note: str = ""
    letter: str = ""
    is_current: bool = False
    is_enabled: bool = True


class MenuScreen(OptionsModal[str]):
    """Returns the id of what was chosen, or None."""

    DEFAULT_CSS = """
    MenuScreen > #box { width: auto; min-width: 34; max-width: 90%; }
    MenuScreen OptionList { width: auto; min-width: 32; }
    MenuScreen #note { width: auto; max-width: 72; }
    """

    def __init__(self, session: Session, title: str, choices: Sequence[Choice], *, note: str = "") -> None:
        super().__init__(session)
        self._title = title
        self._choices = list(choices)
        self._note = note

    def body(self) -> ComposeResult:
        """List the choices, the current one highlighted."""
        width = max((len(choice.label) for choice in self._choices), default=0)
        yield OptionList(*(self._option(choice, width) for choice in self._choices), markup=False)
        if self._note:
            yield Static(self._note, id="note", markup=False)

    def _option(self, choice: Choice, width: int) -> Option:
        return Option(
            Content.assemble(
                (f"{choice.letter or ' '}  ", f"{KEY_STYLE} bold"),
                ("● " if choice.is_current else "  ", KEY_STYLE),
                choice.label.ljust(width),
                (f"   {choice.note}" if choice.note else "", "$muted"),
            ),
            id=choice.id,
            disabled=not choice.is_enabled,
        )

    def on_mount(self) -> None:
        """Stand on the current choice."""
        self.query_one("#box").border_title = Content(self._title)
        options = self.options
        if self._note:
            options.styles.min_width = min(cell_len(self._note), NOTE_CELLS)
        current = [index for index, choice in enumerate(self._choices) if choice.is_current and choice.is_enabled]
        options.highlighted = current[0] if current else 0 if self._choices else None
        options.focus()

    def on_key(self, event: events.Key) -> None:
        """Pick by letter."""
        for choice in self._choices:
            if choice.is_enabled and choice.letter and event.character == choice.letter:
                event.stop()
                self.dismiss(choice.id)
                return

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return what was chosen."""
        self.dismiss(event.option.id)


def plain(text: object, limit: int = 60) -> str:
    """Return foreign text for a label of a menu."""
    return one_line(text, limit)
