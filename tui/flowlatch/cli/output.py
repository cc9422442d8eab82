"""The only printer: tables for eyes, tab-separated lines for pipes, JSON lines for scripts.

Foreign text is cleaned on its way out; with `--json` it is exact, but ASCII-escaped (reliability.md §5).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from flowlatch.text import clean, one_line

_COLOURS = {
    "failed": "31",
    "success": "32",
    "running": "34",
    "scheduled": "33",
    "pending": "33",
    "cancelled": "35",
}
"""Category → SGR code of the 16 colours; the word always stands there too."""
_BOLD, _DIM = "1", "2"
_GAP = "  "
_CELL_LIMIT = 64 * 1024
MAX_CELLS = 60
"""A column but the last is never wider than this on a terminal."""
SHORT_ID = 8
"""Characters of an id in a list for eyes: enough to act on a run by."""
MIN_CELLS = 6
"""No column is cut below this, or below its heading, however narrow the terminal."""
NARROW_CELLS = 120
"""On a terminal narrower than this, lists write their times short."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading and how it stands."""

    title: str
    right: bool = False
    is_state: bool = False
    """True when the cells are names of states, to be coloured."""
    is_whole: bool = False
    """True when a cut cell would be of no use, e.g. an id. States and figures are never cut either."""
    least: int = 0
    """Cells at least: keeps lines that are printed one by one under each other."""


class Output:
    """Prints results on stdout, remarks and errors on stderr."""

    def __init__(
        self,
        stdout: IO[str],
        stderr: IO[str],
        *,
        as_json: bool = False,
        is_terminal: bool = False,
        has_colour: bool = False,
        width: int = 80,
    ) -> None:
        self.as_json = as_json
        self.is_terminal = is_terminal
        self._stdout, self._stderr = stdout, stderr
        self._has_colour = has_colour and is_terminal and not as_json
        self._width = width

    @property
    def is_narrow(self) -> bool:
        """True on a terminal that has no room for long times in lists."""
        return self.is_terminal and self._width < NARROW_CELLS

    @classmethod
    def of_process(cls, *, as_json: bool) -> Output:
        """Return the printer of this process's stdout and stderr."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return cls(
            sys.stdout,
            sys.stderr,
            as_json=as_json,
            is_terminal=sys.stdout.isatty(),
            has_colour=not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb"),
            width=shutil.get_terminal_size().columns,
        )

    def json(self, value: Mapping[str, Any]) -> None:
        """Print one result as one ASCII-escaped JSON line."""
        self._write(json.dumps(value, ensure_ascii=True, default=str))

    def line(self, text: object) -> None:
        """Print one line for eyes and pipes, cleaned."""
        self._write(clean(text, _CELL_LIMIT))

    def block(self, text: object) -> None:
        """Print text of several lines, cleaned."""
        self._write(clean(text, _CELL_LIMIT, multiline=True))

    def script(self, text: str) -> None:
        """Print text of this program exactly as it is."""
        self._write(text.removesuffix("\n"))

    def note(self, text: object) -> None:
        """Print a remark on stderr; with `--json` there is none, stderr holds nothing but an error there."""
        if not self.as_json:
            self._stderr.write(one_line(text, 1000) + "\n")
            self._stderr.flush()

    def flush(self) -> None:
        """Let a reader see what was printed so far."""
        self._stdout.flush()

    def error(self, code: str, message: str) -> None:
        """Print the one line that says what went wrong, behind the results printed so far."""
        self._stdout.flush()
        if self.as_json:
            text = json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=True)
        else:
            text = "flowlatch: " + one_line(message, 1000)
        self._stderr.write(text + "\n")
        self._stderr.flush()

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[object]], nothing: str = "") -> None:
        """Print rows: aligned under headings on a terminal, tab-separated without headings in a pipe.

        Where there are none, a terminal is told `nothing`.
        """
        cells = [[one_line("-" if cell is None or cell == "" else cell, _CELL_LIMIT) for cell in row] for row in rows]
        if not self.is_terminal:
            for row in cells:
                self._write("\t".join(row))
            return
        if not cells:
            if nothing:
                self.note(nothing)
            return
        widths = self._widths(columns, cells)
        if any(column.title for column in columns):
            self._write(self._styled(self._row([column.title for column in columns], columns, widths), _DIM))
        for row in cells:
            self._write(self._row(row, columns, widths))

    def _widths(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[int]:
        """Return the cells that each column gets: as many as it needs, else the widest give way first."""
        from rich.cells import cell_len

        least = [max(len(column.title), column.least) for column in columns]
        widths = [max(low, *map(cell_len, texts)) for low, texts in zip(least, zip(*cells, strict=True), strict=True)]
        widths = [*(min(width, MAX_CELLS) for width in widths[:-1]), min(widths[-1], self._width)]
        pliable = [
            number for number, column in enumerate(columns) if not (column.is_whole or column.is_state or column.right)
        ]
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - self._width
        while over > 0 and (wide := [number for number in pliable if widths[number] > max(least[number], MIN_CELLS)]):
            widths[max(wide, key=lambda number: widths[number])] -= 1
            over -= 1
        return widths

    def fields(self, pairs: Sequence[tuple[str, object]]) -> None:
        """Print names and values, one pair a line; several lines of a value are indented under each other."""
        if not self.is_terminal:
            for name, value in pairs:
                self._write(f"{name}\t{one_line('-' if value is None or value == '' else value, _CELL_LIMIT)}")
            return
        width = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            text = clean("-" if value is None or value == "" else value, _CELL_LIMIT, multiline=True)
            self._write(f"{self._styled(name.ljust(width), _DIM)}{_GAP}" + text.replace("\n", f"\n{' ' * width}{_GAP}"))

    def state(self, name: str) -> str:
        """Return a state's name, cleaned, in the colour of its category where there is colour."""
        if not self._has_colour:
            return one_line(name, 40)
        from flowlatch.model.state import category_of

        return self._styled(one_line(name, 40), _COLOURS.get(category_of(name), ""))

    def heading(self, text: object) -> None:
        """Print a line that stands over what follows; nothing in a pipe."""
        if self.is_terminal and not self.as_json:
            self._write(self._styled(one_line(text), _BOLD))

    def _row(self, row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
        from rich.cells import cell_len, set_cell_size

        parts = []
        for text, column, width in zip(row, columns, widths, strict=True):
            if cell_len(text) > width:
                text = set_cell_size(text, width - 1).rstrip() + "…"
            space = " " * (width - cell_len(text))
            shown = self.state(text) if column.is_state and text != column.title else text
            parts.append(space + shown if column.right else shown + space)
        return _GAP.join(parts).rstrip()

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._has_colour else text

    def _write(self, text: str) -> None:
        self._stdout.write(text + "\n")
