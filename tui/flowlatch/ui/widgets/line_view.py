"""Text one line at a time: draws the lines on the screen only, however many there are; a cursor; search.

Subclasses give `length` and `line(row)`. Text in a line must be clean already; styles are the names in `LOOKS`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from flowlatch.ui import keys
from flowlatch.ui.format import STYLE_NAMES
from flowlatch.ui.widgets.pen import pen

Span = tuple[str, str]
"""Clean text and the name of its look; "" is plain."""
LOOKS = {
    **{name: f"$state-{name}" for name in STYLE_NAMES},
    "muted": "$muted",
    "faint": "$faint",
    "accent": "$accent",
    "strong": "bold",
    "bad": "$bad-text on $bad",
    "hit": "$mark bold underline",
    "hit-here": "$mark bold reverse",
    "cursor": "$cursor-text on $cursor",
    "cursor-away": "on $panel",
}
"""Name of a look and its style."""
SHIFT = 8
"""Cells that one press of left or right moves a line that is too long."""
CACHED_STRIPS = 2_000


class LineView(ScrollView, can_focus=True):
    """Lines under a cursor. It shows what it is given and says where the operator goes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.MOVES,
        keys.COLUMN_LEFT,
        keys.COLUMN_RIGHT,
        replace(keys.SEARCH, show=False),
        keys.NEXT_HIT,
        keys.PREVIOUS_HIT,
    ]
    DEFAULT_CSS = """
    LineView {
        width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        background: $background; color: $foreground;
        scrollbar-color: $rule; scrollbar-color-hover: $muted; scrollbar-color-active: $muted;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """

    has_cursor: ClassVar[bool] = True
    empty_text = ""
    """What stands there when there is no line."""

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        view: LineView
        row: int

        @property
        def control(self) -> LineView:
            """The view that says so."""
            return self.view

        def can_replace(self, message: Message) -> bool:
            """Only where the cursor is now matters."""
            return isinstance(message, LineView.Moved) and message.view is self.view

    @dataclass
    class SearchAsked(Message):
        """The operator wants to type what to look for."""

        view: LineView

    @dataclass
    class SearchMoved(Message):
        """The search stands on another hit, or has other hits."""

        view: LineView

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self.shift = 0
        self.needle = ""
        """What is searched for; empty while no search is open."""
        self.hits: list[int] = []
        """Rows that hold it, in order."""
        self._strips: dict[tuple[int, bool], Strip] = {}
        self._looks: dict[str, Style] = {}

    # What a subclass gives

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of rows."""

    @abstractmethod
    def line(self, row: int) -> Sequence[Span]:
        """Return what stands in a row, clean."""

    def plain(self, row: int) -> str:
        """Return a row's text, for search and copy."""
        return "".join(text for text, _ in self.line(row))

    @property
    def cells(self) -> int:
        """Width there is for a line: the last cell stays free, so that no text touches what is beside it."""
        return max(self.scrollable_content_region.width - 1, 1)

    # Drawing

    def lines_changed(self, *, keep_strips: bool = False) -> None:
        """Draw anew: the rows are other ones. The cursor stays on its row as far as that exists."""
        if not keep_strips:
            self._strips.clear()
        self.cursor = max(0, min(self.cursor, self.length - 1))
        self.virtual_size = Size(max(self.size.width - 1, 0), self.length)
        if self.needle:
            self.hits = self.find(self.needle)
            self.post_message(self.SearchMoved(self))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        row, width = round(self.scroll_y) + y, self.scrollable_content_region.width
        if row >= self.length:
            text = self.empty_text if row == 0 else ""
            return Strip([Segment(text, self._look("muted"))]).adjust_cell_length(width, self.rich_style)
        is_cursor = self.has_cursor and row == self.cursor
        strip = self._strips.get((row, is_cursor))
        if strip is None:
            if len(self._strips) > CACHED_STRIPS:
                self._strips.clear()
            strip = self._strips[(row, is_cursor)] = self._drawn(row, is_cursor)
        ground = self._cursor_look() if is_cursor else self.rich_style
        room = self.cells
        if strip.cell_length > self.shift + room > 1:
            cut = strip.crop(self.shift, self.shift + room - 1)
            more = Segment("…", self._look("muted") + Style(bgcolor=ground.bgcolor))
            return Strip([*cut, more]).extend_cell_length(width, ground)
        return strip.crop_extend(self.shift, self.shift + width, ground)

    def _drawn(self, row: int, is_cursor: bool) -> Strip:
        spans = list(self.line(row))
        if self.needle:
            spans = marked(spans, self.needle, "hit-here" if row == self.cursor else "hit")
        if not is_cursor:
            return Strip([Segment(text, self._look(name)) for text, name in spans])
        ground = self._cursor_look()
        if self.app.current_theme.ansi:
            return Strip([Segment(text, ground) for text, _ in spans])
        back = Style(bgcolor=ground.bgcolor)
        return Strip([Segment(text, (self._look(name) + back) if name else ground) for text, name in spans])

    def _cursor_look(self) -> Style:
        return self._look("cursor" if self.has_focus else "cursor-away")

    def _look(self, name: str) -> Style:
        if not name:
            return self.rich_style
        if name not in self._looks:
            self._looks[name] = pen(self, LOOKS[name])
        return self._looks[name]

    def notify_style_update(self) -> None:
        """Look the colours up again: the theme changed, or the focus."""
        self._strips.clear()
        self._looks.clear()
        super().notify_style_update()

    def on_focus(self) -> None:
        """Draw the cursor as the one that moves."""
        self._strips.clear()
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor as one that waits."""
        self._strips.clear()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new size and keep the cursor on the screen."""
        self.lines_changed()
        self.call_after_refresh(self.show_cursor)

    # Where the operator goes

    def go_to(self, row: int) -> None:
        """Put the cursor on a row and bring it onto the screen."""
        row = max(0, min(row, self.length - 1))
        old, self.cursor = self.cursor, row
        self.show_cursor()
        if old != row:
            for each in (old, row):
                self._strips.pop((each, True), None)
                self._strips.pop((each, False), None)
            self.refresh_line(old)
            self.refresh_line(row)
            moved = self.Moved(self, row)
            moved.set_sender(self)  # a parent that moves the cursor, as a search does, would keep the news to itself
            self.post_message(moved)

    def show_cursor(self) -> None:
        """Scroll so that the cursor is on the screen."""
        top, height = round(self.scroll_y), max(self.size.height, 1)
        self.go_to_top(max(min(top, self.cursor), self.cursor - height + 1))

    def go_to_top(self, top: int) -> None:
        """Scroll so that this row is the first on the screen."""
        top = max(0, min(top, self.length - self.size.height))
        if top != round(self.scroll_y):
            self.scroll_to(y=top, animate=False, force=True, immediate=True)

    def action_cursor_down(self) -> None:
        """Next row."""
        self.go_to(self.cursor + 1)

    def action_cursor_up(self) -> None:
        """Previous row."""
        self.go_to(self.cursor - 1)

    def action_top(self) -> None:
        """First row."""
        self.go_to(0)

    def action_bottom(self) -> None:
        """Last row."""
        self.go_to(self.length - 1)

    def action_half_page_down(self) -> None:
        """Half a page down."""
        self.go_to(self.cursor + max(self.size.height // 2, 1))

    def action_half_page_up(self) -> None:
        """Half a page up."""
        self.go_to(self.cursor - max(self.size.height // 2, 1))

    def action_page_down(self) -> None:
        """A page down."""
        self.go_to(self.cursor + max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        """A page up."""
        self.go_to(self.cursor - max(self.size.height - 1, 1))

    def action_column_right(self) -> None:
        """Show what is right of the edge."""
        self._shift_to(self.shift + SHIFT)

    def action_column_left(self) -> None:
        """Go back to the start of the lines."""
        self._shift_to(self.shift - SHIFT)

    def _shift_to(self, shift: int) -> None:
        shown = range(round(self.scroll_y), min(round(self.scroll_y) + self.size.height, self.length))
        longest = max((sum(map(len, (text for text, _ in self.line(row)))) for row in shown), default=0)
        shift = max(0, min(shift, longest - SHIFT))
        if shift != self.shift:
            self.shift = shift
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click goes to a row."""
        row = round(self.scroll_y) + event.y - self.gutter.top
        if row < self.length:
            self.go_to(row)

    # Search

    def find(self, needle: str) -> list[int]:
        """Return the rows that hold `needle`, whatever the case."""
        wanted = needle.casefold()
        return [row for row in range(self.length) if wanted in self.plain(row).casefold()]

    def search(self, needle: str) -> None:
        """Look for a text and go to its first hit from here on; empty ends the search."""
        self.needle = needle
        self.hits = self.find(needle) if needle else []
        self._strips.clear()
        self.refresh()
        if self.hits and self.cursor not in self.hits:
            self._go_to_hit(next((row for row in self.hits if row >= self.cursor), self.hits[0]))
        self.post_message(self.SearchMoved(self))

    def hit_number(self) -> int:
        """Return which hit the cursor is on, counted from 1; 0 when on none."""
        return self.hits.index(self.cursor) + 1 if self.cursor in self.hits else 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Next and previous hit are keys only while a search is open: n and N mean something else then."""
        if action in ("next_hit", "previous_hit"):
            return bool(self.needle)
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Ask for a text to look for."""
        self.post_message(self.SearchAsked(self))

    def action_next_hit(self) -> None:
        """Go to the next hit; behind the last one, to the first."""
        if self.hits:
            self._go_to_hit(next((row for row in self.hits if row > self.cursor), self.hits[0]))

    def action_previous_hit(self) -> None:
        """Go to the hit before this one; before the first, to the last."""
        if self.hits:
            self._go_to_hit(next((row for row in reversed(self.hits) if row < self.cursor), self.hits[-1]))

    def _go_to_hit(self, row: int) -> None:
        self.go_to(row)
        self.post_message(self.SearchMoved(self))


def marked(spans: Sequence[Span], needle: str, look: str) -> list[Span]:
    """Return the spans with each place of `needle` in the look of a hit; a hit may cross spans."""
    text = "".join(part for part, _ in spans)
    folded, wanted = text.casefold(), needle.casefold()
    if len(folded) != len(text) or not wanted:
        return list(spans)
    places: list[tuple[int, int]] = []
    at = folded.find(wanted)
    while at >= 0:
        places.append((at, at + len(wanted)))
        at = folded.find(wanted, at + len(wanted))
    found: list[Span] = []
    begin = 0
    for part, name in spans:
        end, here = begin + len(part), begin
        for first, last in places:
            first, last = max(first, begin), min(last, end)
            if first < last:
                found += [(text[here:first], name), (text[first:last], look)]
                here = last
        found.append((text[here:end], name))
        begin = end
    return [span for span in found if span[0]]
