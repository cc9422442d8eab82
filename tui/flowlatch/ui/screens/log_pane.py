"""The log of a run with its head line: what is followed, which level, how many lines, whose clock."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from flowlatch.live.detail import Part, RunDetail
from flowlatch.ui.format import duration
from flowlatch.ui.screens.times import Clock, Times
from flowlatch.ui.widgets.log_view import LEVEL_STEPS, LogView
from flowlatch.ui.widgets.text_pane import TextPane
from flowlatch.ui.widgets.words import show_words

OLD_S = 10.0
"""From this age on the head says when the log was last looked at."""


class LogPane(Vertical):
    """Shows the log that a `RunDetail` holds."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    LogPane { width: 1fr; height: 1fr; }
    LogPane > #log-head { height: 1; color: $muted; padding: 0 1; }
    """

    class OlderWanted(Message):
        """Lines from before the first one are wanted."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = LogView(id="log")
        self._written: Clock | None = None
        self._head = ""

    def compose(self) -> ComposeResult:
        """Put the head over the log."""
        yield Static(id="log-head", markup=False)
        yield TextPane(self.view)

    def show(self, detail: RunDetail, times: Times) -> None:
        """Show what is held now."""
        clock = times.clock
        is_new = clock != self._written
        self._written = clock
        is_read = Part.LOGS in detail.loaded_at
        self.view.empty_text = f" {'no log lines' if is_read else detail.problems.get(Part.LOGS, 'loading …')}"
        self.view.show(detail.tail.lines, clock if is_new else None)
        self.show_head(detail, times)

    def show_head(self, detail: RunDetail, times: Times) -> None:
        """Say what is shown."""
        settings, tail = self.view.settings, detail.tail
        parts = ["logs", "follow" if settings.follow and detail.is_moving else "end" if settings.follow else "held"]
        parts.append("all levels" if settings.level == LEVEL_STEPS[0] else f"{settings.level} and up")
        if settings.wrap:
            parts.append("wrapped")
        if len(tail):
            more = "" if tail.is_whole else "newest " if not tail.dropped else "newest kept "
            parts.append(f"{more}{len(tail):,} lines")
        parts.append(f"times {times.offset}")
        age = detail.age_s(Part.LOGS)
        if age is not None and age >= OLD_S and detail.is_moving:
            parts.append(f"looked {duration(age)} ago")
        if Part.LOGS in detail.problems:
            parts.append(detail.problems[Part.LOGS])
        head = " · ".join(parts)
        if head != self._head:
            self._head = head
            show_words(self.query_one("#log-head", Static), Content(head))

    def on_log_view_older_wanted(self, message: LogView.OlderWanted) -> None:
        """Pass it on: the pane reads nothing."""
        message.stop()
        self.post_message(self.OlderWanted())
