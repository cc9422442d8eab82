"""The state tabs: how many runs are in which state, and which of them are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from flowlatch.model.query import Count
from flowlatch.ui.format import count

SPACE = 2
MORE = "…"
"""Stands at the right while there are tabs that have no room; their keys work all the same."""
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Tab:
    """One tab: its title, and the `state:` word of the filter it stands for (empty = all)."""

    title: str
    states: str
    look: str = ""
    """Name of the state look its number is drawn in while there are any; empty = plain."""


TABS = (
    Tab("All", ""),
    Tab("Running", "running", "running"),
    Tab("Late", "late", "late"),
    Tab("Failed", "failed", "failed"),
    Tab("Scheduled", "scheduled"),
    Tab("Success", "success"),
    Tab("Cancelled", "cancelled"),
    Tab("Pending", "pending"),
    Tab("Faults", "failed,late"),
)


class StateTabs(Widget):
    """One line of tabs with the server's counts; a small chart at the right where there is room."""

    DEFAULT_CSS = """
    StateTabs { height: 1; width: 1fr; padding: 0 0 0 1; background: $background; color: $muted; }
    """

    @dataclass
    class Chosen(Message):
        """The operator clicked a tab; `number` counts from 1."""

        number: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._counts: dict[str, Count] = {}
        self._active: int | None = None
        self._trend: Sequence[int] = ()

    def show(self, counts: Mapping[str, Count], active: int | None, trend: Sequence[int] = ()) -> None:
        """Show counts by the tab's states, the active tab (from 0, None = the filter is none of them), the chart.

        A chart without a bar is left out: it would take room from the tabs.
        """
        new = (dict(counts), active, list(trend) if any(trend) else [])
        if new != (self._counts, self._active, list(self._trend)):
            self._counts, self._active, self._trend = new
            self.refresh()

    def _labels(self) -> list[tuple[int, str, str]]:
        """Return (index, `4 Failed`, `31`) of each tab."""
        labels = []
        for index, tab in enumerate(TABS):
            counted = self._counts.get(tab.states)
            number = count(counted.value, is_exact=counted.is_exact) if counted else ""
            labels.append((index, f"{index + 1} {tab.title}", number))
        return labels

    @property
    def _cells(self) -> int:
        """The cells of the line up to where the other lines end."""
        return self.content_size.width - 1

    def _room(self) -> int:
        """Return the cells there are for tabs: what the chart leaves, less `MORE` with a space before and behind it."""
        chart = self._chart().cell_length + 1 if self._trend else 0
        return self._cells - chart - len(MORE) - (1 if self._trend else 0)

    def _placed(self) -> list[tuple[int, int, str, str]]:
        """Return (column, index, title, number) of the tabs that fit; the active one always does."""
        width = self._room()
        labels = self._labels()
        chosen: list[tuple[int, str, str]] = []
        while len(chosen) < len(labels) and self._sum([*chosen, labels[len(chosen)]]) <= width:
            chosen.append(labels[len(chosen)])
        if self._active is not None and self._active >= len(chosen):
            while chosen and self._sum([*chosen, labels[self._active]]) > width:
                chosen.pop()
            chosen.append(labels[self._active])
        placed, column = [], 0
        for index, title, number in chosen:
            placed.append((column, index, title, number))
            column += self._sum([(index, title, number)]) + SPACE
        return placed

    @staticmethod
    def _sum(labels: Sequence[tuple[int, str, str]]) -> int:
        return sum(len(title) + (len(number) + 1 if number else 0) for _, title, number in labels) + SPACE * (
            len(labels) - 1
        )

    def _chart(self) -> Content:
        highest = max(self._trend, default=0)
        bars = "".join(
            BARS[min(value * len(BARS) // (highest + 1), len(BARS) - 1)] if value else " " for value in self._trend
        )
        return Content.assemble(("last hour ", "$muted"), (bars, "$accent"))

    @property
    def plain(self) -> str:
        """What the line says, for tests."""
        return self.render().plain

    def render(self) -> Content:
        """Write the tabs; the active one is underlined and bold, also for eyes without colour."""
        parts: list[Content | str] = []
        used = 0
        for column, index, title, number in self._placed():
            parts.append(" " * (column - used))
            is_active = index == self._active
            look = TABS[index].look
            has_any = number not in ("", "0")
            parts.append(Content.styled(title, "$foreground bold underline" if is_active else "$muted"))
            if number:
                style = f"$state-{look} bold" if look and has_any else "$foreground"
                parts += [" ", Content.styled(number, style)]
            used = column + len(title) + (len(number) + 1 if number else 0)
        if len(self._placed()) < len(TABS):
            parts.append(Content.styled(f" {MORE}", "$muted"))
            used += 2
        if self._trend:
            chart = self._chart()
            parts += [" " * max(self._cells - used - chart.cell_length, 0), chart]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        x = event.x - self.gutter.left
        for column, index, title, number in self._placed():
            if column <= x < column + len(title) + len(number) + 1:
                self.post_message(self.Chosen(index + 1))
