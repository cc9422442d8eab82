"""What is done to runs on a real server: letters in forms, cancel, delete, retry, undo, many at once; keys only."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from textual import events
from textual.widgets import Input

from flowlatch.model.query import RunQuery
from flowlatch.model.run import RunId
from flowlatch.ui.messages import OpenBulk, OpenCancel, OpenEditState, OpenNamed, OpenRetry
from flowlatch.ui.screens.bulk import BulkScreen
from flowlatch.ui.screens.cancel import CancelScreen, DeleteScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.journal import JournalScreen
from flowlatch.ui.screens.retry import RetryScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import dashboard
from tests.support.desk import Desk
from tests.support.faults import FaultyServer, LoseRequest
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire


async def test_letters_are_text_in_forms(desk: Desk) -> None:
    form = await desk.opens_create()
    await desk.deck.press("tab", "tab")
    await desk.deck.write("qDCxrenz!?:<>/")
    await desk.deck.pilot.pause()
    assert desk.deck.app.screen is form
    assert "qDCxrenz!?:<>/" in desk.deck.text


async def test_letters_do_nothing_where_a_form_has_no_text_field(desk: Desk) -> None:
    form = await desk.opens_create()
    form.query_one("#when").focus()
    for letter in ("D", "C", "x", "n", "less_than_sign", "minus", "colon", "T", "exclamation_mark", "q"):
        await desk.deck.press(letter)
        await desk.deck.pilot.pause()
        assert desk.deck.app.screen is form, letter
    assert not desk.deck.app.session.read_only
    assert not desk.deck.app._exit


async def test_a_paste_gives_its_first_line_without_control_characters(desk: Desk) -> None:
    form = await desk.opens_create()
    field = form.query_one("#name")
    field.focus()
    field.post_message(events.Paste("two\x1b[31m words\nsecond line"))
    await eventually_async(lambda: field.value == "two[31m words")  # type: ignore[attr-defined]
    assert await eventually_async(lambda: any("pasted without" in toast for toast in desk.deck.toasts))


async def test_a_lost_state_change_is_read_back_before_anything_else(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, dashboard(shared_server, url=proxy.url) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        run = await desk.a_run()
        deck.app.post_message(OpenEditState(run))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right")
        proxy.on_request = lambda body: LoseRequest() if b"set_flow_run_state" in body else None
        await deck.press("ctrl+s")
        await deck.shows("OUTCOME UNKNOWN", "Read back", deadline_s=20)
        assert (await desk.runs())[0].version == 1
        proxy.on_request = lambda body: None
        await deck.press("ctrl+s")
        await deck.shows("not done: read back: still v1", "Set state")
        assert (await desk.runs())[0].version == 1, "reading back writes nothing"
        await deck.press("ctrl+s")
        await deck.screen(RunsScreen)
        assert (await desk.runs())[0].state == "Failed"


async def test_a_profile_may_want_a_reason(shared_server: ServerProcess, shared_wire: Wire, flow_id: str) -> None:
    async with dashboard(shared_server, reason_required=True) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        deck.app.post_message(OpenEditState(await desk.a_run()))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right", "ctrl+s")
        await deck.shows("required", "why: this profile wants a reason")
        assert (await desk.runs())[0].version == 1


async def test_cancel_asks_with_the_focus_on_no(desk: Desk) -> None:
    desk.deck.app.post_message(OpenCancel(await desk.a_run()))
    question = await desk.deck.screen(CancelScreen)
    assert question.focused is not None
    assert question.focused.id == "no"
    await desk.deck.press("enter")
    await desk.deck.screen(RunsScreen)
    assert (await desk.runs())[0].version == 1
    desk.deck.app.post_message(OpenCancel((await desk.runs())[0]))
    await desk.deck.screen(CancelScreen)
    await desk.deck.press("tab", "enter")
    await desk.deck.screen(RunsScreen)
    assert (await desk.runs())[0].state == "Cancelled"


@pytest.mark.parametrize(("there", "back"), [("right", "left"), ("l", "h")])
async def test_the_arrows_go_from_no_to_yes_and_back(desk: Desk, there: str, back: str) -> None:
    desk.deck.app.post_message(OpenCancel(await desk.a_run()))
    await desk.deck.screen(CancelScreen)
    await desk.deck.press(there, there, back, back, "enter")
    await desk.deck.screen(RunsScreen)
    assert (await desk.runs())[0].version == 1
    desk.deck.app.post_message(OpenCancel((await desk.runs())[0]))
    await desk.deck.screen(CancelScreen)
    await desk.deck.press(there, "enter")
    await desk.deck.screen(RunsScreen)
    assert (await desk.runs())[0].state == "Cancelled"


async def test_delete_leaves_a_run_that_moved_on(desk: Desk) -> None:
    run = await desk.a_run()
    desk.deck.app.post_message(OpenBulk("delete", [run]))
    question = await desk.deck.screen(DeleteScreen)
    await asyncio.to_thread(desk.wire.set_state, run.id, 1, "Running")
    await desk.deck.shows("!! Changed meanwhile")
    await desk.deck.press("tab", "enter")
    await desk.deck.shows("not done: it is v2 Running now")
    assert desk.deck.app.screen is question
    assert len(await desk.runs()) == 1


async def test_production_wants_the_name_of_what_is_deleted(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with dashboard(shared_server, production=True) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        deck.app.post_message(OpenBulk("delete", [await desk.a_run(flow_run_name="amber-lynx")]))
        question = await deck.screen(DeleteScreen)
        await deck.shows("PROD", "type amber-lynx to confirm")
        assert question.query_one("#yes").disabled
        await deck.press("right")
        assert question.focused is not None
        assert question.focused.id == "no", "Yes is off before the name"
        await deck.press(*"hill")
        assert question.query_one("#typed", Input).value == "hill", "letters are the name there"
        await deck.press(*["backspace"] * 4, "tab")
        await deck.press(*"amber", "minus", *"lynx")
        assert question.query_one("#typed", Input).value == "amber-lynx", "letters pressed on No are not lost"
        assert not question.query_one("#yes").disabled


async def test_retry_makes_a_new_run_with_the_same_parameters(desk: Desk) -> None:
    old = await desk.a_run(parameters={"day": "2026-11-22", "limit": 3}, labels=["prod"])
    page = await desk.deck.app.session.backend.page(RunQuery(ids=(old.id,)))
    desk.deck.app.post_message(OpenRetry(list(page.rows)))
    await desk.deck.screen(RetryScreen)
    await desk.deck.shows('"limit": 3', "prod")
    await desk.deck.press("tab", "enter")
    await desk.deck.screen(RunScreen)
    new = next(run for run in await desk.runs() if run.id != old.id)
    assert (new.parameters, new.labels) == (old.parameters, ["prod"])


async def test_undo_proposes_the_state_before(desk: Desk) -> None:
    run = await desk.a_run()
    await asyncio.to_thread(desk.wire.set_state, run.id, 1, "Running", "went off")
    await asyncio.to_thread(desk.wire.set_state, run.id, 2, "Failed", "oops")
    now = await desk.deck.app.session.backend.run(run.id)
    desk.deck.app.push_screen(EditStateScreen(desk.deck.app.session, now, undo=True))
    await desk.deck.screen(EditStateScreen)
    await desk.deck.shows("Undo ·", "v3 x Failed → v4 > Running", "went off")
    assert (await desk.runs())[0].version == 3, "a proposal writes nothing"
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(RunsScreen)
    assert (await desk.runs())[0].state_message == "went off"


async def test_many_runs_with_a_conflict_that_opens(desk: Desk) -> None:
    runs = [await desk.a_run(flow_run_name=f"run-{number}") for number in range(3)]
    desk.deck.app.post_message(OpenBulk("set_state", runs))
    screen = await desk.deck.screen(BulkScreen)
    await desk.deck.shows("Set the state of 3 runs", "3 Scheduled")
    await desk.deck.press("right", "right", "tab")
    await desk.deck.write("all of them")
    await asyncio.to_thread(desk.wire.set_state, runs[1].id, 1, "Success")
    await desk.deck.press("ctrl+s")
    await desk.deck.shows("2 done · 1 conflict", "v2 Success now")
    assert desk.deck.app.screen is screen
    await desk.deck.press("j", "enter")
    conflict = await desk.deck.screen(ConflictScreen)
    await desk.deck.shows("THEIRS v2", "all of them")
    assert conflict.conflict.base.run_id == runs[1].id
    await desk.deck.press("a")
    await desk.deck.screen(ConfirmScreen)
    await desk.deck.press("tab")
    await desk.deck.write("run-1")
    await desk.deck.press("enter", "enter")
    await desk.deck.screen(BulkScreen)
    await desk.deck.shows("3 done")
    assert {run.state for run in await desk.runs()} == {"Failed"}


async def test_over_twenty_runs_the_count_is_typed(desk: Desk) -> None:
    run = await desk.a_run()
    many = [replace(run, id=RunId(str(uuid4())), name=f"n{number}") for number in range(21)]
    desk.deck.app.post_message(OpenBulk("cancel", many))
    screen = await desk.deck.screen(BulkScreen)
    await desk.deck.shows("type 21 to confirm")
    await desk.deck.press("ctrl+s")
    await desk.deck.shows("count: type 21 to confirm")
    assert not screen.bulk.is_started
    await desk.deck.write("21")
    await desk.deck.press("ctrl+s")
    await desk.deck.shows("21 refused")


async def test_the_journal_shows_what_was_done(desk: Desk) -> None:
    desk.deck.app.post_message(OpenCancel(await desk.a_run(flow_run_name="amber-lynx")))
    await desk.deck.screen(CancelScreen)
    await desk.deck.press("tab", "enter")
    await desk.deck.screen(RunsScreen)
    desk.deck.app.post_message(OpenNamed("journal"))
    await desk.deck.screen(JournalScreen)
    assert await desk.deck.shows("cancel", "applied", "v1 Scheduled → Cancelled", "amber-lynx")
