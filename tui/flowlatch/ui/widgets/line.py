"""One line with a left and a right end: the top line and the status line of every screen."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

GAP = 2
"""Cells kept free between the two ends."""


class Line(Widget):
    """One line. The right end is always whole; the left one is cut where they would meet."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left = Content("")
        self._right = Content("")

    def show(self, left: Content, right: Content) -> None:
        """Show these; nothing is painted when they are what is shown already."""
        if not (left.is_same(self._left) and right.is_same(self._right)):
            self._left, self._right = left, right
            self.refresh()

    @property
    def plain(self) -> str:
        """What the line says, for tests and for copying."""
        return f"{self._left.plain}  {self._right.plain}"

    def render(self) -> Content:
        """Join both ends over the width there is."""
        width = self.content_size.width
        right = self._right.truncate(width, ellipsis=True)
        room = max(width - right.cell_length - (GAP if right.cell_length else 0), 0)
        left = self._left.truncate(room, ellipsis=True) if room else Content("")
        return Content.assemble(left, " " * (width - left.cell_length - right.cell_length), right)


class TopLine(Line):
    """First line of a screen: server, what is shown, mode, clock."""

    DEFAULT_CSS = """
    TopLine { background: $panel; color: $foreground; }
    TopLine.production { background: $bad; color: $bad-text; text-style: bold; }
    """


class StatusLine(Line):
    """Last line but one: marks, age of the data, mode."""

    DEFAULT_CSS = """
    StatusLine { background: $surface; color: $muted; }
    """
