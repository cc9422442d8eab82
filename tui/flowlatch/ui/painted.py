"""What stands on the terminal, so that only cells that differ are written to it.

Textual writes a widget's whole lines, from its left edge, whatever part of them changed. Over SSH most of that is what
the terminal shows already: a list of which five rows move each second costs a tenth when only the changed cells go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip

Cell = tuple[str, str]
"""A character and its look (numbers of an SGR sequence); the second cell of a wide character has no text."""
UNKNOWN: Cell = ("\0", "")
"""A cell that may show anything."""
JOIN = 8
"""Up to so many equal cells between two changes are written along: to step over them would cost as much."""
JOINING = re.compile("[\u200d\ufe0f]")
"""Only where one of these stands a text is not as wide as its characters, by `rich.cells`."""
PARTS = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


class Painted:
    """The cells of the terminal as far as they are known."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Cell]] = {}
        self._size = Size(0, 0)

    def forget(self) -> None:
        """Know nothing any more: the terminal has another size, or something else wrote on it."""
        self._lines.clear()

    def changes(self, update: LayoutUpdate | ChopsUpdate, colours: ColorSystem) -> Changes | None:
        """Return what must be written so that the terminal shows `update`, None when it does already."""
        if isinstance(update, LayoutUpdate) and update.region.size != self._size:
            # What was painted for the old size after the terminal had the new one stands anywhere.
            self._size = update.region.size
            self.forget()
        pen = Pen()
        for y, x, strip in _placed(update):
            self._place(y, x, [cell for segment in strip for cell in _cells(segment, colours)], pen)
        text = pen.finish()
        return Changes(text) if text else None

    def _place(self, y: int, x: int, cells: list[Cell], pen: Pen) -> None:
        line, end = self._lines.setdefault(y, []), x + len(cells)
        line.extend([UNKNOWN] * (end - len(line)))
        old = line[x:end]
        if old == cells:
            return
        if x and not old[0][0]:
            line[x - 1] = UNKNOWN  # a wide character that loses its right half is gone
        if end < len(line) and not line[end][0]:
            line[end] = UNKNOWN
        line[x:end] = cells
        due = [place for place, (before, after) in enumerate(zip(old, cells, strict=True)) if before != after]
        for first, last in _runs(due):
            while first and not cells[first][0]:
                first -= 1
            pen.write(y, x + first, cells[first : last + 1])


class Pen:
    """Writes cells; a look is said once as long as it stays."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._look = ""

    def write(self, y: int, x: int, cells: list[Cell]) -> None:
        """Go to a place and write from there."""
        self._parts.append(Control.move_to(x, y).segment.text)
        for char, look in cells:
            if char:
                if look != self._look:
                    self._parts.append(f"\x1b[0;{look}m" if look else "\x1b[0m")
                    self._look = look
                self._parts.append(char)

    def finish(self) -> str:
        """Return all that was written, ending in the plain look."""
        if self._look:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)


class Changes(CompositorUpdate):
    """Text ready for the terminal."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the text as it is."""
        yield Segment(self.text)

    def render_segments(self, console: Console) -> str:
        """Give the text as it is."""
        return self.text


def _placed(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Yield line, column and strip of everything an update writes."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield y, x, strip
                x += strip.cell_length
        return
    for y, x1, x2 in update.spans:
        for x, chop in update.chops[y].items():
            if chop is not None and x < x2 and x + chop.cell_length > x1:
                yield y, x, chop


def _cells(segment: Segment, colours: ColorSystem) -> list[Cell]:
    """Return the cells that a segment covers."""
    text, style, _ = segment
    look = Strip.render_ansi(style, colours) if style else ""
    if text.isascii():
        return [(char, look) for char in text]
    cells: list[Cell] = []
    for part in PARTS.findall(text):
        if part.isascii():
            cells += [(char, look) for char in part]
            continue
        for char in part:
            width = cell_len(char)
            if width:
                cells += [(char, look), *[("", look)] * (width - 1)]
            elif cells:
                cells[-1] = (cells[-1][0] + char, look)
    if JOINING.search(text) and len(cells) != (length := cell_len(text)):  # one character of several: kept together
        cells = [(text, look), *[("", look)] * (length - 1)][:length]
    return cells


def _runs(due: list[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each stretch of places, near ones joined."""
    first = due[0]
    for before, place in pairwise(due):
        if place - before > JOIN:
            yield first, before
            first = place
    yield first, due[-1]


class Thrifty(App[object]):
    """An application that writes only what differs on the terminal."""

    def __init__(self) -> None:
        self._painted = Painted()
        super().__init__()

    def paint_anew(self) -> None:
        """Write the whole screen again: something else may have written on the terminal."""
        self._painted.forget()
        self.refresh()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Write a part of the screen, or nothing where it shows that already."""
        is_open = self._running and not self._closed and not self._batch_count and self._driver is not None
        if is_open and not self.is_headless and isinstance(renderable, LayoutUpdate | ChopsUpdate):
            renderable = self._painted.changes(renderable, _colours(self.console))
        super()._display(screen, renderable)


def _colours(console: Console) -> ColorSystem:
    return console._color_system or ColorSystem.TRUECOLOR
