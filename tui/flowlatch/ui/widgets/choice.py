"""One of several, all in sight: `( ) Success  (•) Failed  ( ) Cancelled`, wrapped over as many lines as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from flowlatch.text import one_line

GAP = 2
DEFAULT = ""
"""Value of an option that stands for leaving it open."""


@dataclass(frozen=True)
class Option:
    """A value and how it is written; `style` may be a theme variable such as `$state-failed`."""

    value: str
    label: str
    style: str = ""


@dataclass(frozen=True)
class _Place:
    """Where an option is drawn."""

    index: int
    line: int
    column: int
    width: int


class Choice(Widget, can_focus=True):
    """A row of radio buttons. The arrow keys move the choice; `groups` start lines of their own, behind a word."""

    DEFAULT_CSS = """
    Choice { height: auto; width: 1fr; }
    Choice:focus { background: $cursor; color: $cursor-text; }
    """
    KEYS: ClassVar[Sequence[tuple[Sequence[str], str]]] = (
        (("left", "right", "up", "down"), "Choose another"),
        (("space", "enter"), "Open what is behind it, if anything"),
    )
    """What `on_key` does, for the help: keys, sentence."""
    value: reactive[str] = reactive("", init=False)
    """The chosen option's value; empty while none is chosen."""

    @dataclass
    class Changed(Message):
        """The user chose another option."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """The choice, so that `@on` can name it."""
            return self.choice

    @dataclass
    class Entered(Message):
        """Enter, space or a click on the option that is chosen already: open what is behind it, if anything."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """The choice, so that `@on` can name it."""
            return self.choice

    def __init__(
        self,
        options: Sequence[Option | tuple[str, Sequence[Option]]],
        *,
        value: str = "",
        name: str | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id)
        self._set(options)
        self.set_reactive(Choice.value, value)

    def _set(self, options: Sequence[Option | tuple[str, Sequence[Option]]]) -> None:
        self._groups: list[tuple[str, list[Option]]] = []
        for item in options:
            if isinstance(item, Option):
                if not self._groups or self._groups[-1][0]:
                    self._groups.append(("", []))
                self._groups[-1][1].append(item)
            else:
                self._groups.append((item[0], list(item[1])))

    def set_options(self, options: Sequence[Option | tuple[str, Sequence[Option]]]) -> None:
        """Offer these instead; the value stays when it is among them."""
        self._set(options)
        self.refresh(layout=True)

    def on_key(self, event: events.Key) -> None:
        """Move the choice. Not by bindings: those are looked up by the focus, which in a burst has moved on already."""
        match event.key:
            case "right" | "down":
                self.step(1)
            case "left" | "up":
                self.step(-1)
            case "space" | "enter":
                self.enter()
            case _:
                return
        event.stop()
        event.prevent_default()

    @property
    def options(self) -> list[Option]:
        """All options in order."""
        return [option for _, options in self._groups for option in options]

    @property
    def plain(self) -> str:
        """What it says, for tests."""
        return self._content(200).plain

    def step(self, step: int) -> None:
        """Choose the next or the previous option; the ends hold."""
        values = [option.value for option in self.options]
        if not values:
            return
        place = values.index(self.value) + step if self.value in values else (0 if step > 0 else len(values) - 1)
        place = min(max(place, 0), len(values) - 1)
        if values[place] != self.value:
            self._choose(values[place])

    def enter(self) -> None:
        """Choose the first option if there is none yet, else say that this one was entered."""
        if self.value or DEFAULT in [option.value for option in self.options]:
            self.post_message(self.Entered(self, self.value))
        else:
            self.step(1)

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))
        else:
            self.post_message(self.Entered(self, value))

    def _places(self, width: int) -> tuple[list[_Place], list[tuple[int, str]]]:
        """Return where each option goes, and the words before groups with their lines."""
        indent = max((cell_len(word) + GAP for word, _ in self._groups if word), default=0)
        places: list[_Place] = []
        words: list[tuple[int, str]] = []
        line = index = 0
        for number, (word, options) in enumerate(self._groups):
            line += 1 if number else 0
            if word:
                words.append((line, word))
            column = indent
            for option in options:
                cells = 4 + cell_len(one_line(option.label, 60))
                if column > indent and column + cells > width:
                    line, column = line + 1, indent
                places.append(_Place(index, line, column, cells))
                column += cells + GAP
                index += 1
        return places, words

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines that the options take."""
        places, _ = self._places(width)
        return places[-1].line + 1 if places else 1

    def render(self) -> Content:
        """Write the options."""
        return self._content(self.content_size.width)

    def _content(self, width: int) -> Content:
        places, words = self._places(width)
        options = self.options
        parts: list[Content | str | tuple[str, str]] = []
        line = column = 0
        starts = dict(words)
        for place in places:
            if place.line > line:
                parts.append("\n" * (place.line - line))
                line, column = place.line, 0
            if column == 0 and line in starts:
                word = starts[line]
                parts.append((word, "$muted"))
                column = cell_len(word)
            parts.append(" " * (place.column - column))
            option = options[place.index]
            is_chosen = option.value == self.value
            style = f"{option.style} bold" if is_chosen and option.style else "bold" if is_chosen else option.style
            parts += ["(•) " if is_chosen else "( ) ", Content.styled(one_line(option.label, 60), style)]
            column = place.column + place.width
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Choose what is under the pointer."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for place in self._places(self.content_size.width)[0]:
            if place.line == offset.y and place.column <= offset.x < place.column + place.width:
                self._choose(self.options[place.index].value)
                return
