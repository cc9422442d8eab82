"""The runs around one run, in groups: what made it, what it made, what was made from it, the rest of its flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import BindingType
from textual.message import Message

from flowlatch.model.run import FlowRun, RunId
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import fit, state_label, style_name
from flowlatch.ui.widgets.line_view import LineView, Span

HEADING_CELLS = 11
STATE_CELLS = 12
LEAST_NAME_CELLS = 14


@dataclass(frozen=True)
class RelatedRow:
    """One line: a run, or words where there is none. `heading` stands in the first line of a group."""

    heading: str
    run: FlowRun | None = None
    title: str = ""
    """What the run is called here: with its flow where that is another one. Foreign."""
    note: str = ""
    """Behind the run's name, or the words where there is no run. Foreign."""
    is_late: bool = False
    opens_flow: bool = False
    """True for the line that leads to the list of all runs of the flow."""


class RelatedView(LineView):
    """Runs under a cursor; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.OPEN]
    empty_text = "looking for them …"

    @dataclass
    class Chosen(Message):
        """A run was chosen; None: all runs of the flow."""

        run_id: RunId | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[RelatedRow] = []
        self._whens: list[str] = []

    def show(self, rows: Sequence[RelatedRow], written: Callable[[datetime | None], str]) -> None:
        """Show these; the cursor stays on its run, and begins on the first one."""
        here = self.rows[self.cursor].run if self.cursor < len(self.rows) else None
        is_first = not self.rows
        self.rows = list(rows)
        self._whens = [written(row.run.due_at() or row.run.created) if row.run else "" for row in rows]
        if is_first:
            self.cursor = next((place for place, row in enumerate(rows) if row.run), 0)
        elif here is not None:
            same = (place for place, row in enumerate(rows) if row.run and row.run.id == here.id)
            self.cursor = next(same, self.cursor)
        self.lines_changed()

    @property
    def length(self) -> int:
        """Number of lines."""
        return len(self.rows)

    def line(self, row: int) -> Sequence[Span]:
        """Return heading, state, flow and name, when, and the message."""
        shown = self.rows[row]
        heading: Span = (f" {fit(shown.heading, HEADING_CELLS)} ", "muted")
        if shown.run is None:
            return [heading, (one_line(shown.note, 200), "accent" if shown.opens_flow else "muted")]
        run, look = shown.run, style_name(shown.run.state, is_late=shown.is_late)
        when = max(map(len, self._whens))
        room = self.cells - HEADING_CELLS - STATE_CELLS - when - 6
        longest = max(cell_len(one_line(each.title, 120)) for each in self.rows)
        title = fit(one_line(shown.title, 120), max(min(longest, room * 2 // 3), LEAST_NAME_CELLS))
        message = " · ".join(one_line(text, 200) for text in (shown.note, run.state_message) if text)
        return [
            heading,
            (fit(state_label(run.state, category=run.category, is_late=shown.is_late), STATE_CELLS), look),
            (f" {title}", ""),
            (f" {fit(self._whens[row], when, right=True)}  {message}", "muted"),
        ]

    def action_open_run(self) -> None:
        """Open the run under the cursor, or the list of all runs of the flow."""
        if self.cursor < len(self.rows):
            row = self.rows[self.cursor]
            if row.run is not None or row.opens_flow:
                self.post_message(self.Chosen(row.run.id if row.run else None))
