"""Hostile text in every form, dialog and table of results acts on nothing and stays text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flowlatch.model.run import FlowRun
from flowlatch.ui.messages import OpenBulk, OpenCancel, OpenCreate, OpenNamed
from flowlatch.ui.screens.bulk import BulkScreen
from flowlatch.ui.screens.cancel import CancelScreen
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.drafts import DraftsScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.journal import JournalScreen
from flowlatch.ui.widgets.param_form import ParamForm
from tests.support.desk import Desk
from tests.support.hostile import SENDABLE
from tests.support.waiting import eventually_async

HOSTILE = "".join(SENDABLE.values())[:900]


async def in_conflict(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Open the form on what the run was, and submit."""
    desk.deck.app.push_screen(EditStateScreen(desk.deck.app.session, old))
    await desk.deck.screen(EditStateScreen)
    await desk.deck.press("right", "tab", "x", "ctrl+s")
    await desk.deck.screen(ConflictScreen)


async def in_undo(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Open the form on the state before."""
    desk.deck.app.push_screen(EditStateScreen(desk.deck.app.session, run, undo=True))
    form = await desk.deck.screen(EditStateScreen)
    await eventually_async(lambda: form.typed.state == "Scheduled")


async def in_create(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Open the form for a run like this one."""
    desk.deck.app.post_message(OpenCreate(None, run))
    form = await desk.deck.screen(CreateScreen)
    await eventually_async(lambda: form.flow is not None and len(form.query_one(ParamForm).values()) == 1)


async def in_drafts(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Leave a draft and look at the drafts."""
    desk.deck.app.push_screen(EditStateScreen(desk.deck.app.session, run))
    await desk.deck.screen(EditStateScreen)
    await desk.deck.press("right", "escape", "D")
    screen = await desk.deck.screen(DraftsScreen)
    await eventually_async(lambda: screen.chosen is not None)


async def in_bulk_and_journal(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Cancel in bulk, then look at the journal."""
    desk.deck.app.post_message(OpenBulk("cancel", [run, old]))
    await desk.deck.screen(BulkScreen)
    await desk.deck.press("ctrl+s")
    await desk.deck.shows("1 done · 1 conflict")
    desk.deck.app.post_message(OpenNamed("journal"))
    screen = await desk.deck.screen(JournalScreen)
    await eventually_async(lambda: screen.chosen is not None)


async def in_question(desk: Desk, run: FlowRun, old: FlowRun) -> None:
    """Ask whether to cancel."""
    desk.deck.app.post_message(OpenCancel(run))
    await desk.deck.screen(CancelScreen)


@pytest.mark.parametrize("place", [in_conflict, in_undo, in_create, in_drafts, in_bulk_and_journal, in_question])
async def test_hostile_text_acts_on_nothing(
    desk: Desk, place: Callable[[Desk, FlowRun, FlowRun], Awaitable[None]]
) -> None:
    parameters = [{"name": HOSTILE[:80], "default": HOSTILE}]
    desk.flow_id = await asyncio.to_thread(desk.wire.create_flow, HOSTILE[:200], parameters)
    old = await desk.a_run(flow_run_name=HOSTILE, labels=[HOSTILE[:100]], parameters={HOSTILE[:80]: HOSTILE})
    await asyncio.to_thread(desk.wire.set_state, old.id, 1, "Running", HOSTILE)
    await place(desk, await desk.deck.app.session.backend.run(old.id), old)
    await desk.deck.pilot.pause()
    shown = desk.deck.text
    assert not any(char in shown for char in "\x1b\x07\x9b\u202e\u200b")
    assert desk.deck.app._exception is None
