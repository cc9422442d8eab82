"""What was typed and not sent: open one again, or discard it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from flowlatch.errors import BackendError, BadInput, NotFound
from flowlatch.live.drafts import Draft, DraftKind
from flowlatch.live.session import Session
from flowlatch.model.params import read_object, redacted
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import age, stamp
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.schedule import ScheduleScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.rows import Column, Row, Rows
from flowlatch.ui.widgets.words import show_words

COLUMNS = (
    Column("KEPT", limit=10),
    Column("FORM", limit=15),
    Column("ON", limit=5),
    Column("WHAT", is_last=True),
    Column("WHERE", limit=20, from_width=100),
)
EMPTY = "no drafts: a form that is closed unsent, and an edit that is set aside, are kept here"


class DraftsScreen(FlowScreen[None]):
    """Newest first. A draft of another server is shown, but opened only there."""

    BINDINGS = [
        worded(keys.OPEN, "Open the form"),
        keys.DISCARD,
        worded(keys.CLOSE, "Back"),
    ]
    DEFAULT_CSS = """
    DraftsScreen #heading { height: 1; color: $muted; }
    DraftsScreen #detail { height: auto; max-height: 6; padding: 0 1; border-top: solid $rule; color: $muted; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.drafts: list[Draft] = []

    def body(self) -> ComposeResult:
        """The list, and what the chosen one holds."""
        yield Static(Content(""), id="heading", markup=False)
        yield Rows(COLUMNS, id="drafts")
        yield Static(Content(""), id="detail", markup=False)

    async def on_mount(self) -> None:
        """Read them from the disk."""
        self.show_title(Content("Drafts"))
        self.query_one(Rows).focus()
        await self._load()

    def on_resize(self) -> None:
        """The columns have other widths."""
        self.call_after_refresh(self._show)

    async def on_screen_resume(self) -> None:
        """Read them anew: one may have been sent."""
        await self._load()

    async def _load(self) -> None:
        self.drafts = await asyncio.to_thread(self.session.drafts.all)
        self._show()

    def _show(self) -> None:
        if not self.is_open:
            return
        table = self.query_one(Rows)
        table.show([self._row(draft) for draft in self.drafts])
        show_words(self.query_one("#heading", Static), Content(table.heading if self.drafts else ""))
        self._show_detail()
        self.show_link()

    def _row(self, draft: Draft) -> Row:
        what = "OUTCOME UNKNOWN" if draft.is_unknown else str(draft.kind)
        based = version_label(draft.base_version) if draft.base_version is not None else ""
        is_ours = self._is_ours(draft)
        where = one_line(draft.profile, 30) or ("this server" if is_ours else "another server")
        return Row(
            draft.id,
            (
                (age(draft.saved_at, self.session.local_now()), "muted"),
                (what, "late" if draft.is_unknown else ""),
                (based, "muted"),
                (one_line(draft.title, 120), ""),
                (where, "muted" if is_ours else "late"),
            ),
            look="" if is_ours else "faint",
        )

    def _is_ours(self, draft: Draft) -> bool:
        return draft.server_id == self.session.server_id

    @property
    def chosen(self) -> Draft | None:
        """The draft under the cursor."""
        key = self.query_one(Rows).chosen
        return next((draft for draft in self.drafts if draft.id == key), None)

    @on(Rows.Moved)
    def _show_detail(self) -> None:
        draft, shown = self.chosen, Content(EMPTY)
        if draft is not None:
            known = ", ".join(f"{name}: {one_line(value, 60)}" for name, value in _shown(draft.fields).items() if value)
            shown = Content(f"kept {stamp(draft.saved_at, self.session.local_zone)}\n{one_line(known, 300)}")
        show_words(self.query_one("#detail", Static), shown)

    @on(Rows.Chosen)
    def _row_chosen(self) -> None:
        self.action_open_run()

    def action_open_run(self) -> None:
        """Open the form again."""
        begin(self, self._open, group="page", exclusive=True)

    async def _open(self) -> None:
        draft = self.chosen
        if draft is None:
            return
        if not self._is_ours(draft):
            self.notify(
                f"this draft belongs to {one_line(draft.profile, 40)}; C goes there", severity="warning", markup=False
            )
            return
        screen = await self._form(draft)
        if screen is not None:
            self.app.push_screen(screen)

    async def _form(self, draft: Draft) -> Screen[None] | None:
        match draft.kind:
            case DraftKind.CREATE:
                return CreateScreen(self.session, draft=draft)
            case DraftKind.SCHEDULE:
                return ScheduleScreen(self.session, draft=draft)  # type: ignore[return-value]
            case DraftKind.EDIT:
                return await self._edit_form(draft)

    async def _edit_form(self, draft: Draft) -> EditStateScreen | None:
        """Open an edit on what the run is now: what was typed comes back, the old base does not."""
        if draft.run_id is None:
            return None
        try:
            run = await self.session.backend.run(draft.run_id)
        except NotFound:
            self.notify("the run does not exist any more; the draft stays here", severity="warning", markup=False)
            return None
        except BackendError as error:
            self.notify(f"the run could not be read: {one_line(error)}", severity="error", markup=False)
            return None
        if draft.base_version is not None and draft.base_version != run.version:
            self.notify(
                f"typed on {version_label(draft.base_version)}; the run is {version_label(run.version)} now",
                markup=False,
            )
        return EditStateScreen(self.session, run, draft=draft)

    def action_discard(self) -> None:
        """Discard the draft, after a question."""
        draft = self.chosen
        if draft is None:
            return
        question = Content.assemble((one_line(draft.title, 120), "bold"), "\n\nWhat was typed is gone for good.")
        screen = ConfirmScreen(self.session, "Discard this draft?", question, yes="Discard")
        self.app.push_screen(screen, lambda is_yes: self._discarded(draft, bool(is_yes)))

    def _discarded(self, draft: Draft, is_yes: bool) -> None:
        if is_yes:
            self.session.drafts.discard(draft.id)
            begin(self, self._load, group="page", exclusive=True)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def status_right(self) -> Content:
        """Return how many there are."""
        return Content(f"{len(self.drafts)} drafts" if len(self.drafts) != 1 else "1 draft")


def _shown(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a form's fields for the screen: parameters of a secret name are masked, unreadable ones left out."""
    shown = dict(fields)
    if "params" in shown:
        try:
            shown["params"] = json.dumps(redacted(read_object(str(shown["params"]))), ensure_ascii=False)
        except BadInput:
            shown["params"] = "(not yet JSON)"
    return shown
