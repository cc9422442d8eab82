"""A JSON value: foldable, searchable, copyable, secrets masked by name until they are revealed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.message import Message

from flowlatch.ui import keys
from flowlatch.ui.widgets import json_tree
from flowlatch.ui.widgets.json_tree import Node, Path
from flowlatch.ui.widgets.line_view import LineView, Span

INDENT = 2


class JsonView(LineView):
    """Lines of JSON under a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        replace(keys.FOLD, show=True),
        keys.FOLD_ALL,
        replace(keys.REVEAL, show=True),
        replace(keys.COPY_VALUE, show=True),
        replace(keys.SEARCH, show=True),
    ]
    empty_text = "nothing"

    @dataclass
    class CopyWanted(Message):
        """The operator wants this value on the clipboard, as JSON text; strings without their quotes."""

        text: str

    class Masked(Message):
        """A copy was asked of a value that is masked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.revealed = False
        self._value: Any = None
        self._has_value = False
        self._folded: set[Path] = set()
        self._shown: list[Node] = []

    def show(self, value: Any) -> None:
        """Show a value; what is folded and where the cursor is stays as it was."""
        if self._has_value and value == self._value:
            return
        self._value, self._has_value = value, True
        self._rebuild()

    def _rebuild(self, here: Path | None = None) -> None:
        """Write the lines anew, with the cursor on the one it was on, or on that of `here`."""
        if here is None and self.cursor < len(self._shown):
            here = self._shown[self.cursor].path
        self._shown = json_tree.nodes(self._value, self._folded, revealed=self.revealed)
        if here is not None:
            self.cursor = next((row for row, node in enumerate(self._shown) if node.path == here), self.cursor)
        self.lines_changed()
        self.show_cursor()

    @property
    def length(self) -> int:
        """Lines that are not folded away."""
        return len(self._shown) if self._has_value else 0

    def line(self, row: int) -> Sequence[Span]:
        """Return one line of JSON."""
        node = self._shown[row]
        spans: list[Span] = [(" " * (1 + INDENT * node.depth), "")]
        if node.name:
            spans += [(node.name, "accent"), (": ", "")]
        spans.append((node.text, node.look))
        if node.end:
            spans.append((node.end, ""))
        if node.note:
            spans.append((f"  {node.note}", "muted"))
        if node.is_masked:
            spans.append((keys.named("  masked, {reveal} shows it", self.app._keymap), "muted"))
        return spans

    def action_fold(self) -> None:
        """Fold or unfold the container under the cursor, or the one around it."""
        path = self._shown[self.cursor].path if self._shown else ()
        if not isinstance(json_tree.at(self._value, path), dict | list):
            path = path[:-1]
        self._folded ^= {path}
        self._rebuild(path)

    def action_fold_all(self) -> None:
        """Fold everything to the first level; when it is, unfold everything."""
        every = json_tree.containers(self._value)
        self._folded = set() if every <= self._folded else every
        self._rebuild()

    def action_reveal(self) -> None:
        """Show what is masked, or mask it again."""
        self.revealed = not self.revealed
        self._rebuild()

    def action_copy_value(self) -> None:
        """Ask for the value under the cursor to be copied."""
        if not self._shown:
            return
        node = self._shown[self.cursor]
        if node.is_masked:
            self.post_message(self.Masked())
            return
        value = json_tree.at(self._value, node.path)
        if not self.revealed and any(each.is_masked for each in json_tree.nodes(value, set())):
            self.post_message(self.Masked())
            return
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        self.post_message(self.CopyWanted(text))
