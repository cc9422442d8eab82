"""An input with a list under it: type to narrow, down and enter to take one. For flows and zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.text import one_line
from flowlatch.ui.widgets.field import TextInput

SHOWN = 50
"""Hits listed at most; typing narrows them."""


@dataclass(frozen=True)
class Item:
    """Something to pick: its value, the text that names it (and is matched), and words behind it."""

    value: str
    text: str
    detail: str = ""


class _List(OptionList):
    """The list of hits."""


class Picker(Vertical):
    """A value out of many. `value` is None while the text names none of them."""

    BINDINGS = [
        Binding("escape", "close_list", "Close the list", show=False),
        Binding("down", "open_list", "Into the list", show=False),
    ]

    DEFAULT_CSS = """
    Picker { height: auto; width: 1fr; }
    Picker > Horizontal { height: 1; }
    Picker .bracket { width: 2; height: 1; color: $faint; }
    Picker .bracket.close { width: 4; }
    Picker > _List {
        display: none; height: auto; max-height: 8; border: none; padding: 0; margin: 0 0 0 2; background: $panel;
    }
    Picker.-open > _List { display: block; }
    """

    @dataclass
    class Picked(Message):
        """One was taken, or the text stopped naming one (then `value` is None)."""

        picker: Picker
        value: str | None

        @property
        def control(self) -> Picker:
            """The picker, so that `@on` can name it."""
            return self.picker

    @dataclass
    class Typed(Message):
        """The text changed: a chance to look up more items."""

        picker: Picker
        text: str

        @property
        def control(self) -> Picker:
            """The picker, so that `@on` can name it."""
            return self.picker

    def __init__(self, items: Sequence[Item] = (), *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.value: str | None = None
        self._items = list(items)
        self._placeholder = placeholder
        self._setting = ""

    def compose(self) -> ComposeResult:
        """Put the list under the input."""
        with Horizontal():
            yield Static(Content("[ "), classes="bracket", markup=False)
            yield TextInput(placeholder=self._placeholder)
            yield Static(Content(" ▾ ]"), classes="bracket close", markup=False)
        yield _List(compact=True, markup=False)

    @property
    def input(self) -> TextInput:
        """The input that is typed into."""
        return self.query_one(TextInput)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.input.value

    def set_items(self, items: Sequence[Item]) -> None:
        """Offer these; the value stays."""
        self._items = list(items)
        self._fill()

    def pick(self, item: Item) -> None:
        """Take an item without a message: to fill the form in. What is typed next replaces it."""
        self.value = item.value
        self._show(item)
        if self.input.has_focus:
            self.input.action_select_all()

    def close(self) -> None:
        """Close the list."""
        self.remove_class("-open")
        if self.query_one(_List).has_focus:
            self.input.focus()

    def _show(self, item: Item) -> None:
        self._setting = one_line(item.text, 200)
        self.input.value = self._setting
        self.input.cursor_position = len(self._setting)
        self.close()

    def hits(self) -> list[Item]:
        """Return the items that match what is typed: all its words, in any case.

        A whole match comes first, then what begins with it: enter takes the first.
        """
        typed = self.text.lower()
        found = [item for item in self._items if all(word in item.text.lower() for word in typed.split())]

        def is_behind(item: Item) -> tuple[bool, bool]:
            name = item.text.lower()
            return name != typed, not name.startswith(typed)

        return sorted(found, key=is_behind)[:SHOWN]

    def _fill(self) -> None:
        shown = self.query_one(_List)
        hits = self.hits()
        shown.clear_options()
        shown.add_options(
            [
                Option(Content.assemble(one_line(item.text, 100), (f"  {one_line(item.detail, 60)}", "$muted")))
                for item in hits
            ]
        )
        self._hits = hits
        if hits:
            shown.highlighted = 0
        else:
            if self.query_one(_List).has_focus:
                self.input.focus()
            shown.add_option(Option(Content.styled("nothing matches", "$muted"), disabled=True))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list; an exact name is taken at once."""
        event.stop()
        if event.value == self._setting:
            self._setting = ""
            return
        self._setting = ""
        self._fill()
        exact = [item for item in self._hits if item.text == event.value]
        value = exact[0].value if len(exact) == 1 else None
        is_asked = bool(self._hits or event.value)
        self.set_class(is_asked and value is None and self.input.has_focus, "-open")
        if value != self.value:
            self.value = value
            self.post_message(self.Picked(self, value))
        self.post_message(self.Typed(self, event.value))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Give escape to the form while the list is closed, and down to it while the list has the focus."""
        if action == "close_list":
            return self.has_class("-open")
        if action == "open_list":
            return self.input.has_focus
        return True

    def action_close_list(self) -> None:
        """Close the list and go on typing."""
        self.close()

    def action_open_list(self) -> None:
        """Go into the list."""
        self._fill()
        if self._hits:
            shown = self.query_one(_List)
            self.add_class("-open")
            shown.highlighted = 0
            self.input.select_on_focus = False  # whoever comes back from the list goes on typing
            shown.focus()

    def on_key(self, event: events.Key) -> None:
        """Letters pressed in the list narrow it."""
        if event.is_printable and event.character and self.query_one(_List).has_focus:
            event.stop()
            self.input.focus()
            self.input.insert_text_at_cursor(event.character)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the first hit; where the list is not open, open it."""
        event.stop()
        if not self.has_class("-open"):
            self.action_open_list()
        elif self._hits:
            self._take(self._hits[0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the hit."""
        event.stop()
        self._take(self._hits[event.option_index])

    def _take(self, item: Item) -> None:
        self.value = item.value
        self._show(item)
        self.input.focus()
        self.post_message(self.Picked(self, item.value))

    def on_descendant_blur(self) -> None:
        """Close the list when the focus goes elsewhere."""
        self.call_after_refresh(self._close_unless_focused)

    def _close_unless_focused(self) -> None:
        if self.is_attached and self.display and not self.has_focus_within:
            self.remove_class("-open")
            self.input.select_on_focus = True
