"""What was typed and not sent: open one again, or discard it."""

from __future__ import annotations

import asyncio

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.errors import BackendError, NotFound
from flowlatch.live.drafts import Draft, DraftKind
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import age, fit, stamp
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.schedule import ScheduleScreen

EMPTY = "no drafts: a form that is closed unsent, and an edit that is set aside, are kept here"


class DraftsScreen(FlowScreen[None]):
    """Newest first. A draft of another server is shown, but opened only there."""

    BINDINGS = [
        worded(keys.OPEN, "Open the form"),
        keys.DISCARD,
        keys.CURSOR_DOWN,
        keys.CURSOR_UP,
        worded(keys.CLOSE, "Back"),
    ]
    DEFAULT_CSS = """
    DraftsScreen OptionList { height: 1fr; border: none; background: $background; padding: 0 1; }
    DraftsScreen #detail { height: auto; max-height: 6; padding: 0 1; border-top: solid $rule; color: $muted; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.drafts: list[Draft] = []

    def body(self) -> ComposeResult:
        """The list, and what the chosen one holds."""
        yield OptionList(markup=False, compact=True)
        yield Static(Content(""), id="detail", markup=False)

    async def on_mount(self) -> None:
        """Read them from the disk."""
        self.show_title(Content("Drafts"))
        self.query_one(OptionList).focus()
        await self._load()

    async def on_screen_resume(self) -> None:
        """Read them anew: one may have been sent."""
        await self._load()

    async def _load(self) -> None:
        self.drafts = await asyncio.to_thread(self.session.drafts.all)
        shown = self.query_one(OptionList)
        place = shown.highlighted or 0
        shown.clear_options()
        shown.add_options([Option(self._line(draft)) for draft in self.drafts])
        if self.drafts:
            shown.highlighted = min(place, len(self.drafts) - 1)
        else:
            self.query_one("#detail", Static).update(Content(EMPTY))
        self.show_link()

    def _line(self, draft: Draft) -> Content:
        when = fit(age(draft.saved_at, self.session.local_now()), 10)
        flag = Content.styled("OUTCOME UNKNOWN  ", "$state-late bold") if draft.is_unknown else Content("")
        where = "" if self._is_ours(draft) else f"  ({one_line(draft.profile, 30)})"
        based = f"  on v{draft.base_version}" if draft.base_version is not None else ""
        return Content.assemble(
            (when, "$muted"), f"{draft.kind:<9} ", flag, one_line(draft.title, 120), (f"{based}{where}", "$muted")
        )

    def _is_ours(self, draft: Draft) -> bool:
        return draft.server_id == self.session.server_id

    @property
    def chosen(self) -> Draft | None:
        """The draft under the cursor."""
        place = self.query_one(OptionList).highlighted
        return self.drafts[place] if place is not None and place < len(self.drafts) else None

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        draft = self.chosen
        if draft is not None:
            known = ", ".join(f"{name}: {one_line(value, 60)}" for name, value in draft.fields.items() if value)
            saved = stamp(draft.saved_at, self.session.local_zone)
            self.query_one("#detail", Static).update(Content(f"kept {saved}\n{one_line(known, 300)}"))

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.run_worker(self._open(), group="page", exclusive=True)

    def action_open_run(self) -> None:
        """Open the form again."""
        self.run_worker(self._open(), group="page", exclusive=True)

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
            self.notify(f"typed on v{draft.base_version}; the run is v{run.version} now", markup=False)
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
            self.run_worker(self._load(), group="page", exclusive=True)

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
        """Return how many there are."""
        return Content(f"{len(self.drafts)} drafts" if len(self.drafts) != 1 else "1 draft")
