"""The log of a run: up to 50,000 lines merged by time, followed, filtered by level, wrapped or cut.

Only what is on the screen is drawn. New lines at the end cost what they are; anything else costs one pass over the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from textual import events
from textual.binding import BindingType
from textual.message import Message

from flowlatch.model.run import LogLine
from flowlatch.text import DETAIL_LIMIT, clean
from flowlatch.ui import keys
from flowlatch.ui.format import LEVEL_CELLS, fit, log_level
from flowlatch.ui.widgets.line_view import LineView, Span

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}
LEVEL_STEPS = ("DEBUG", "INFO", "WARNING", "ERROR")
"""What the level key goes through; the lowest shows everything."""
_LOOK = {10: "faint", 20: "muted", 30: "late", 40: "failed", 50: "failed"}
UNKNOWN_LEVEL = 20

Row = tuple[int, int]
"""Index of the line, and which of its pieces this row is."""


class LogView(LineView):
    """Log lines, oldest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        replace(keys.FOLLOW, show=True),
        replace(keys.LEVEL, show=True),
        replace(keys.WRAP, show=True),
        replace(keys.SEARCH, show=True),
    ]
    empty_text = " no log lines"

    class OlderWanted(Message):
        """The operator stands on the first line and wants what was before it."""

    class Changed(Message):
        """Follow, wrap or level was switched."""

    @dataclass(frozen=True)
    class Settings:
        """What is switched on."""

        follow: bool = True
        wrap: bool = False
        level: str = LEVEL_STEPS[0]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.settings = self.Settings()
        self._written: Callable[[datetime], str] = lambda moment: f"{moment:%H:%M:%S}"
        self._lines: Sequence[LogLine] = ()
        self._rows: list[Row] = []
        self._taken = 0
        self._first: LogLine | None = None
        self._last: LogLine | None = None
        self._held: LogLine | None = None
        self._stamp_cells = 8
        self._pieces = lru_cache(maxsize=1_000)(self._pieces_of)

    # What it is given

    def show(self, lines: Sequence[LogLine], written: Callable[[datetime], str] | None = None) -> None:
        """Show these lines. `written` says how a time is written; always in the same number of cells."""
        if written is not None:
            self._written = written
            self._strips.clear()
        is_longer = 0 < self._taken <= len(lines) and lines[0] is self._first and lines[self._taken - 1] is self._last
        self._lines = lines
        if is_longer:
            before = len(self._rows)
            self._add_rows(self._taken)
            if written is None and len(self._rows) == before:
                return
            self.lines_changed(keep_strips=True)
        else:
            self._rebuild()
        if self.settings.follow:
            self.action_bottom()

    def _rebuild(self) -> None:
        """Find every row anew and keep the cursor on its line."""
        held = self._held
        offset = self.cursor - round(self.scroll_y)
        self._rows, self._taken = [], 0
        self._pieces.cache_clear()
        self._stamp_cells = len(self._written(self._lines[-1].timestamp)) if self._lines else 8
        self._add_rows(0)
        self.lines_changed()
        if held is not None and not self.settings.follow:
            row = next((row for row, (index, _) in enumerate(self._rows) if _is_same(self._lines[index], held)), None)
            if row is not None:
                self.cursor = row
                self.go_to_top(row - offset)
        self._remember()
        self.show_cursor()

    def _add_rows(self, begin: int) -> None:
        lowest = LEVELS[self.settings.level]
        everything = self.settings.level == LEVEL_STEPS[0]
        rows, wrap, room = self._rows, self.settings.wrap, self._room()
        for index in range(begin, len(self._lines)):
            line = self._lines[index]
            if not everything and rank(line.level) < lowest:
                continue
            message = line.message
            if "\n" not in message and (not wrap or (len(message) <= room and message.isascii())):
                rows.append((index, 0))
            else:
                rows.extend((index, piece) for piece in range(len(self._pieces(index))))
        self._taken = len(self._lines)
        self._first = self._lines[0] if self._lines else None
        self._last = self._lines[-1] if self._lines else None
        self._remember()

    def _remember(self) -> None:
        """Note the line under the cursor, so that it is found again among other lines."""
        row = self.cursor
        self._held = self._lines[self._rows[row][0]] if 0 <= row < len(self._rows) else None

    # Drawing

    @property
    def length(self) -> int:
        """Rows, which are more than lines when these are wrapped or hold line feeds."""
        return len(self._rows)

    def _room(self) -> int:
        """Cells for a message, beside the scroll bar that wrapping may bring about."""
        whole = self.outer_size.width - self.styles.gutter.width - self.styles.scrollbar_size_vertical - 1
        return max(whole - self._stamp_cells - LEVEL_CELLS - 3, 20)

    def _pieces_of(self, index: int) -> list[str]:
        """Return the message of a line in the pieces it is shown in."""
        message = clean(self._lines[index].message.rstrip("\n"), DETAIL_LIMIT, multiline=True)
        room = self._room()
        pieces: list[str] = []
        for part in message.split("\n"):
            if self.settings.wrap and cell_len(part) > room:
                pieces += chop_cells(part, room)
            else:
                pieces.append(part)
        return pieces

    def line(self, row: int) -> Sequence[Span]:
        """Return time, level and message; further pieces of a message stand under its first one."""
        index, piece = self._rows[row]
        line = self._lines[index]
        pieces = self._pieces(index)
        text = pieces[piece] if piece < len(pieces) else ""
        number = rank(line.level)
        look = _LOOK.get(number, "muted")
        loud = look if number >= LEVELS["WARNING"] else "faint" if number < LEVELS["INFO"] else ""
        if piece:
            return [(" " * (self._stamp_cells + LEVEL_CELLS + 3), ""), (text, loud)]
        stamp = fit(self._written(line.timestamp), self._stamp_cells, right=True)
        return [(f" {stamp}", "muted"), (" ", ""), (log_level(line.level), look), (" ", ""), (text, loud)]

    def find(self, needle: str) -> list[int]:
        """Return the first row of each line whose message or level holds `needle`."""
        wanted = needle.casefold()
        lines = self._lines
        return [
            row
            for row, (index, piece) in enumerate(self._rows)
            if not piece and (wanted in lines[index].message.casefold() or wanted in lines[index].level.casefold())
        ]

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew for another width."""
        if self.settings.wrap:
            self._rebuild()
        if self.settings.follow:
            self.call_after_refresh(self.action_bottom)

    # Where the operator goes

    def go_to(self, row: int) -> None:
        """Go to a row; leaving the end stops following, the end starts it again."""
        super().go_to(row)
        self._remember()
        self._switch(follow=self.cursor >= self.length - 1)

    def action_cursor_up(self) -> None:
        """Previous row; on the first one, ask for older lines."""
        if self.cursor == 0:
            self.post_message(self.OlderWanted())
        super().action_cursor_up()

    def action_top(self) -> None:
        """First line that is held, and ask for older ones."""
        super().action_top()
        self.post_message(self.OlderWanted())

    def action_follow(self) -> None:
        """Follow the end, or stay here."""
        follow = not self.settings.follow
        if follow:
            self.action_bottom()
        self._switch(follow=follow)

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self._switch(wrap=not self.settings.wrap)
        self._rebuild()

    def action_level(self) -> None:
        """Show from the next level on; behind the highest, everything."""
        steps = LEVEL_STEPS
        self._switch(level=steps[(steps.index(self.settings.level) + 1) % len(steps)])
        self._rebuild()

    def _switch(self, **changes: object) -> None:
        settings = self.Settings(**{**vars(self.settings), **changes})
        if settings != self.settings:
            self.settings = settings
            self.post_message(self.Changed())


def _is_same(one: LogLine, other: LogLine) -> bool:
    """True for the same line, also when it was read anew."""
    return one.id == other.id if one.id else one == other


def rank(level: str) -> int:
    """Return how serious a level is; a word never seen counts as INFO."""
    return LEVELS.get(level) or LEVELS.get(level.upper(), UNKNOWN_LEVEL)
