"""The forms on a real server: create, schedule, drafts, questions, lost answers, hostile text; keys only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from textual import events
from textual.widgets import Input

from flowlatch.live.drafts import DraftKind
from flowlatch.model.query import RunQuery
from flowlatch.model.run import Flow, FlowId, FlowRun, RunId
from flowlatch.ui.messages import OpenBulk, OpenCancel, OpenCreate, OpenEditState, OpenNamed, OpenRetry, OpenSchedule
from flowlatch.ui.screens.bulk import BulkScreen
from flowlatch.ui.screens.cancel import CancelScreen, DeleteScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.drafts import DraftsScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.journal import JournalScreen
from flowlatch.ui.screens.retry import RetryScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.schedule import ScheduleScreen
from flowlatch.ui.widgets.key_field import KeyField
from flowlatch.ui.widgets.param_form import ParamForm
from flowlatch.ui.widgets.picker import Picker
from tests.support.dashboard import LARGE, SMALL, Deck, dashboard
from tests.support.faults import FaultyServer, LoseAnswer, LoseRequest
from tests.support.hostile import SENDABLE
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

PARAMETERS: list[dict[str, Any]] = [
    {"name": "day", "required": True, "annotation": "date"},
    {"name": "region", "default": "eu", "annotation": "eu|us|apac"},
    {"name": "limit", "default": 10},
]


class Desk:
    """A dashboard and a flow to make runs of."""

    def __init__(self, deck: Deck, wire: Wire, flow_id: str) -> None:
        self.deck = deck
        self.wire = wire
        self.flow_id = flow_id

    async def flow(self) -> Flow:
        """Read the flow."""
        return await self.deck.app.session.backend.flow(FlowId(self.flow_id))

    async def runs(self) -> list[FlowRun]:
        """Read the runs of the flow, whole."""
        backend = self.deck.app.session.backend
        page = await backend.page(RunQuery(flow_ids=(self.flow_id,)))
        return [await backend.run(row.id) for row in page.rows]

    async def opens_create(self) -> CreateScreen:
        """Open the form for a new run of the flow, the cursor in the required parameter."""
        self.deck.app.post_message(OpenCreate(await self.flow()))
        form = await self.deck.screen(CreateScreen)
        await self.deck.shows("day *", "region", "limit")
        await self.deck.press("tab", "tab", "tab", "tab")
        return form

    async def a_run(self, **inputs: object) -> FlowRun:
        """Make a run and read it."""
        parameters = {"day": "2026-11-22"}
        run_id = await asyncio.to_thread(
            lambda: self.wire.create_run(self.flow_id, **{"parameters": parameters, **inputs})
        )
        return await self.deck.app.session.backend.run(RunId(run_id))


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
async def flow_id(shared_wire: Wire) -> str:
    """A flow with three typed parameters."""
    return await asyncio.to_thread(shared_wire.create_flow, f"etl-{uuid4().hex[:8]}", PARAMETERS)


@pytest.fixture
async def desk(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str, size: tuple[int, int]
) -> AsyncIterator[Desk]:
    """A dashboard on the shared server."""
    async with dashboard(shared_server, size=size) as deck:
        yield Desk(deck, shared_wire, flow_id)


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


async def test_closing_keeps_a_draft_that_comes_back_whole(desk: Desk) -> None:
    await desk.opens_create()
    await desk.deck.write("2026-11-22")
    await desk.deck.press("escape")
    await desk.deck.screen(RunsScreen)
    (draft,) = desk.deck.app.session.drafts.all()
    assert draft.kind is DraftKind.CREATE
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.press("enter")
    form = await desk.deck.screen(CreateScreen)
    await desk.deck.shows("day *", "2026-11-22")
    assert form.query_one(KeyField).automatic == draft.fields["automatic_key"], "the key stays: a repeat is safe"


@pytest.mark.parametrize("size", [LARGE])
async def test_a_secret_is_never_shown(desk: Desk) -> None:
    parameters = [*PARAMETERS, {"name": "db_password", "annotation": "str"}]
    desk.flow_id = await asyncio.to_thread(desk.wire.create_flow, f"secret-{uuid4().hex[:8]}", parameters)
    await desk.opens_create()
    await desk.deck.write("2026-11-22")
    await desk.deck.press("tab", "tab", "tab")
    await desk.deck.write("canary")
    await desk.deck.shows("db_password=***", '"db_password": "***"')
    assert "canary" not in desk.deck.text
    await desk.deck.press("escape")
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.shows("new run of secret-", '"db_password": "***"')
    assert "canary" not in desk.deck.text
    await desk.deck.press("enter")
    await desk.deck.screen(CreateScreen)
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    assert (await desk.runs())[0].parameters == {
        "day": "2026-11-22",
        "region": "eu",
        "limit": 10,
        "db_password": "canary",
    }


async def test_a_draft_is_discarded_only_after_a_question(desk: Desk) -> None:
    await desk.opens_create()
    await desk.deck.write("2026")
    await desk.deck.press("escape")
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.press("X")
    await desk.deck.screen(ConfirmScreen)
    await desk.deck.press("enter")
    await desk.deck.screen(DraftsScreen)
    assert len(desk.deck.app.session.drafts.all()) == 1
    await desk.deck.press("X")
    await desk.deck.screen(ConfirmScreen)
    await desk.deck.press("tab", "enter")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.shows("no drafts")
    assert desk.deck.app.session.drafts.all() == []


async def test_typed_text_survives_an_end_without_closing(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with dashboard(shared_server) as deck:
        await Desk(deck, shared_wire, flow_id).opens_create()
        await deck.write("2026-11-22")
        drafts = deck.app.session.drafts
    (draft,) = drafts.all()
    assert "2026-11-22" in draft.fields["params"]


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


async def test_production_wants_the_name_of_what_is_deleted(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with dashboard(shared_server, production=True) as deck:
        desk = Desk(deck, shared_wire, flow_id)
        deck.app.post_message(OpenBulk("delete", [await desk.a_run(flow_run_name="amber-lynx")]))
        question = await deck.screen(DeleteScreen)
        await deck.shows("PROD", "type amber-lynx to confirm")
        assert question.query_one("#yes").disabled
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
    many = [run.model_copy(update={"id": RunId(str(uuid4())), "name": f"n{number}"}) for number in range(21)]
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
