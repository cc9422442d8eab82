"""The forms of a new run on a real server: typed fields, JSON, times, keys, lost answers; keys only."""

from __future__ import annotations

import asyncio

import pytest

from flowlatch.ui.messages import OpenCreate, OpenEditState, OpenSchedule
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.schedule import ScheduleScreen
from flowlatch.ui.widgets.key_field import KeyField
from flowlatch.ui.widgets.param_form import ParamForm
from flowlatch.ui.widgets.picker import Picker
from tests.support.dashboard import LARGE, SMALL, dashboard
from tests.support.desk import PARAMETERS, Desk
from tests.support.faults import FaultyServer, LoseAnswer
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_creates_a_run_with_what_was_typed(desk: Desk) -> None:
    await desk.opens_create()
    await desk.deck.write("2026-11-22")
    await desk.deck.press("tab", "right", "right", "tab")
    await desk.deck.write("7")
    await desk.deck.shows("flowlatch --server http://127.0.0.1:", "day=2026-11-22", "region=us")
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    await desk.deck.shows("Created", "the key ends", "Open the run")
    (run,) = await desk.runs()
    assert run.parameters == {"day": "2026-11-22", "region": "us", "limit": 7}
    assert run.idempotency_key is not None
    assert run.idempotency_key.startswith("run-")
    await desk.deck.press("enter")
    await desk.deck.screen(RunScreen)
    assert desk.deck.app.session.drafts.all() == []


async def test_problems_are_counted_and_nothing_is_sent(desk: Desk) -> None:
    form = await desk.opens_create()
    await desk.deck.press("tab", "tab")
    await desk.deck.write("ten")
    await desk.deck.shows("x expected an integer, e.g. 10", "2 problems")
    await desk.deck.press("ctrl+s")
    await desk.deck.shows("x required", "day: required")
    assert desk.deck.app.screen is form
    assert await desk.runs() == []


async def test_an_existing_run_is_said_plainly_and_a_new_key_offered(desk: Desk) -> None:
    await desk.a_run(idempotency_key="nightly", flow_run_name="amber-lynx")
    form = await desk.opens_create()
    await desk.deck.write("2026-11-23")
    form.query_one(KeyField).query_one("Choice").focus()
    await desk.deck.press("right")
    await desk.deck.write("nightly")
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    await desk.deck.shows(
        "Existing run: nothing was created", "amber-lynx", "other inputs", "parameters.day", "2026-11-22", "2026-11-23"
    )
    assert len(await desk.runs()) == 1
    await desk.deck.press("k")
    await desk.deck.screen(CreateScreen)
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    await desk.deck.shows("Created")
    assert len(await desk.runs()) == 2


async def test_form_and_json_are_two_views_of_one_thing(desk: Desk) -> None:
    form = await desk.opens_create()
    await desk.deck.write("2026-11-22")
    params = form.query_one(ParamForm)
    await form._set_mode("json")
    await desk.deck.shows('"day": "2026-11-22"')
    await params.set_json('{"day": "2026-12-01", "extra": [1, 2], "limit": 5}')
    await form._set_mode("form")
    await desk.deck.shows("2026-12-01", "extra", "[1, 2]")
    assert params.values() == {"day": "2026-12-01", "limit": 5, "extra": [1, 2]}
    await form._set_mode("json")
    await params.set_json('{"day": ')
    await desk.deck.shows("x line 1, column 9")
    await form._set_mode("form")
    assert params.mode == "json", "what cannot be read is not thrown away"
    assert '{"day": ' in params.json_text


