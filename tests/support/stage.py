"""A bare app for one widget: our themes and its messages, no server. And what any app shows, as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.style import Style
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widget import Widget

from flowlatch.ui.themes import DARK, THEMES


class Stage(App[None]):
    """Shows one widget and keeps the messages of the kinds in `heard_kinds`."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, make: Callable[[], Widget], *heard_kinds: type[Message]) -> None:
        super().__init__()
        self._make = make
        self._kinds = heard_kinds
        self.heard: list[Message] = []
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = "dark"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our variables."""
        return dict(DARK.variables)

    def compose(self) -> ComposeResult:
        """Show the widget."""
        yield self._make()

    async def on_event(self, event: Any) -> None:
        """Note nothing: events are not messages of ours."""
        await super().on_event(event)

    def post_message(self, message: Message) -> bool:
        """Keep what bubbles up to the app."""
        if isinstance(message, self._kinds):
            self.heard.append(message)
        return super().post_message(message)


def screen_text(app: App[Any]) -> str:
    """Return what the screen shows, line by line, without styles."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def style_of(app: App[Any], text: str) -> Style:
    """Return the style in which a text begins on the screen; it must be there and begin a segment."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if segment.text.strip().startswith(text):
                return segment.style or Style()
    raise AssertionError(f"{text!r} is not on the screen")
