"""What was done from here: when, where, before and after, and what became of it."""

from __future__ import annotations

import asyncio

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.live.journal import Entry, Side
from flowlatch.live.session import Session
from flowlatch.model.run import RunId
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import fit, short_stamp, stamp
from flowlatch.ui.messages import CopyText, OpenRun
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.form import worded

SHOWN = 500
STYLES = {
    "applied": "$state-success",
    "created": "$state-success",
    "existing": "$state-success",
    "agreed": "$state-success",
    "conflict": "$state-late",
    "refused": "$state-failed",
    "gone": "$state-failed",
    "not sent": "$muted",
}


class JournalScreen(FlowScreen[None]):
    """Newest first; only read here, never changed."""

    BINDINGS = [
        worded(keys.OPEN, "Open the run"),
        worded(keys.COPY_VALUE, "Copy id"),
        keys.CURSOR_DOWN,
        keys.CURSOR_UP,
        worded(keys.REFRESH, "Refresh"),
        worded(keys.CLOSE, "Back"),
    ]
    DEFAULT_CSS = """
    JournalScreen OptionList { height: 1fr; border: none; background: $background; padding: 0 1; }
    JournalScreen #detail { height: 6; padding: 0 1; border-top: solid $rule; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.entries: list[Entry] = []

    def body(self) -> ComposeResult:
        """The list, and the chosen act in full."""
        yield OptionList(markup=False, compact=True)
        yield Static(Content(""), id="detail", markup=False)

    def on_mount(self) -> None:
        """Read the file."""
        self.show_title(Content("Journal"))
        self.query_one(OptionList).focus()
        self.action_refresh()

    def action_refresh(self) -> None:
        """Read the file anew."""
        self.run_worker(self._load(), group="page", exclusive=True)

    async def _load(self) -> None:
        self.entries = await asyncio.to_thread(self.session.journal.entries, SHOWN)
        shown = self.query_one(OptionList)
        shown.clear_options()
        shown.add_options([Option(self._line(entry)) for entry in self.entries])
        if self.entries:
            shown.highlighted = 0
        else:
            self.query_one("#detail", Static).update(Content("nothing was done from here yet"))
        self.show_link()

    def _line(self, entry: Entry) -> Content:
        zone, now = self.session.local_zone, self.session.local_now()
        outcome = entry.outcome or "NO OUTCOME"
        return Content.assemble(
            (fit(short_stamp(entry.at, now, zone), 16), "$muted"),
            fit(entry.action.replace("_", " "), 11),
            Content.styled(fit(one_line(outcome, 20), 11), STYLES.get(entry.outcome, "$state-late bold")),
            fit(f"{_side(entry.before)} → {_side(entry.after)}", 32) if entry.before or entry.after else fit("", 32),
            "  ",
            one_line(entry.run, 80),
        )

    @property
    def chosen(self) -> Entry | None:
        """The act under the cursor."""
        place = self.query_one(OptionList).highlighted
        return self.entries[place] if place is not None and place < len(self.entries) else None

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        entry = self.chosen
        if entry is None:
            return
        zone = self.session.local_zone
        ended = f", answered {stamp(entry.finished_at, zone)}" if entry.finished_at else ", no outcome was written down"
        message = entry.after.message if entry.after else None
        self.query_one("#detail", Static).update(
            Content.assemble(
                (one_line(entry.run, 120), "bold"),
                f"  {one_line(entry.run_id, 60)}\n{stamp(entry.at, zone)}{ended}\n",
                f"{one_line(entry.profile, 40)}  {one_line(entry.server, 100)}  by {one_line(entry.actor, 60)}\n",
                one_line(message or "", 200),
                f"\n{one_line(entry.detail, 200)}",
            )
        )

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
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

    def action_cursor_down(self) -> None:
        """Move down."""
        self.query_one(OptionList).action_cursor_down()

    def action_cursor_up(self) -> None:
        """Move up."""
        self.query_one(OptionList).action_cursor_up()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def status_right(self) -> Content:
        """Return how many acts are shown, and whether the journal can be written."""
        if self.session.journal.problem:
            return Content.styled(self.session.journal.problem, "$error")
        return Content(f"{len(self.entries)} acts · {one_line(self.session.journal.path, 60)}")


def _side(side: Side | None) -> str:
    if side is None or not side.state:
        return "-"
    version = f"v{side.version} " if side.version is not None else ""
    return f"{version}{one_line(side.state, 20)}"
