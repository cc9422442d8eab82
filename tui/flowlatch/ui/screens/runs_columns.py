"""Chooses the columns of the list and their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.live.session import Session
from flowlatch.ui.screens.options import KEY_STYLE, OptionsModal
from flowlatch.ui.widgets.columns import COLUMNS, DEFAULT_COLUMNS

NOTE = "space on or off · J K move · d default · enter takes it"
FIXED = ("state", "run")
"""Always shown: what a run is cannot be hidden."""


class ColumnsScreen(OptionsModal[tuple[str, ...]]):
    """Returns the names of the columns in order, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_column", "Show or hide"),
        Binding("J,shift+down", "move(1)", "Move down"),
        Binding("K,shift+up", "move(-1)", "Move up"),
        Binding("d", "default", "Default"),
    ]
    DEFAULT_CSS = """
    ColumnsScreen > #box { width: 60; }
    """

    def __init__(self, session: Session, shown: Sequence[str]) -> None:
        super().__init__(session)
        self._shown = list(shown)
        self._order = [*shown, *(name for name in COLUMNS if name not in shown)]

    def body(self) -> ComposeResult:
        """List all columns, the shown ones first."""
        yield OptionList(markup=False)
        yield Static(NOTE, id="note", markup=False)

    def on_mount(self) -> None:
        """Name the box and fill it."""
        self.query_one("#box").border_title = Content("Columns")
        self._fill(0)
        self.options.focus()

    def _fill(self, highlighted: int) -> None:
        options = self.options
        options.clear_options()
        for name in self._order:
            mark = "[x]" if name in self._shown else "[ ]"
            note = "   always shown" if name in FIXED else ""
            options.add_option(
                Option(Content.assemble((f"{mark} ", KEY_STYLE), COLUMNS[name].title.ljust(12), (note, "$muted")), name)
            )
        options.highlighted = max(0, min(highlighted, len(self._order) - 1))

    def _here(self) -> int:
        return self.options.highlighted or 0

    def action_toggle_column(self) -> None:
        """Show or hide the column under the cursor."""
        name = self._order[self._here()]
        if name in self._shown and name not in FIXED:
            self._shown.remove(name)
        elif name not in self._shown:
            self._shown.append(name)
        self._fill(self._here())

    def action_move(self, step: int) -> None:
        """Move the column under the cursor; the fixed ones stay first."""
        here = self._here()
        there = here + step
        if self._order[here] in FIXED or not len(FIXED) <= there < len(self._order):
            return
        self._order[here], self._order[there] = self._order[there], self._order[here]
        self._fill(there)

    def action_default(self) -> None:
        """Go back to the default columns."""
        self._shown = list(DEFAULT_COLUMNS)
        self._order = [*DEFAULT_COLUMNS, *(name for name in COLUMNS if name not in DEFAULT_COLUMNS)]
        self._fill(0)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take them."""
        self.dismiss(tuple(name for name in self._order if name in self._shown))
