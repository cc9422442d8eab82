"""What the help says about each key: read from the bindings of the focused part, of what it stands in, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.containers import ScrollableContainer
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, TextArea

from flowlatch.keymap import DEFAULT_KEYS, FORBIDDEN
from flowlatch.ui import keys
from flowlatch.ui.screens.confirm import Answer
from flowlatch.ui.widgets.choice import Choice
from flowlatch.ui.widgets.history_list import HistoryList
from flowlatch.ui.widgets.json_view import JsonView
from flowlatch.ui.widgets.line_view import LineView
from flowlatch.ui.widgets.log_view import LogView
from flowlatch.ui.widgets.picker import Picker
from flowlatch.ui.widgets.run_table import RunTable
from flowlatch.ui.widgets.text_pane import TextPane

SCREEN = "This screen"
SENTENCES = {
    "app.focus_next": "Go to the next part of the screen",
    "app.focus_previous": "Go to the part before",
    "scroll_up": "Scroll up",
    "scroll_down": "Scroll down",
    "scroll_home": "Scroll to the top",
    "scroll_end": "Scroll to the end",
    "page_up": "Scroll up by a page",
    "page_down": "Scroll down by a page",
    "cursor_up": "Up",
    "cursor_down": "Down",
    "first": "First",
    "last": "Last",
    "select": "Take it",
    "press": "Press the button",
}
"""What the toolkit's own keys do, in our words; those that do nothing here have none and are left out."""
TYPING = {
    "cursor_left": "Move left",
    "cursor_right": "Move right",
    "cursor_up": "Move up",
    "cursor_down": "Move down",
    "cursor_left_word": "Move left by a word",
    "cursor_word_left": "Move left by a word",
    "cursor_right_word": "Move right by a word",
    "cursor_word_right": "Move right by a word",
    "home": "Go to the start",
    "cursor_line_start": "Go to the start of the line",
    "end": "Go to the end",
    "cursor_line_end": "Go to the end of the line",
    "cursor_left(True)": "Select to the left",
    "cursor_right(True)": "Select to the right",
    "select_all": "Select all",
    "delete_left": "Delete to the left",
    "delete_right": "Delete to the right",
    "delete_left_word": "Delete the word to the left",
    "delete_word_left": "Delete the word to the left",
    "delete_left_all": "Delete all to the left",
    "delete_to_start_of_line": "Delete all to the left",
    "delete_right_all": "Delete all to the right",
    "delete_to_end_of_line_or_delete_line": "Delete all to the right",
    "cut": "Cut what is selected",
    "paste": "Paste what was cut",
    "redo": "Do again what was undone",
}
"""The same, where text is typed."""
HEADINGS: tuple[tuple[type[Widget], str], ...] = (
    (RunTable, "The list"),
    (LogView, "The log"),
    (JsonView, "JSON"),
    (HistoryList, "The history"),
    (LineView, "The list"),
    (TextPane, "Search"),
    (Choice, "One of several"),
    (Picker, "The choices"),
    (OptionList, "The choices"),
    (Button, "The button"),
    (Input, "Typing"),
    (TextArea, "Typing"),
    (ScrollableContainer, "Scrolling"),
)
"""What a part is called, by the first kind that it is of."""


@dataclass(frozen=True)
class Entry:
    """One line of the help."""

    keys: str
    word: str
    sentence: str
    action: str = ""
    """What `[keys]` calls it; empty for a key that cannot be rebound."""
    is_rebound: bool = False
    is_enabled: bool = True

    @property
    def text(self) -> str:
        """What a search looks at."""
        return f"{self.keys} {self.word} {self.sentence} {self.action}".casefold()


