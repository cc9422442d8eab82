"""Every state a run has had, newest first: version, when, how long it lasted, state, message, who."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from flowlatch.model.state import State
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui.format import duration, fit, state_label, style_name
from flowlatch.ui.widgets.line_view import LineView, Span

STATE_CELLS = 13
WHO_CELLS = 16
ROOM_FOR_WHO = 70


class HistoryList(LineView):
    """The states of a run under a cursor."""

    nothing: ClassVar[str] = "no states yet"
    """To be said once it is known that there are none."""

    def __init__(self, *, id: str | None = None, limit: int | None = None) -> None:
        super().__init__(id=id)
        self.states: list[State] = []
        """Newest first, as shown."""
        self._gaps: list[float | None] = []
        self._written: Callable[[datetime | None], str] = str
        self._limit = limit
        self._who: Callable[[str | None], str] | None = None

    def show(
        self,
        history: Sequence[State],
        written: Callable[[datetime | None], str],
        *,
        who: Callable[[str | None], str] | None = None,
    ) -> None:
        """Show a history (oldest first). `written` and `who` say how a time and an actor are written."""
        here = self.chosen
        states = list(reversed(history))[: self._limit]
        self._gaps = list(reversed(gaps(history)))[: self._limit]
        self.states, self._written, self._who = states, written, who
        if here is not None and self.cursor != 0:
            self.cursor = next((row for row, s in enumerate(states) if s.version == here.version), self.cursor)
        self.lines_changed()

    @property
    def chosen(self) -> State | None:
        """The state under the cursor."""
        return self.states[self.cursor] if self.cursor < len(self.states) else None

    @property
    def length(self) -> int:
        """Number of states."""
        return len(self.states)

    def line(self, row: int) -> Sequence[Span]:
        """Return version, time, gap, state, message and who."""
        state, gap = self.states[row], self._gaps[row]
        stamp = self._written(state.timestamp)
        version = version_label(state.version) if state.version or row == self.length - 1 else "v?"
        left = f" {fit(version, 4)} {fit(stamp, max(len(stamp), 8))}  {fit(_gap(gap), 7, right=True)}  "
        label = fit(state_label(state.name, category=state.category), STATE_CELLS)
        who = self._who if self.cells >= ROOM_FOR_WHO else None
        room = self.cells - len(left) - STATE_CELLS - 2 - (WHO_CELLS + 2 if who else 0)
        message = fit(one_line(state.message or "", max(room, 1)), max(room, 0))
        spans: list[Span] = [
            (left, "muted"),
            (label, style_name(state.name, category=state.category)),
            ("  ", ""),
            (message, ""),
        ]
        if who:
            spans.append(("  " + fit(one_line(who(state.actor), 60), WHO_CELLS), "muted"))
        return spans

    def plain(self, row: int) -> str:
        """Return a row with its whole message, so that search finds what the line cuts."""
        state = self.states[row]
        return f"{super().plain(row)} {one_line(state.message or '', 20_000)} {one_line(state.actor or '')}"


def gaps(history: Sequence[State]) -> list[float | None]:
    """Return the seconds between each state and the one before it; None for the first and where a time is missing."""
    found: list[float | None] = []
    before: datetime | None = None
    for state in history:
        known = before is not None and state.timestamp is not None
        found.append((state.timestamp - before).total_seconds() if known and before and state.timestamp else None)
        before = state.timestamp
    return found


def _gap(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "<1s" if 0 <= seconds < 1 else f"+{duration(seconds)}"
