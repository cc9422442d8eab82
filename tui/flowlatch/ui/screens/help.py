"""The keys of the screen one came from, read from its bindings, so that they cannot be out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from flowlatch.keymap import DEFAULT_KEYS
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import fit
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.line_view import LineView, Span

KEY_CELLS = 14
SCREEN = "This screen"
UNTOLD = frozenset({"page_left", "page_right", "screen.copy_text"})
"""Actions of the toolkit that do nothing here."""
SENTENCES = {
    "app.focus_next": "Go to the next part of the screen",
    "app.focus_previous": "Go to the part before",
}
"""What the toolkit's own keys do, in our words."""


@dataclass(frozen=True)
class Entry:
    """One line of the help."""

    keys: str
    word: str
    sentence: str
    action: str = ""
    """What `[keys]` calls it; empty for the toolkit's own, which cannot be rebound."""
    is_rebound: bool = False
    is_enabled: bool = True

    @property
    def text(self) -> str:
        """What a search looks at."""
        return f"{self.keys} {self.word} {self.sentence} {self.action}".casefold()


def entries(screen: Screen[Any]) -> dict[str, list[Entry]]:
    """Return what each part of a screen binds, from the focused widget up to the app: heading → lines.

    Every binding with a description is listed, also one that is off now. A key that a nearer part takes away is not
    listed for the farther one; Textual's own bindings without a sentence of ours get their description.
    """
    keymap = screen.app._keymap
    found: dict[str, list[Entry]] = {SCREEN: []}
    taken: set[str] = set()
    for node in _nodes(screen):
        lines: dict[str, Entry] = {}
        free: dict[str, tuple[Binding, list[str]]] = {}
        for key, bindings in keys.rebound(node._bindings, keymap).key_to_bindings.items():
            for binding in bindings:
                name = binding.id or binding.action
                if not binding.description or binding.action in UNTOLD or (key in taken and not _is_off(node, binding)):
                    continue
                free.setdefault(name, (binding, []))[1].append(key)
        for name, (binding, held) in free.items():
            lines[name] = _entry(binding, held, keymap, is_enabled=not _is_off(node, binding))
        taken |= {key for binding, held in free.values() if not _is_off(node, binding) for key in held}
        if lines:
            found.setdefault(heading(node), []).extend(lines.values())
    return {name: lines for name, lines in found.items() if lines}


def _nodes(screen: Screen[Any]) -> Sequence[DOMNode]:
    """Return the focused widget, what it stands in, the screen and the app."""
    focused = screen.focused
    inner: list[DOMNode] = [] if focused is None else [n for n in focused.ancestors_with_self if isinstance(n, Widget)]
    return [*inner, *([] if screen in inner else [screen]), screen.app]


def _is_off(node: DOMNode, binding: Binding) -> bool:
    name, _, _ = binding.action.rpartition(".")[2].partition("(")
    return not node.check_action(name, ())


def _entry(binding: Binding, held: Sequence[str], keymap: Mapping[str, str], *, is_enabled: bool) -> Entry:
    action = binding.id if binding.id and binding.id in DEFAULT_KEYS else ""
    order = keymap.get(action, DEFAULT_KEYS.get(action, "")).split(",")
    in_order = sorted(dict.fromkeys(held), key=lambda key: order.index(key) if key in order else len(order))
    shown = [keys.shown(key) for key in in_order]
    sentence = binding.tooltip or SENTENCES.get(binding.action) or binding.description
    return Entry(" ".join(shown), binding.description, sentence, action, action in keymap, is_enabled)


def heading(node: DOMNode) -> str:
    """Return what a part of the screen is called in the help."""
    if isinstance(node, Screen):
        return SCREEN
    if not isinstance(node, Widget):
        return "Everywhere"
    words = {
        "RunTable": "The list",
        "LogView": "The log",
        "JsonView": "JSON",
        "HistoryList": "The history",
        "TaskView": "The tasks",
        "TextPane": "Search",
        "Input": "Typing",
        "TextInput": "Typing",
        "TextArea": "Typing",
    }
    name = type(node).__name__
    return words.get(name, name)


class HelpList(LineView):
    """Headings and keys."""

    empty_text = "no key says that"
    has_cursor = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str | Entry] = []

    def show(self, parts: Mapping[str, Sequence[Entry]], wanted: str = "") -> None:
        """Show the lines that hold each word of `wanted`, under their headings."""
        words = wanted.casefold().split()
        lines: list[str | Entry] = []
        for name, found in parts.items():
            fitting = [entry for entry in found if all(word in entry.text for word in words)]
            if fitting:
                lines += [*([""] if lines else []), name, *fitting]
        self._lines = lines
        self.lines_changed()

    @property
    def length(self) -> int:
        """Lines in all."""
        return len(self._lines)

    def line(self, row: int) -> Sequence[Span]:
        """Return a heading or a key."""
        line = self._lines[row]
        return [(line, "accent")] if isinstance(line, str) else _line(line, self.scrollable_content_region.width)

    def action_cursor_down(self) -> None:
        """Scroll by one line."""
        self.go_to_top(round(self.scroll_y) + 1)

    def action_cursor_up(self) -> None:
        """Scroll back by one line."""
        self.go_to_top(round(self.scroll_y) - 1)


def _line(entry: Entry, width: int) -> list[Span]:
    """Return key and sentence, and at the right end the action's name where there is room."""
    name = one_line(entry.keys, 40)
    key = f" {fit(name, KEY_CELLS)} " if cell_len(name) <= KEY_CELLS else f" {name}  "
    notes = ("  (your key)" if entry.is_rebound else "") + ("" if entry.is_enabled else "  (not now)")
    look = "strong" if entry.is_enabled else "faint"
    rest = "" if entry.is_enabled else "faint"
    spans = [(key, look), (one_line(entry.sentence), rest), (notes, "muted")]
    gap = width - sum(cell_len(text) for text, _ in spans) - len(entry.action) - 1
    return [*spans, (" " * gap + entry.action, "faint")] if entry.action and gap >= 2 else spans


class HelpScreen(FlowModal[None]):
    """Lists the keys of `screen`; typing narrows the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.CLOSE,
        Binding("question_mark,f1", "close", "Close", show=False),
        Binding("down,ctrl+n", "scroll(1)", "Down", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", "Page down", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen > #box { width: 92%; max-width: 100; height: 90%; }
    HelpScreen #search { height: 1; border: none; padding: 0; background: $panel; }
    HelpScreen #hint { height: 1; color: $muted; }
    HelpScreen HelpList { background: $surface; }
    """

    def __init__(self, session: Session, screen: Screen[Any]) -> None:
        super().__init__(session)
        self.parts = entries(screen)

    def body(self) -> ComposeResult:
        """Search field and list."""
        yield Input(placeholder="type to search: cancel, ctrl+d, state …", compact=True, id="search")
        yield HelpList(id="list")
        yield Static(Content("↑ ↓ scroll   esc closes   [keys] in config.toml changes keys"), id="hint")

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one("#box").border_title = Content("Keys of this screen")
        self.query_one(HelpList).show(self.parts)
        self.query_one("#search", Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Narrow the list."""
        message.stop()
        self.query_one(HelpList).show(self.parts, message.value)

    def action_scroll(self, lines: int) -> None:
        """Scroll the list."""
        view = self.query_one(HelpList)
        view.go_to_top(round(view.scroll_y) + lines)

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