def entries(screen: Screen[Any]) -> dict[str, list[Entry]]:
    """Return what each part of a screen binds, from the focused widget up to the app: heading → lines.

    Every binding of ours with a description is listed, also one that is off now; of the toolkit's own those that have
    a sentence. A key that another part takes first is not listed: a nearer one, or any that takes it before text is.
    """
    keymap = screen.app._keymap
    nodes = _nodes(screen)
    found: dict[str, list[Entry]] = {SCREEN: []}
    first = {key: node for node in nodes for key, binding in _bound(node, keymap) if _is_first(node, binding)}
    taken: set[str] = set()
    for node in nodes:
        lines = [Entry(" ".join(map(keys.shown, held)), "", sentence) for held, sentence in told(node)]
        free: dict[str, tuple[Binding, list[str]]] = {}
        for key, binding in _bound(node, keymap):
            is_gone = first.get(key, node) is not node or (key in taken and not _is_off(node, binding))
            if binding.description and not is_gone and _sentence(node, binding):
                free.setdefault(binding.id or binding.action, (binding, []))[1].append(key)
        lines += [_entry(node, binding, held, keymap) for binding, held in free.values()]
        own = ((key, binding) for key, binding in _bound(node, keymap) if first.get(key, node) is node)
        taken |= {key for key, binding in own if not _is_off(node, binding)}
        taken |= {key for held, _ in told(node) for key in held}
        if lines:
            found.setdefault(heading(node), []).extend(lines)
    return {name: lines for name, lines in found.items() if lines}


def told(node: DOMNode) -> Iterable[tuple[Sequence[str], str]]:
    """Return what a widget does with keys that it does not bind: keys, sentence."""
    return node.KEYS if isinstance(node, Choice | Answer) else ()


def _nodes(screen: Screen[Any]) -> Sequence[DOMNode]:
    """Return the focused widget, what it stands in, the screen and the app."""
    focused = screen.focused
    inner: list[DOMNode] = [] if focused is None else [n for n in focused.ancestors_with_self if isinstance(n, Widget)]
    return [*inner, *([] if screen in inner else [screen]), screen.app]


def _bound(node: DOMNode, keymap: Mapping[str, str]) -> Iterator[tuple[str, Binding]]:
    """Yield what a part binds, without keys that no terminal sends, or that arrive as others."""
    for key, binding in keys.rebound(node._bindings, keymap):
        if key not in FORBIDDEN and not key.startswith("super+"):
            yield key, binding


def _is_first(node: DOMNode, binding: Binding) -> bool:
    return binding.priority and not _is_off(node, binding)


def _is_off(node: DOMNode, binding: Binding) -> bool:
    name, _, _ = binding.action.rpartition(".")[2].partition("(")
    return not node.check_action(name, ())


def _is_toolkits(node: DOMNode, binding: Binding) -> bool:
    kinds = [kind for kind in type(node).__mro__ if kind.__module__.startswith("textual.")]
    return any(binding in Binding.make_bindings(kind.__dict__.get("BINDINGS", [])) for kind in kinds)


def _sentence(node: DOMNode, binding: Binding) -> str:
    """Return what a key does, empty when that is not worth a line."""
    if binding.tooltip:
        return binding.tooltip
    if not _is_toolkits(node, binding):
        return binding.description
    return (TYPING if isinstance(node, Input | TextArea) else SENTENCES).get(binding.action, "")


def _entry(node: DOMNode, binding: Binding, held: Sequence[str], keymap: Mapping[str, str]) -> Entry:
    action = binding.id if binding.id and binding.id in DEFAULT_KEYS else ""
    order = keymap.get(action, DEFAULT_KEYS.get(action, "")).split(",")
    in_order = sorted(dict.fromkeys(held), key=lambda key: order.index(key) if key in order else len(order))
    shown = " ".join(keys.shown(key) for key in in_order)
    is_enabled = not _is_off(node, binding)
    return Entry(shown, binding.description, _sentence(node, binding), action, action in keymap, is_enabled)


def heading(node: DOMNode) -> str:
    """Return what a part of the screen is called in the help."""
    if isinstance(node, Screen):
        return SCREEN
    if not isinstance(node, Widget):
        return "Everywhere"
    return next((words for kind, words in HEADINGS if isinstance(node, kind)), "This part")
