"""Keys of forms that have another way too: F2 for ctrl+s, F5, escape while something is sent, z on the list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowId, FlowRun, RunId
from flowlatch.ui.clipboard import FILE
from flowlatch.ui.messages import OpenBulk, OpenCreate, OpenEditState
from flowlatch.ui.screens.bulk import BulkScreen
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.faults import FaultyServer, LoseRequest
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire


async def made(deck: Deck, wire: Wire, **inputs: object) -> FlowRun:
    """Make a run of a new flow and read it."""
    flow = await asyncio.to_thread(wire.create_flow, f"etl-{uuid4().hex[:8]}")
    run_id = await asyncio.to_thread(lambda: wire.create_run(flow, **inputs))
    return await deck.app.session.backend.run(RunId(run_id))


@pytest.fixture
def copied(home: Path) -> Callable[[], str]:
    """Switch the clipboard off, and return what reads the file that stands in for it."""
    (home / "config.toml").write_text("clipboard = false\n")
    file = home / "state" / FILE
    return lambda: file.read_text() if file.exists() else ""


async def test_z_on_the_list_proposes_the_state_before_and_f2_sends_it(
    shared_server: ServerProcess, shared_wire: Wire
) -> None:
    name = f"lynx-{uuid4().hex[:8]}"
    async with dashboard(shared_server) as deck:
        run = await made(deck, shared_wire, flow_run_name=name)
        await asyncio.to_thread(shared_wire.set_state, run.id, 1, "Failed", "oops")
        await deck.press("slash")
        await deck.write(name)
        await deck.press("enter")
        await deck.shows("x Failed", "oops")
        await deck.press("z")
        await deck.screen(EditStateScreen)
        await deck.shows("Undo ·", "v2 x Failed → v3 . Scheduled")
        await deck.press("f2")
        await deck.screen(RunsScreen)
        assert (await deck.app.session.backend.run(run.id)).state == "Scheduled"


async def test_f5_copies_the_form_as_a_command_and_f2_creates(
    shared_server: ServerProcess, shared_wire: Wire, copied: Callable[[], str]
) -> None:
    async with dashboard(shared_server) as deck:
        flow_id = await asyncio.to_thread(shared_wire.create_flow, f"etl-{uuid4().hex[:8]}")
        flow = await deck.app.session.backend.flow(FlowId(flow_id))
        deck.app.post_message(OpenCreate(flow))
        form = await deck.screen(CreateScreen)
        await deck.shows("As command: flowlatch")
        await deck.press("f5")
        assert await eventually_async(copied, what="the copy") == form.command()
        assert f"runs create {flow.name}" in copied()
        await deck.press("f2")
        await deck.screen(CreatedScreen)
        assert (await deck.app.session.backend.page(RunQuery(flow_ids=(flow_id,)))).total == 1


async def test_f5_copies_a_change_of_state_as_a_command(
    shared_server: ServerProcess, shared_wire: Wire, copied: Callable[[], str]
) -> None:
    async with dashboard(shared_server) as deck:
        run = await made(deck, shared_wire)
        deck.app.post_message(OpenEditState(run))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right", "tab")
        await deck.write("stuck")
        await deck.press("f5")
        line = await eventually_async(copied, what="the copy")
        assert f"runs set-state {run.id} Failed" in line
        assert "--expect-version 1" in line
        assert (await deck.app.session.backend.run(run.id)).version == 1


async def test_f2_opens_the_conflict_when_the_run_moved_on(shared_server: ServerProcess, shared_wire: Wire) -> None:
    async with dashboard(shared_server) as deck:
        run = await made(deck, shared_wire)
        deck.app.post_message(OpenEditState(run))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right")
        await asyncio.to_thread(shared_wire.set_state, run.id, 1, "Running", "went off")
        await deck.shows("!! Changed meanwhile", "Review the conflict…")
        await deck.press("f2")
        await deck.screen(ConflictScreen)
        assert (await deck.app.session.backend.run(run.id)).state == "Running"


async def test_f2_reads_back_what_was_lost(shared_server: ServerProcess, shared_wire: Wire) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, dashboard(shared_server, url=proxy.url) as deck:
        run = await made(deck, shared_wire)
        deck.app.post_message(OpenEditState(run))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right")
        proxy.on_request = lambda body: LoseRequest() if b"set_flow_run_state" in body else None
        await deck.press("f2")
        await deck.shows("OUTCOME UNKNOWN", deadline_s=20)
        proxy.on_request = lambda body: None
        await deck.press("f2")
        assert await deck.shows("not done: read back: still v1")


@pytest.mark.parametrize("rest_key", ["ctrl+s", "f2"])
async def test_escape_stops_what_is_not_sent_and_the_rest_is_sent_later(server: ServerProcess, rest_key: str) -> None:
    wire = server.wire()
    flow = wire.create_flow("etl")
    ids = [wire.create_run(flow, flow_run_name=f"run-{number}") for number in range(12)]
    async with dashboard(server) as deck:
        await deck.shows("1 All 12")
        page = await deck.app.session.backend.page(RunQuery())
        deck.app.post_message(OpenBulk("cancel", list(page.rows)))
        screen = await deck.screen(BulkScreen)
        await deck.shows("12 Scheduled", "Start")
        server.pause()
        await deck.press("ctrl+s")
        await deck.shows("8 sending", "esc Stop")
        await deck.press("escape")
        await deck.shows("stopping: what is under way ends")
        assert deck.app.screen is screen
        server.resume()
        await deck.shows("8 of 12", "4 not sent", "The rest")
        assert len([run for run in ids if wire.run(run)["state"] == "Cancelled"]) == 8
        await deck.press(rest_key)
        await deck.shows("12 of 12", "12 done")
        await deck.press("escape")
        await deck.screen(RunsScreen)
    assert {wire.run(run)["state"] for run in ids} == {"Cancelled"}


async def test_what_was_typed_stays_when_one_comes_back_to_it(shared_server: ServerProcess, shared_wire: Wire) -> None:
    async with dashboard(shared_server) as deck:
        deck.app.post_message(OpenEditState(await made(deck, shared_wire)))
        form = await deck.screen(EditStateScreen)
        await deck.press("tab")
        await deck.write("disk full")
        await deck.press("tab", "shift+tab")
        await deck.write(", again")
        assert form.fields()["message"] == "disk full, again"
