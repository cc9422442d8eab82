"""What was done from here: when, where, before and after, and what became of it."""

from __future__ import annotations

import asyncio

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from flowlatch.live.journal import Entry, Side
from flowlatch.live.session import Session
from flowlatch.model.run import RunId
from flowlatch.model.versions import version_label
from flowlatch.places import brief
from flowlatch.text import counted, one_line
from flowlatch.ui import keys
from flowlatch.ui.format import short_stamp, stamp
from flowlatch.ui.messages import CopyText, OpenRun
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.form import worded
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.rows import Column, Row, Rows
from flowlatch.ui.widgets.words import show_words

SHOWN = 500
LOOKS = {
    "applied": "success",
    "created": "success",
    "existing": "success",
    "agreed": "success",
    "conflict": "late",
    "refused": "failed",
    "gone": "failed",
    "not sent": "muted",
}
"""Outcome → look; whatever is not listed is open and stands out."""
COLUMNS = (
    Column("WHEN", limit=16),
    Column("ACT", limit=11),
    Column("OUTCOME", limit=10),
    Column("CHANGE", limit=36, from_width=70),
    Column("RUN (FLOW)", is_last=True),
)


class JournalScreen(FlowScreen[None]):
    """Newest first; only read here, never changed."""

    BINDINGS = [
        worded(keys.OPEN, "Open the run"),
        worded(keys.COPY_VALUE, "Copy id"),
        worded(keys.REFRESH, "Refresh"),
        worded(keys.CLOSE, "Back"),
    ]
    DEFAULT_CSS = """
    JournalScreen #heading { height: 1; color: $muted; }
    JournalScreen #detail { height: 6; padding: 0 1; border-top: solid $rule; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.entries: list[Entry] = []

    def body(self) -> ComposeResult:
        """The list, and the chosen act in full."""
        yield Static(Content(""), id="heading", markup=False)
        yield Rows(COLUMNS, id="acts")
        yield Static(Content(""), id="detail", markup=False)

    def on_mount(self) -> None:
        """Read the file."""
        self.show_title(Content("Journal"))
        self.query_one(Rows).focus()
        self.action_refresh()

    def on_resize(self) -> None:
        """The columns have other widths."""
        self.call_after_refresh(self._show)

    def action_refresh(self) -> None:
        """Read the file anew."""
        begin(self, self._load, group="page", exclusive=True)

    async def _load(self) -> None:
        self.entries = await asyncio.to_thread(self.session.journal.entries, SHOWN)
        self._show()

    def _show(self) -> None:
        if not self.is_open:
            return
        table = self.query_one(Rows)
        table.show([self._row(entry) for entry in self.entries])
        show_words(self.query_one("#heading", Static), Content(table.heading if self.entries else ""))
        self._show_detail()
        self.show_link()

    def _row(self, entry: Entry) -> Row:
        zone, now = self.session.local_zone, self.session.local_now()
        change = f"{_side(entry.before)} → {_side(entry.after)}" if entry.before or entry.after else ""
        return Row(
            entry.id,
            (
                (short_stamp(entry.at, now, zone), "muted"),
                (one_line(entry.action.replace("_", " "), 12), ""),
                (one_line(entry.outcome or "NO OUTCOME", 20), LOOKS.get(entry.outcome, "late")),
                (change, ""),
                (_run_first(entry.run), ""),
            ),
        )

    @property
    def chosen(self) -> Entry | None:
        """The act under the cursor."""
        key = self.query_one(Rows).chosen
        return next((entry for entry in self.entries if entry.id == key), None)

    @on(Rows.Moved)
    def _show_detail(self) -> None:
        entry = self.chosen
        if entry is None:
            show_words(self.query_one("#detail", Static), Content("nothing was done from here yet"))
            return
        zone = self.session.local_zone
        ended = f", answered {stamp(entry.finished_at, zone)}" if entry.finished_at else ", no outcome was written down"
        message = entry.after.message if entry.after else None
        show_words(
            self.query_one("#detail", Static),
            Content.assemble(
                (one_line(entry.run, 120), "bold"),
                f"  {one_line(entry.run_id, 60)}\n{stamp(entry.at, zone)}{ended}\n",
                f"{one_line(entry.profile, 40)}  {one_line(entry.server, 100)}  by {one_line(entry.actor, 60)}\n",
                one_line(message or "", 200),
                f"\n{one_line(entry.detail, 200)}",
            ),
        )

    @on(Rows.Chosen)
    def _row_chosen(self) -> None:
        self.action_open_run()

    def action_open_run(self) -> None:
        """Show the run that it was about."""
        entry = self.chosen
        if entry is None or not entry.run_id:
            return
        if entry.profile != self.session.profile.name:
            name = one_line(entry.profile, 40)
            self.notify(f"that was on {name}; C goes there", severity="warning", markup=False)
            return
        self.post_message(OpenRun(RunId(entry.run_id), "history"))

    def action_copy_value(self) -> None:
        """Copy the id of the run."""
        entry = self.chosen
        if entry is not None and entry.run_id:
            self.post_message(CopyText(entry.run_id, "id"))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def status_right(self) -> Content:
        """Return how many acts are shown, and whether the journal can be written."""
        if self.session.journal.problem:
            return Content.styled(self.session.journal.problem, "$error")
        count = len(self.entries)
        return Content(f"{counted(count, 'act')} · {one_line(brief(self.session.journal.path), 60)}")


def _run_first(title: str) -> str:
    """Return `run (flow)` of `flow / run`: where it is cut, the run is what tells."""
    flow, _, run = one_line(title, 160).rpartition(" / ")
    return f"{run} ({flow})" if flow else run


def _side(side: Side | None) -> str:
    if side is None or not side.state:
        return "-"
    version = f"{version_label(side.version)} " if side.version is not None else ""
    return f"{version}{one_line(side.state, 20)}"
