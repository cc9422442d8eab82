"""A view of lines with its search prompt: `/` opens it, enter keeps the hits, esc drops them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.ui import keys
from flowlatch.ui.widgets.field import LineInput
from flowlatch.ui.widgets.line_view import LineView
from flowlatch.ui.widgets.words import show_words


class TextPane(Vertical):
    """One `LineView` and the prompt below it."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.BACK]
    DEFAULT_CSS = """
    TextPane { height: 1fr; width: 1fr; }
    TextPane > #search { height: 1; display: none; background: $panel; padding: 0 1; }
    TextPane > #search.-open { display: block; }
    TextPane > #search > Static { width: auto; color: $muted; }
    TextPane > #search > Input {
        width: 1fr; height: 1; border: none; padding: 0; background: $panel; color: $foreground;
    }
    TextPane > #search > Input:focus { border: none; }
    """

    def __init__(self, view: LineView, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = view

    def compose(self) -> ComposeResult:
        """Put the prompt below the view."""
        yield self.view
        with Horizontal(id="search"):
            yield Static(Content("/ "))
            yield LineInput(compact=True, id="needle", select_on_focus=False)
            yield Static(id="hits")

    @property
    def is_searching(self) -> bool:
        """True while the prompt is open or hits are shown."""
        return self.query_one("#search").has_class("-open")

    def on_line_view_search_asked(self, message: LineView.SearchAsked) -> None:
        """Open the prompt, with what was searched for last."""
        message.stop()
        self.query_one("#search").add_class("-open")
        self.query_one("#needle", Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Search while typing."""
        message.stop()
        if self.is_searching:
            self.view.search(message.value)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the hits and go back to the text; an empty prompt closes."""
        message.stop()
        if message.value:
            self.view.focus()
        else:
            self.action_back()

    def on_line_view_search_moved(self, message: LineView.SearchMoved) -> None:
        """Say how many hits there are and which one this is."""
        message.stop()
        hits, number = len(self.view.hits), self.view.hit_number()
        text = "" if not self.view.needle else "no hit" if not hits else f"{number or '-'} of {hits} · n N"
        show_words(self.query_one("#hits", Static), Content(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc belongs to the search only while one is open."""
        return self.is_searching if action == "back" else super().check_action(action, parameters)

    def action_back(self) -> None:
        """Close the search."""
        self.query_one("#search").remove_class("-open")
        self.query_one("#needle", Input).value = ""
        self.view.search("")
        self.view.focus()
