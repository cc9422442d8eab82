"""A labelled row of a form with its own problem line, and the one-line text input that all forms use."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive, reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from flowlatch.text import one_line
from flowlatch.ui.widgets.words import show_words

LABEL_CELLS = 11


class LineInput(Input):
    """A one-line input for every key of which the terminal gets no more than the line.

    Its cursor stands still: a blinking one writes twice a second. The length of its text moves nothing around it, so a
    key lays nothing out anew.
    """

    cursor_blink = reactive(False, init=False)
    virtual_size = Reactive(Size(0, 0))


class TextInput(LineInput):
    """A one-line input. A paste gives its first line without control characters, and says when something was lost.

    What was there before is selected on arrival, so that typing replaces it. What was typed here is not: whoever comes
    back to it goes on, and no key takes it away.
    """

    DEFAULT_CSS = """
    TextInput, TextInput:focus { border: none; padding: 0; height: 1; width: 1fr; background: $surface; }
    TextInput:focus { background: $cursor; color: $cursor-text; }
    TextInput:disabled { color: $muted; }
    TextInput > .input--placeholder { color: $faint; }
    """

    @dataclass
    class Dropped(Message):
        """Part of a paste was left out."""

        what: str

    async def _on_key(self, event: events.Key) -> None:
        """Do the input's own keys here, in the order they came.

        Textual looks bindings up by the focus at that moment: in a burst (a slow line), backspace and tab would else
        reach the next field's text.
        """
        if event.is_printable:
            self.select_on_focus = False
        own = [binding for binding in Input.BINDINGS if isinstance(binding, Binding)]
        for binding in own:
            if event.key in binding.key.split(","):
                event.stop()
                event.prevent_default()
                await self.run_action(binding.action)
                return

    def _on_paste(self, event: events.Paste) -> None:
        lines = event.text.splitlines() or [""]
        kept = "".join(char for char in lines[0].expandtabs(1) if char.isprintable())
        if kept:
            self.select_on_focus = False
            start, end = sorted(self.selection)
            self.replace(kept, start, end)
        lost = [
            *(["all but the first line"] if len(lines) > 1 else []),
            *(["control characters"] if kept != lines[0] else []),
        ]
        if lost:
            self.post_message(self.Dropped(" and ".join(lost)))
        event.prevent_default()
        event.stop()


class Field(Vertical):
    """`Label  [ control ]  hint`, and below it the problem while there is one."""

    DEFAULT_CSS = """
    Field { height: auto; width: 1fr; }
    Field > Horizontal { height: auto; width: 1fr; }
    Field > Horizontal > Static { width: 1fr; }
    Field .label { width: 11; height: auto; color: $muted; }
    Field .bracket { width: 2; height: 1; color: $faint; }
    Field .bracket.close { text-align: right; }
    Field .hint { width: auto; max-width: 40%; height: 1; color: $muted; padding: 0 0 0 2; }
    Field .hint.-empty { display: none; }
    Field .problem { height: auto; width: 1fr; padding: 0 0 0 11; color: $error; display: none; }
    Field.-problem .problem { display: block; }
    Field.-problem .bracket { color: $error; }
    """

    def __init__(
        self,
        label: str,
        control: Widget,
        *,
        hint: str = "",
        label_cells: int = LABEL_CELLS,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.control = control
        self.problem = ""
        """One clear line, empty while the field is right."""
        self._label, self._hint, self._label_cells = label, hint, label_cells

    def compose(self) -> ComposeResult:
        """Put label, control and hint side by side, the problem below."""
        is_boxed = isinstance(self.control, Input)
        with Horizontal():
            label = Static(Content(one_line(self._label, 60)), classes="label", markup=False)
            label.styles.width = self._label_cells
            yield label
            if is_boxed:
                yield Static(Content("[ "), classes="bracket", markup=False)
            yield self.control
            if is_boxed:
                yield Static(Content(" ]"), classes="bracket close", markup=False)
            hint = Static(Content(one_line(self._hint)), classes="hint", markup=False)
            hint.set_class(not self._hint, "-empty")
            yield hint
        problem = Static(Content(""), classes="problem", markup=False)
        problem.styles.padding = (0, 0, 0, self._label_cells)
        yield problem

    def show_hint(self, hint: Content | str) -> None:
        """Show words behind the control; empty hides them."""
        self._hint = hint if isinstance(hint, str) else hint.plain
        if self.is_mounted:
            widget = self.query_one(".hint", Static)
            show_words(widget, Content(one_line(hint)) if isinstance(hint, str) else hint)
            widget.set_class(not self._hint, "-empty")

    def show_problem(self, problem: str) -> None:
        """Show what is wrong with this field; empty when it is right."""
        if problem == self.problem:
            return
        self.problem = problem
        show_words(self.query_one(".problem", Static), Content(f"x {one_line(problem)}" if problem else ""))
        self.set_class(bool(problem), "-problem")
