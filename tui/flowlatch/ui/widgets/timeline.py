"""The states of a run as one bar over time, with the words and the times below (ux.md row 20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content
from textual.widget import Widget

from flowlatch.model.state import Category, State, StateType, category_of
from flowlatch.text import one_line
from flowlatch.ui.format import glyph, style_name

FILL = {Category.PENDING: "░", Category.SCHEDULED: "░", Category.RUNNING: "▓", Category.META: "▒"}
"""How long a state lasted is drawn in these; a state that ends a run is drawn in its glyph."""
WORD_CELLS = 14


@dataclass(frozen=True)
class Stretch:
    """One state over time."""

    state: str
    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return max((self.end - self.begin).total_seconds(), 0.0)


def stretches(history: Sequence[State], now: datetime) -> list[Stretch]:
    """Return the states in order, each until the next; the last one until `now`, or for no time when it ended the run.

    States without a time are left out; a time before its predecessor's is taken as that one's.
    """
    timed = [state for state in history if state.timestamp is not None]
    found: list[Stretch] = []
    for index, state in enumerate(timed):
        begin = state.timestamp
        assert begin is not None
        if found:
            begin = max(begin, found[-1].begin)
        end = begin if state.is_finished else now
        if index + 1 < len(timed):
            end = timed[index + 1].timestamp or begin
        found.append(Stretch(state.name, begin, max(end, begin)))
    return found


@dataclass(frozen=True)
class Placed:
    """A stretch on the bar: its first column, its word (may be empty) and its cells of fill."""

    stretch: Stretch
    column: int
    word: str
    cells: int


def placed(parts: Sequence[Stretch], width: int) -> list[Placed]:
    """Return where each stretch stands in `width` cells: its word, then cells in proportion to how long it lasted.

    Every stretch has at least one cell. Words are left out when they would take more than half of the width; when even
    one cell for each is too much, the oldest ones are left out.
    """
    parts = list(parts[-max(width // 2, 1) :])
    if not parts or width <= 0:
        return []
    words = [one_line(part.state, WORD_CELLS) for part in parts]
    if sum(len(word) + 2 for word in words) > width * 2 // 3:
        words = [""] * len(parts)
    fixed = sum(len(word) + 1 if word else 0 for word in words) + len(parts) - 1 + len(parts)
    room = max(width - fixed, 0)
    total = sum(part.seconds for part in parts)
    found: list[Placed] = []
    column, spent, passed = 0, 0, 0.0
    for part, word in zip(parts, words, strict=True):
        passed += part.seconds
        until = round(room * passed / total) if total else 0
        cells, spent = 1 + until - spent, until
        found.append(Placed(part, column, word, cells))
        column += (len(word) + 1 if word else 0) + cells + 1
    return found


class Timeline(Widget):
    """Two lines: the bar, and when each state began."""

    DEFAULT_CSS = """
    Timeline { height: 2; width: 1fr; padding: 0 1; color: $muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._parts: list[Stretch] = []
        self._written: Callable[[datetime], str] = lambda moment: f"{moment:%H:%M:%S}"

    def show(self, history: Sequence[State], now: datetime, written: Callable[[datetime], str]) -> None:
        """Show a history (oldest first) until `now`. `written` says how a time is written, short."""
        parts = stretches(history, now)
        if parts != self._parts or written is not self._written:
            self._parts, self._written = parts, written
            self.refresh()

    @property
    def plain(self) -> str:
        """Both lines, for tests."""
        return self.render().plain

    def render(self) -> Content:
        """Draw the bar and the times."""
        width = self.content_size.width
        bar: list[Content | tuple[str, str] | str] = []
        places = placed(self._parts, width)
        for index, place in enumerate(places):
            name = place.stretch.state
            look = f"$state-{style_name(name)}"
            if index:
                bar.append(" ")
            if place.word:
                bar.append((place.word + " ", look))
            fill = FILL.get(category_of(name), glyph(name))
            is_end = category_of(name) not in FILL and name != StateType.CLIENT_FAILED
            bar.append(((glyph(name) + "─" * (place.cells - 1)) if is_end else fill * place.cells, look))
        return Content.assemble(*bar).truncate(width) + Content("\n") + Content(self._times(places, width))

    def _times(self, places: Sequence[Placed], width: int) -> str:
        """Return when each state began, below its place, as far as there is room."""
        line = ""
        before = ""
        for place in places:
            text = self._written(place.stretch.begin)
            if text == before or (line and place.column < len(line) + 1):
                continue
            if place.column + len(text) > width:
                if len(line) + 1 > width - len(text) or place is not places[-1]:
                    continue
                line = line.ljust(width - len(text)) + text
                break
            line = line.ljust(place.column) + text
            before = text
        return line
