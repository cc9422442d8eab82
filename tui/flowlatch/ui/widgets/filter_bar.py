"""The filter line: what is shown, always visible; while typing, what could come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from flowlatch.model.completion import Completion, complete_filter
from flowlatch.text import one_line
from flowlatch.ui.widgets.field import LineInput
from flowlatch.ui.widgets.words import show_words

PLACEHOLDER = "state:failed since:2h flow:etl* label:prod, or any text"


class FilterInput(LineInput):
    """The text field of the filter; says when the operator leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=True),
        Binding("escape", "leave", "Drop", show=True),
    ]

    class Left(Message):
        """The operator pressed escape: the filter shall be as before."""

    class CompletionWanted(Message):
        """The operator pressed tab."""

    def action_leave(self) -> None:
        """Give up."""
        self.post_message(self.Left())

    def action_complete(self) -> None:
        """Take the first completion, or the next one."""
        self.post_message(self.CompletionWanted())


class FilterBar(Vertical):
    """One line with the filter and what it found; a second one with completions or problems when there are any."""

    DEFAULT_CSS = """
    FilterBar { height: auto; max-height: 2; width: 1fr; background: $background; }
    FilterBar > Horizontal { height: 1; width: 1fr; padding: 0 1; }
    FilterBar #slash { width: 2; color: $muted; }
    FilterBar #summary { width: auto; color: $muted; padding: 0 0 0 2; }
    FilterBar FilterInput {
        height: 1; width: 1fr; border: none; padding: 0; background: $background; color: $foreground;
    }
    FilterBar FilterInput:focus { background: $panel; border: none; }
    FilterBar #hint { height: 1; padding: 0 3; color: $muted; display: none; }
    FilterBar #hint.-shown { display: block; }
    FilterBar #hint.-problem { color: $state-late; }
    """

    @dataclass
    class Typed(Message):
        """The text is another one now; the operator is still typing."""

        text: str

        def can_replace(self, message: Message) -> bool:
            """Only the newest text matters."""
            return isinstance(message, FilterBar.Typed)

    @dataclass
    class Accepted(Message):
        """The operator pressed enter."""

        text: str

    @dataclass
    class Dropped(Message):
        """The operator left the prompt; `text` is what was there before."""

        text: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.flows: Sequence[str] = ()
        """Names of flows, for completion."""
        self.labels: Sequence[str] = ()
        self._before = ""
        self._problem = ""
        self._complaint = ""
        self._offers: list[Completion] = []
        self._offer = -1
        self._own_text: str | None = None

    def compose(self) -> ComposeResult:
        """Put slash, text and summary on a line, the hint below."""
        with Horizontal():
            yield Static("/ ", id="slash", markup=False)
            field = FilterInput(placeholder="", id="filter-text", compact=True, max_length=2000)
            field.can_focus = False
            yield field
            yield Static("", id="summary", markup=False)
        yield Static("", id="hint", markup=False)

    @property
    def field(self) -> FilterInput:
        """The text field."""
        return self.query_one(FilterInput)

    @property
    def is_open(self) -> bool:
        """True while the operator is typing."""
        return self.field.has_focus

    def show(self, text: str, summary: Content, problems: Sequence[str]) -> None:
        """Show the filter, what it found, and what is wrong with it; typing is not disturbed."""
        if not self.is_open and self.field.value != text:
            self._own_text = text
            self.field.value = text
        show_words(self.query_one("#summary", Static), summary)
        self._problem = one_line(problems[0], 300) if problems else ""
        self._show_hint()

    def open(self) -> None:
        """Let the operator type."""
        self._before = self.field.value
        self.field.can_focus = True
        self.field.placeholder = PLACEHOLDER
        self.field.focus()
        self.field.cursor_position = len(self.field.value)
        self._complete()

    def complain(self, problem: str) -> None:
        """Open again and say why what was typed is not taken; it stays until it is changed."""
        before = self._before
        self.open()
        self._before = before
        self._complaint = one_line(problem, 300)
        self._offers = []
        self._show_hint()

    def close(self) -> None:
        """Take the field out of reach again."""
        self._complaint = ""
        self.field.placeholder = ""
        self.field.cursor_position = 0  # a filter longer than the line is read from its start
        self.field.can_focus = False
        self._offers = []
        self._show_hint()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the new text, unless it was set from outside."""
        event.stop()
        if event.value == self._own_text:
            self._own_text = None
            return
        self._own_text = None
        self._complaint = ""
        if self.is_open:
            if self._offer < 0:
                self._complete()
            self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the filter."""
        event.stop()
        self.close()
        self.post_message(self.Accepted(event.value))

    def on_filter_input_left(self, event: FilterInput.Left) -> None:
        """Put the filter back as it was."""
        event.stop()
        self._own_text = self._before
        self.field.value = self._before
        self.close()
        self.post_message(self.Dropped(self._before))

    def on_filter_input_completion_wanted(self, event: FilterInput.CompletionWanted) -> None:
        """Take the next completion; the same word goes round while tab is pressed again."""
        event.stop()
        if not self._offers:
            return
        self._offer = (self._offer + 1) % len(self._offers)
        offer = self._offers[self._offer]
        self.field.value = offer.text
        self.field.cursor_position = offer.cursor
        if len(self._offers) == 1:
            self._offer = -1
            self.call_after_refresh(self._complete)
        self._show_hint()

    def on_key(self) -> None:
        """Any other key ends going round."""
        self._offer = -1

    def _complete(self) -> None:
        self._offer = -1
        text, cursor = self.field.value, self.field.cursor_position
        self._offers = complete_filter(text, cursor, flows=self.flows, labels=self.labels)
        self._show_hint()

    def _show_hint(self) -> None:
        hint = self.query_one("#hint", Static)
        problem = self._complaint or self._problem
        is_problem = bool(problem) and not self._offers
        if self.is_open and self._offers:
            parts: list[Content | str] = [Content.styled("tab ", "$accent")]
            for index, offer in enumerate(self._offers):
                style = "$foreground bold reverse" if index == self._offer else "$foreground"
                parts += [Content.styled(one_line(offer.word, 40), style), "  "]
            show_words(hint, Content.assemble(*parts))
        else:
            show_words(hint, Content(problem))
        is_shown = bool(self.is_open and self._offers) or bool(problem)
        hint.update_classes({"-shown": is_shown, "-problem": is_problem})
