"""What is shown while the window is too small for anything else."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

LEAST = Size(60, 15)


def is_too_small(size: Size) -> bool:
    """True below 60 columns or 15 lines."""
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(Screen[None]):
    """One line; q still quits, and whatever was open is still open below. Says `Uncovered` when seen again."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset({"quit", "interrupt", "suspend_process"})
    """What still works; anything else would change the screens below unseen."""

    class Uncovered(Message):
        """What was opened over this screen is closed: there may be enough room by now."""

    DEFAULT_CSS = """
    TooSmallScreen { align: left top; background: $background; color: $foreground; }
    TooSmallScreen > Static { width: 1fr; height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Say how large it must be."""
        yield Static("too small: 60×15 is needed; q quits", markup=False)

    def on_screen_resume(self) -> None:
        """Ask for another look at the size."""
        self.post_message(self.Uncovered())