async def test_schedules_in_plain_words(desk: Desk) -> None:
    desk.deck.app.post_message(OpenSchedule(await desk.flow()))
    form = await desk.deck.screen(ScheduleScreen)
    await desk.deck.write("2027-03-28 02:30")
    await desk.deck.shows("does not exist on Sun 28 Mar 2027")
    form.query_one("#start").value = ""  # type: ignore[attr-defined]
    await desk.deck.write("2027-10-31 02:30")
    await desk.deck.shows("happens twice", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z")
    assert form.start() is None, "nobody guesses which of two"
    form.query_one("#start").value = ""  # type: ignore[attr-defined]
    await desk.deck.write("2027-12-01 9:00")
    await desk.deck.shows("Wed 1 Dec 2027 09:00:00 +01:00", "08:00:00 UTC", "2027-12-01T08:00:00Z", "clocks change")
    await desk.deck.press("ctrl+s")
    create = await desk.deck.screen(CreateScreen)
    assert create.start is not None, "a required parameter is missing: the form for it opens with the time"
    await desk.deck.shows("day *", "Wed 1 Dec 2027")


async def test_what_is_no_time_is_said_shortly_and_the_forms_stand_below_each_other(desk: Desk) -> None:
    desk.deck.app.post_message(OpenSchedule(await desk.flow()))
    await desk.deck.screen(ScheduleScreen)
    await desk.deck.write("03/04")
    await desk.deck.press("ctrl+s")
    text = await desk.deck.shows("x start: '03/04' can be read two ways", "start: not a time yet")
    assert text.count("in 20m") == 2, "among the forms and to try, not in the problem too"
    lines = text.splitlines()
    (first,) = [place for place, line in enumerate(lines) if line.startswith(" It reads   now")]
    assert lines[first + 1].startswith(" " * 12)
    assert lines[first + 1][12] != " "


async def test_creates_at_a_later_time(desk: Desk) -> None:
    form = await desk.opens_create()
    await desk.deck.write("2026-11-22")
    form.query_one("#when").focus()
    await desk.deck.press("right")
    await desk.deck.screen(ScheduleScreen)
    await desk.deck.write("2027-12-01 9:00 UTC")
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreateScreen)
    await desk.deck.shows("2027-12-01T09:00:00Z")
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    (run,) = await desk.runs()
    assert run.scheduled_start_time is not None
    assert run.scheduled_start_time.isoformat() == "2027-12-01T09:00:00+00:00"


async def test_a_lost_create_is_asked_again_under_its_key(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, dashboard(shared_server, url=proxy.url) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        await desk.opens_create()
        await deck.write("2026-11-22")
        proxy.on_request = lambda body: LoseAnswer() if b"create_flow_run" in body else None
        await deck.press("ctrl+s")
        await deck.shows("OUTCOME UNKNOWN", deadline_s=20)
        (draft,) = deck.app.session.drafts.all()
        assert draft.is_unknown
        proxy.on_request = lambda body: None
        await deck.press("ctrl+s")
        await deck.screen(CreatedScreen)
        assert len(await desk.runs()) == 1


async def test_letters_pressed_in_the_list_of_flows_narrow_it(desk: Desk) -> None:
    flow = await desk.flow()
    desk.deck.app.post_message(OpenCreate(None))
    form = await desk.deck.screen(CreateScreen)
    await desk.deck.press("enter")
    await desk.deck.shows("v1 · ")
    await desk.deck.write("no such flow")
    await desk.deck.shows("[ no such flow", "nothing matches")
    await desk.deck.press("ctrl+u")
    await desk.deck.write(flow.name)
    await eventually_async(lambda: form.query_one("#flow", Picker).value == flow.id)
    assert form.query_one("#flow", Picker).text == flow.name


async def test_offline_the_form_stays_and_submit_is_off(server: ServerProcess) -> None:
    wire = server.wire()
    flow_id = await asyncio.to_thread(wire.create_flow, "etl", PARAMETERS)
    async with dashboard(server) as deck:
        form = await Desk(deck, wire, flow_id).opens_create()
        await deck.write("2026-11-22")
        await asyncio.to_thread(server.kill)
        await deck.shows("OFFLINE", deadline_s=20)
        assert "ctrl+s Create" not in deck.text
        await deck.press("ctrl+s")
        assert deck.app.screen is form
        assert "2026-11-22" in deck.text
        await asyncio.to_thread(server.start)
        await deck.press("ctrl+r")
        await deck.shows("ctrl+s Create", deadline_s=20)
        await deck.press("ctrl+s")
        await deck.screen(CreatedScreen)


async def test_read_only_greys_the_submit(shared_server: ServerProcess, shared_wire: Wire, flow_id: str) -> None:
    async with dashboard(shared_server, read_only=True) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        deck.app.post_message(OpenEditState(await desk.a_run()))
        await deck.screen(EditStateScreen)
        await deck.press("right", "right", "ctrl+s")
        await deck.shows("submit is off: read-only")
        assert (await desk.runs())[0].version == 1
