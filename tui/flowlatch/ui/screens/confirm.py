"""A question before damage: focus on No, and where it matters a name to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.field import Field, TextInput

T = TypeVar("T")


class Answer(Button):
    """No or Yes, side by side."""

    KEYS: ClassVar[Sequence[tuple[Sequence[str], str]]] = ((("left", "right"), "Go to the other answer"),)
    """What its question does with keys, for the help: keys, sentence."""


class Question(FlowModal[T]):
    """A dialog that ends in No and Yes, the focus on No; `typed`, when not empty, must be written out before Yes."""

    BINDINGS = [keys.CLOSE, keys.NEXT_FIELD, keys.PREVIOUS_FIELD]
    DEFAULT_CSS = """
    Question Static { height: auto; }
    Question #typed-label { margin: 1 0 0 0; color: $muted; }
    Question .buttons { height: auto; margin: 1 0 0 0; align-horizontal: right; }
    Question Button { min-width: 10; margin: 0 0 0 2; background: $panel; }
    Question .buttons Button.-textual-compact:ansi:disabled { border: none !important; }
    Question Button.-textual-compact:focus { background: $cursor; color: $cursor-text; text-style: bold; }
    """

    def __init__(self, session: Session, typed: str) -> None:
        super().__init__(session)
        self.typed = typed

    @property
    def is_typed(self) -> bool:
        """True when nothing has to be typed, or it is."""
        return not self.typed or self.query_one("#typed", TextInput).value == self.typed

    def answers(self, no: str, yes: str) -> ComposeResult:
        """The name to type, if any, and the two buttons."""
        if self.typed:
            yield Static(Content(f"type {self.typed} to confirm"), id="typed-label", markup=False)
            yield Field("", TextInput(id="typed", select_on_focus=False), label_cells=0)
        with Horizontal(classes="buttons"):
            yield Answer(Content(no), id="no", compact=True)
            yield Answer(Content(yes), id="yes", disabled=bool(self.typed), compact=True)

    def on_key(self, event: events.Key) -> None:
        """On a button: left and right, h and l, go to the other one; where a name is asked for, letters name it."""
        if not isinstance(self.focused, Button):
            return
        if self.typed and event.is_printable and event.character:
            name = self.query_one("#typed", TextInput)
            name.focus()
            name.insert_text_at_cursor(event.character)
        elif event.key in ("left", "h"):
            self.query_one("#no", Button).focus()
        elif event.key in ("right", "l"):
            self.query_one("#yes", Button).focus()
        else:
            return
        event.stop()

    @on(Input.Submitted, "#typed")
    def _name_entered(self) -> None:
        """Enter in the name goes on to the buttons; it never says yes."""
        yes = self.query_one("#yes", Button)
        (self.query_one("#no", Button) if yes.disabled else yes).focus()


class ConfirmScreen(Question[bool]):
    """Ends in True only when Yes was pressed; escape is No. `typed` must be written out first."""

    def __init__(
        self, session: Session, title: str, question: Content, *, yes: str, no: str = "No", typed: str = ""
    ) -> None:
        super().__init__(session, typed)
        self._title, self._question, self._yes, self._no = title, question, yes, no

    def body(self) -> ComposeResult:
        """The question, the name to type if any, No and Yes."""
        yield Static(self._question, markup=False)
        yield from self.answers(self._no, self._yes)

    def on_mount(self) -> None:
        """Put the focus where nothing happens."""
        self.query_one("#box").border_title = Content(one_line(self._title, 70))
        self.query_one("#no", Button).focus()

    @on(Input.Changed, "#typed")
    def _name_typed(self) -> None:
        self.query_one("#yes", Button).disabled = not self.is_typed

    @on(Button.Pressed)
    def _answered(self, message: Button.Pressed) -> None:
        self.dismiss(message.button.id == "yes")

    def action_close(self) -> None:
        """Escape is No."""
        self.dismiss(False)


def typeable(name: str, run_id: str) -> str:
    """Return what has to be typed for a run: its name, or the start of its id where no keyboard has that name."""
    shown = one_line(name, 60)
    return shown if shown and shown == name and name.isascii() and name.strip() == name else run_id[:8]
