"""One line of tabs: the chosen one in brackets, so that it shows without colour."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class TabLine(Widget):
    """Names in a row; a click chooses one. What is right of them is cut first."""

    DEFAULT_CSS = """
    TabLine { height: 1; width: 1fr; padding: 0 1; color: $muted; background: $background; }
    """

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        name: str

    def __init__(self, tabs: dict[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs = tabs
        self._chosen = next(iter(tabs))
        self._right = Content("")

    def show(self, chosen: str, right: Content | None = None) -> None:
        """Mark one tab as chosen; `right` is the text at the right end."""
        right = self._right if right is None else right
        if (chosen, right.plain) != (self._chosen, self._right.plain):
            self._chosen, self._right = chosen, right
            self.refresh()

    def _labels(self) -> list[tuple[str, str]]:
        return [(name, f"[{word}]" if name == self._chosen else f" {word} ") for name, word in self._tabs.items()]

    def render(self) -> Content:
        """Write the tabs and the right end."""
        width = self.content_size.width
        left = Content.assemble(
            *((label, "$accent bold" if name == self._chosen else "$muted") for name, label in self._labels())
        )
        room = width - left.cell_length - 2
        if room < self._right.cell_length:
            return left.truncate(width)
        return Content.assemble(left, " " * (width - left.cell_length - self._right.cell_length), self._right)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        column = self.gutter.left
        for name, label in self._labels():
            if column <= event.x < column + len(label):
                self.post_message(self.Chosen(name))
                return
            column += len(label)
