"""A question before damage: focus on No, and where it matters a name to type."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.field import Field, TextInput


class ConfirmScreen(FlowModal[bool]):
    """Ends in True only when Yes was pressed; escape is No. `typed` must be written out first."""

    BINDINGS = [keys.CLOSE, keys.NEXT_FIELD, keys.PREVIOUS_FIELD]
    DEFAULT_CSS = """
    ConfirmScreen Static { height: auto; }
    ConfirmScreen #typed-label { margin: 1 0 0 0; color: $muted; }
    ConfirmScreen .buttons { height: auto; margin: 1 0 0 0; align-horizontal: right; }
    ConfirmScreen Button { min-width: 10; margin: 0 0 0 2; background: $panel; }
    ConfirmScreen Button.-textual-compact:focus { background: $cursor; color: $cursor-text; text-style: bold; }
    """

    def __init__(
        self, session: Session, title: str, question: Content, *, yes: str, no: str = "No", typed: str = ""
    ) -> None:
        super().__init__(session)
        self.typed = typed
        self._title, self._question, self._yes, self._no = title, question, yes, no

    def body(self) -> ComposeResult:
        """The question, the name to type if any, No and Yes."""
        yield Static(self._question, markup=False)
        if self.typed:
            yield Static(Content(f"type {self.typed} to confirm"), id="typed-label", markup=False)
            yield Field("", TextInput(id="typed"), label_cells=0)
        with Horizontal(classes="buttons"):
            yield Button(Content(self._no), id="no", compact=True)
            yield Button(Content(self._yes), id="yes", disabled=bool(self.typed), compact=True)

    def on_mount(self) -> None:
        """Put the focus where nothing happens."""
        self.query_one("#box").border_title = Content(one_line(self._title, 70))
        self.query_one("#no", Button).focus()

    @on(Input.Changed, "#typed")
    def _name_typed(self, message: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = message.value != self.typed

    @on(Input.Submitted, "#typed")
    def _name_entered(self) -> None:
        """Enter in the name goes on to the buttons; it never says yes."""
        yes = self.query_one("#yes", Button)
        (self.query_one("#no", Button) if yes.disabled else yes).focus()

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
