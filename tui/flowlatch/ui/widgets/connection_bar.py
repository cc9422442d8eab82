"""The three-line band over everything while there is no connection (ux.md §3)."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


class ConnectionBar(Widget):
    """Says what is wrong, when it is tried again, and which keys help. Hidden while the link is up."""

    DEFAULT_CSS = """
    ConnectionBar {
        display: none; height: 3; width: 1fr; padding: 0 1;
        background: $bad; color: $bad-text;
    }
    ConnectionBar.-shown { display: block; }
    ConnectionBar.-calm { background: $panel; color: $muted; height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[Content, ...] = ()

    def show(self, lines: tuple[Content, ...], *, calm: bool = False) -> None:
        """Show up to three lines, `calm` one that is no fault (connecting); an empty tuple hides the band."""
        if lines and [line.plain for line in lines] != [line.plain for line in self._lines]:
            self._lines = lines
            self.refresh()
        self.update_classes({"-shown": bool(lines), "-calm": calm and bool(lines)})
        if not lines:
            self._lines = ()

    @property
    def plain(self) -> str:
        """What the band says; empty while it is hidden."""
        return "\n".join(line.plain for line in self._lines)

    def render(self) -> Content:
        """Write the lines, each cut at the width there is."""
        width = self.content_size.width
        return Content("\n").join(line.truncate(width, ellipsis=True) for line in self._lines)
