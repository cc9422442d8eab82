"""Draws one line of the list of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from flowlatch.model.query import Sort
from flowlatch.model.run import FlowRun, RunId
from flowlatch.ui.format import STYLE_NAMES, fit, style_name
from flowlatch.ui.widgets.columns import DEFAULT_COLUMNS, GAP, GUTTER, Placed, Times, cell, heading, layout

LOOKS = {
    "text": "",
    "heading": "$muted",
    "sorted": "$foreground bold",
    "cursor": "$cursor-text on $cursor",
    "mark": "$mark bold",
    "changed": "$changed bold",
    "faint": "$faint",
    "muted": "$muted",
    **{name: f"$state-{name}" for name in STYLE_NAMES},
}
"""What a line is made of, and the style of each."""
_COLOURED = frozenset({"mark", "changed", *STYLE_NAMES})


class RunLine:
    """What every line of the list shares, and how a line is drawn from it. `look` gives the style of one of `LOOKS`."""

    def __init__(self, look: Callable[[str], Style]) -> None:
        self.columns: tuple[str, ...] = DEFAULT_COLUMNS
        self.skip = 0
        """Columns scrolled out to the left."""
        self.sort = Sort()
        self.marks: Collection[RunId] = frozenset()
        self.times = Times(datetime(1970, 1, 1, tzinfo=UTC))
        self.is_dim = False
        """True while what is shown may be old."""
        self.pattern: re.Pattern[str] | None = None
        """Rows that do not match are drawn faint."""
        self._look = look
        self._styles: dict[tuple[str, bool], Style] = {}

    def forget_looks(self) -> None:
        """Ask for the styles again: the theme changed."""
        self._styles.clear()

    def placed(self, width: int) -> tuple[Placed, ...]:
        """Return the columns that fit in a line of `width` cells."""
        return layout(self.columns, max(width - GUTTER, 1), is_relative=self.times.is_relative, skip=self.skip)

    def heading(self, width: int) -> Strip:
        """Draw the titles."""
        plain = self._style("heading")
        segments = [Segment(" " * GUTTER, plain)]
        cells = heading(self.placed(width), self.sort.key, is_descending=self.sort.descending)
        for place, (text, is_sorted) in enumerate(cells):
            segments.append(Segment(" " * GAP if place else "", plain))
            segments.append(Segment(text, self._style("sorted") if is_sorted else plain))
        return Strip(segments).adjust_cell_length(width, plain)

    def blank(self, width: int, text: str = "", *, is_cursor: bool = False) -> Strip:
        """Draw a line without a run: a note, or a row that is still to come."""
        return Strip([Segment(fit(" " * GUTTER + text, width), self._style("muted", is_cursor))], width)

    def row(self, run: FlowRun, width: int, *, is_cursor: bool, is_changed: bool, is_guest: bool) -> Strip:
        """Draw a run. The cursor is a `>` and a ground, a change a `Δ`, a mark a `*`: never colour alone."""
        is_faint = self.is_dim or is_guest or not self._is_hit(run)
        base = self._style("faint" if is_faint else "text", is_cursor)
        first = "Δ" if is_changed else ">" if is_cursor else " "
        segments = [
            Segment(first, self._style("changed", is_cursor) if is_changed else base),
            Segment("*" if run.id in self.marks else " ", self._style("mark", is_cursor)),
            Segment(" ", base),
        ]
        rest = ""
        for place, placed in enumerate(self.placed(width)):
            text = (" " * GAP if place else "") + cell(placed, run, self.times)
            if placed.column.name == "state" and not is_faint:
                look = style_name(run.state, category=run.category, is_late=run.late_by(self.times.now) is not None)
                segments += [Segment(rest, base), Segment(text, self._style(look, is_cursor))]
                rest = ""
            else:
                rest += text
        segments.append(Segment(rest, base))
        return Strip([each for each in segments if each.text]).adjust_cell_length(width, base)

    def _is_hit(self, run: FlowRun) -> bool:
        if self.pattern is None:
            return True
        return self.pattern.search(searched_text(run)) is not None

    def _style(self, name: str, is_cursor: bool = False) -> Style:
        style = self._styles.get((name, is_cursor))
        if style is None:
            style = self._look(name)
            if is_cursor:
                colour = style.color if name in _COLOURED and not _is_of_terminal(style) else None
                style = self._look("cursor") + Style(color=colour, bold=style.bold)
            self._styles[name, is_cursor] = style
        return style


def _is_of_terminal(style: Style) -> bool:
    """True for one of the terminal's own colours: what it is, and so what it can be read on, is not known here."""
    return style.color is None or style.color.is_system_defined


def searched_text(run: FlowRun) -> str:
    """Return what a local pattern is matched against."""
    return f"{run.flow_name} / {run.name} {run.state_message or ''}"[:2000]
