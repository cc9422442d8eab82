"""A short table that is held whole: columns that fit their content, one line a row, one column that takes the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message

from flowlatch.ui.format import fit
from flowlatch.ui.widgets.line_view import LineView, Span

GAP = 2


@dataclass(frozen=True)
class Column:
    """A heading, how wide the column may get, and whether it takes what is left over."""

    title: str
    limit: int = 30
    is_last: bool = False
    from_width: int = 0
    """Shown from this width of the table on."""


@dataclass(frozen=True)
class Row:
    """One line: a key that tells rows apart, and a span for each column. Texts are clean."""

    key: str
    cells: tuple[Span, ...]
    look: str = ""
    """Look of the whole line, e.g. faint."""


class Rows(LineView):
    """A table under a cursor that stays on its row's key. The heading is a line of its own (`heading`)."""

    @dataclass
    class Chosen(Message):
        """A double click on a row."""

        key: str

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = list(columns)
        self.rows: list[Row] = []
        self._widths: list[int] = []

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on its row, or on its place when that is gone."""
        here = self.chosen
        self.rows = list(rows)
        if here is not None:
            self.cursor = next((i for i, row in enumerate(self.rows) if row.key == here), self.cursor)
        self._measure()
        self.lines_changed()
        self.show_cursor()

    def _measure(self) -> None:
        shown = [column if column.from_width <= self.cells + 1 else None for column in self._columns]
        widths = []
        for place, column in enumerate(shown):
            longest = max((cell_len(row.cells[place][0]) for row in self.rows), default=0)
            widths.append(min(max(longest, cell_len(column.title)), column.limit) if column else 0)
        rest = self.cells - 1 - sum(width + GAP for width in widths if width)
        for place, column in enumerate(shown):
            if column and column.is_last:
                widths[place] = max(widths[place] + rest, 4)
        self._widths = widths

    @property
    def chosen(self) -> str | None:
        """Key of the row under the cursor."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else None

    @property
    def length(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def heading(self) -> str:
        """The titles over their columns."""
        titles = zip(self._columns, self._widths, strict=False)
        return " " + "".join(fit(column.title, width) + " " * GAP for column, width in titles if width)

    def line(self, row: int) -> Sequence[Span]:
        """Return the cells of a row, up to its last text: blanks that find no room are not marked as cut."""
        shown = self.rows[row]
        spans: list[Span] = [(" ", "")]
        for (text, look), width in zip(shown.cells, self._widths, strict=False):
            if width:
                spans.append((fit(text, width) + " " * GAP, shown.look or look))
        while len(spans) > 1 and spans[-1][0].isspace():
            spans.pop()
        return [*spans[:-1], (spans[-1][0].rstrip() or " ", spans[-1][1])]

    def plain(self, row: int) -> str:
        """Return a row's texts uncut, so that search finds what the line cuts."""
        return "  ".join(text for text, _ in self.rows[row].cells)

    def on_resize(self, event: events.Resize) -> None:
        """Measure anew."""
        self._measure()

    def on_click(self, event: events.Click) -> None:
        """A second click on a row chooses it; the first went there."""
        if event.chain == 2 and self.chosen is not None:
            self.post_message(self.Chosen(self.chosen))
