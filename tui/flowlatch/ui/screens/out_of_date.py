"""What opens in place of a screen that cannot be loaded any more: the program was exchanged while it runs."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Static

from flowlatch.live.session import Session
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowModal


class OutOfDateScreen(FlowModal[None]):
    """Says so, and leaves everything else as it is; it ends in None, as a question that was answered with No."""

    BINDINGS = [keys.CLOSE]
    DEFAULT_CSS = """
    OutOfDateScreen Static { height: auto; }
    OutOfDateScreen Button { min-width: 10; margin: 1 0 0 0; background: $panel; }
    OutOfDateScreen Button.-textual-compact:focus { background: $cursor; color: $cursor-text; text-style: bold; }
    """

    def __init__(self, session: Session, *_: Any, **__: Any) -> None:
        super().__init__(session)

    def body(self) -> ComposeResult:
        """One sentence and a button."""
        yield Static(
            Content(
                "flowlatch was changed on this machine since it started here, and this part is not loaded yet. "
                "Nothing was sent. Quit and start it again to use it; what you typed is kept as drafts."
            ),
            markup=False,
        )
        yield Button(Content("Close"), id="no", compact=True)

    def on_mount(self) -> None:
        """Name it."""
        self.query_one("#box").border_title = Content("Start flowlatch again")

    @on(Button.Pressed)
    def action_close(self) -> None:
        """Go back to what was open."""
        self.dismiss(None)
