"""The keys of the screen one came from, read from its bindings, so that they cannot be out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import fit
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.screens.help_entries import Entry, entries
from flowlatch.ui.widgets.field import LineInput
from flowlatch.ui.widgets.line_view import LineView, Span

KEY_CELLS = 14


class HelpList(LineView):
    """Headings and keys."""

    empty_text = "no key says that"
    has_cursor = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str | Entry] = []

    def show(self, parts: Mapping[str, Sequence[Entry]], wanted: str = "") -> None:
        """Show the lines that hold each word of `wanted`, under their headings."""
        words = wanted.casefold().split()
        lines: list[str | Entry] = []
        for name, found in parts.items():
            fitting = [entry for entry in found if all(word in entry.text for word in words)]
            if fitting:
                lines += [*([""] if lines else []), name, *fitting]
        self._lines = lines
        self.lines_changed()

    @property
    def length(self) -> int:
        """Lines in all."""
        return len(self._lines)

    def line(self, row: int) -> Sequence[Span]:
        """Return a heading or a key."""
        line = self._lines[row]
        return [(line, "accent")] if isinstance(line, str) else _line(line, self.scrollable_content_region.width)

    def action_cursor_down(self) -> None:
        """Scroll by one line."""
        self.go_to_top(round(self.scroll_y) + 1)

    def action_cursor_up(self) -> None:
        """Scroll back by one line."""
        self.go_to_top(round(self.scroll_y) - 1)


def _line(entry: Entry, width: int) -> list[Span]:
    """Return key and sentence, and at the right end the action's name where there is room."""
    name = one_line(entry.keys, 40)
    key = f" {fit(name, KEY_CELLS)} " if cell_len(name) <= KEY_CELLS else f" {name}  "
    notes = ("  (your key)" if entry.is_rebound else "") + ("" if entry.is_enabled else "  (not now)")
    look = "strong" if entry.is_enabled else "faint"
    rest = "" if entry.is_enabled else "faint"
    spans = [(key, look), (one_line(entry.sentence), rest), (notes, "muted")]
    gap = width - sum(cell_len(text) for text, _ in spans) - len(entry.action) - 1
    return [*spans, (" " * gap + entry.action, "faint")] if entry.action and gap >= 2 else spans


class HelpScreen(FlowModal[None]):
    """Lists the keys of `screen`; typing narrows the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.CLOSE,
        Binding("question_mark,f1", "close", "Close", show=False),
        Binding("down,ctrl+n", "scroll(1)", "Down", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", "Page down", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen > #box { width: 92%; max-width: 100; height: 90%; }
    HelpScreen #search { height: 1; border: none; padding: 0; background: $panel; }
    HelpScreen #hint { height: 1; color: $muted; }
    HelpScreen HelpList { background: $surface; }
    """

    def __init__(self, session: Session, screen: Screen[Any]) -> None:
        super().__init__(session)
        self.parts = entries(screen)

    def body(self) -> ComposeResult:
        """Search field and list."""
        yield LineInput(placeholder="type to search: cancel, ctrl+d, state …", compact=True, id="search")
        yield HelpList(id="list")
        yield Static(Content(self.named("↑ ↓ scroll   {close} closes   [keys] in config.toml changes keys")), id="hint")

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one("#box").border_title = Content("Keys of this screen")
        self.query_one(HelpList).show(self.parts)
        self.query_one("#search", Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Narrow the list."""
        message.stop()
        self.query_one(HelpList).show(self.parts, message.value)

    def action_scroll(self, lines: int) -> None:
        """Scroll the list."""
        view = self.query_one(HelpList)
        view.go_to_top(round(view.scroll_y) + lines)

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
