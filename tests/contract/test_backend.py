"""What every backend promises (`api/backend.py`), kept by our server and by a Prefect 1 stand-in alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from flowlatch.api.backend import Kind, Locking
from flowlatch.errors import BadInput, NotFound, ReadOnly, Rejected, VersionConflict
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import FlowId, LogMark, NewRun, RunId
from flowlatch.model.state import StateDraft
from tests.contract.conftest import ACTOR, Place

NOBODY = RunId("00000000-0000-4000-8000-000000000000")


def unique(word: str) -> str:
    """Return a name that no other test uses."""
    return f"{word}-{uuid4().hex[:10]}"


async def make_flow(place: Place, name: str = "", parameters: Any = ()) -> FlowId:
    return await place.backend.create_flow(name or unique("flow"), project="tests", parameters=parameters)


async def make_run(place: Place, flow: FlowId | None = None, **inputs: Any) -> RunId:
    new = NewRun(flow_id=flow or await make_flow(place), **inputs)
    return (await place.backend.create_run(new)).id


async def test_capabilities_say_what_the_server_is(place: Place) -> None:
    found = place.backend.capabilities
    if place.is_ours:
        assert (found.kind, found.locking, found.has_push, found.has_actor) == (
            Kind.FLOWLATCH,
            Locking.ENFORCED,
            True,
            True,
        )
        assert found.server_id
        assert found.idempotency_window == timedelta(hours=24)
    else:
        assert (found.kind, found.locking, found.has_push, found.has_actor) == (
            Kind.PREFECT1,
            Locking.CHECKED,
            False,
            False,
        )
    assert found.version
    assert not found.read_only
    assert abs(await place.backend.server_now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert abs(place.backend.now() - datetime.now(UTC)) < timedelta(milliseconds=500)


async def test_a_created_run_reads_back_whole(place: Place) -> None:
    flow = await make_flow(place, parameters=[{"name": "day"}, {"name": "limit", "default": 0}])
    start = datetime(2031, 5, 1, 6, 30, tzinfo=UTC)
    run_id = await make_run(
        place, flow, parameters={"day": "x"}, labels=["b", "a"], scheduled_start_time=start, flow_run_name="morning"
    )
    run = await place.backend.run(run_id)
    assert (run.version, run.state, run.name, run.flow_id) == (1, "Scheduled", "morning", flow)
    assert run.parameters == {"day": "x", "limit": 0}
    assert run.labels == ["a", "b"]
    assert run.scheduled_start_time == run.state_start_time == start
    assert run.flow_version == 1
    assert run.raw is not None
    assert run.actor == (ACTOR if place.is_ours else None)


async def test_a_run_that_is_refused_says_why(place: Place) -> None:
    flow = await make_flow(place, parameters=[{"name": "day"}])
    with pytest.raises(Rejected, match="day"):
        await make_run(place, flow)
    with pytest.raises(Rejected):
        await make_run(place, FlowId(str(NOBODY)))
    with pytest.raises(Rejected):
        await make_run(place, flow, parameters={"day": 1}, scheduled_start_time="next week")


async def test_the_same_key_is_the_same_run(place: Place) -> None:
    flow = await make_flow(place, parameters=[{"name": "day"}])
    key = unique("key")
    first = await place.backend.create_run(NewRun(flow_id=flow, idempotency_key=key, parameters={"day": 1}))
    again = await place.backend.create_run(NewRun(flow_id=flow, idempotency_key=key, parameters={"day": 1}))
    other = await place.backend.create_run(NewRun(flow_id=flow, idempotency_key=key, parameters={"day": 2}))
    assert not first.replayed
    assert first.id == again.id == other.id
    assert again.replayed
    assert again.mismatch == []
    assert other.mismatch == ["parameters"]
    assert (await place.backend.run(first.id)).parameters == {"day": 1}
    if place.is_ours:
        assert again.expires_at is not None
        assert again.expires_at > datetime.now(UTC) + timedelta(hours=23)
        assert (await place.backend.run(first.id)).idempotency is not None


async def test_a_state_is_set_on_its_version(place: Place) -> None:
    run_id = await make_run(place)
    new = await place.backend.set_state(run_id, 1, StateDraft(type="Running"))
    assert new == 2
    assert await place.backend.set_state(run_id, 2, StateDraft(type="Success", message="It worked!")) == 3
    run = await place.backend.run(run_id)
    assert (run.version, run.state, run.state_message) == (3, "Success", "It worked!")
    history = await place.backend.history(run_id)
    assert [(state.version, state.name) for state in history] == [(1, "Scheduled"), (2, "Running"), (3, "Success")]
    assert [state.version for state in await place.backend.history(run_id, after_version=2)] == [3]
    assert history[-1].actor == (ACTOR if place.is_ours else None)
    assert history[-1].serialized == {"type": "Success", "message": "It worked!"}


@pytest.mark.parametrize("stale", [0, 1, 3, -1])
async def test_a_stale_version_writes_nothing_and_tells_what_is_there(place: Place, stale: int) -> None:
    run_id = await make_run(place)
    await place.backend.set_state(run_id, 1, StateDraft(type="Failed", message="theirs"))
    with pytest.raises(VersionConflict) as caught:
        await place.backend.set_state(run_id, stale, StateDraft(type="Success", message="mine"))
    conflict = caught.value
    assert (conflict.run_id, conflict.expected_version) == (run_id, stale)
    assert (conflict.version, conflict.state, conflict.message) == (2, "Failed", "theirs")
    assert not conflict.overwrote
    assert [state.name for state in await place.backend.history(run_id)] == ["Scheduled", "Failed"]


async def test_of_many_with_one_version_one_wins(place: Place) -> None:
    run_id = await make_run(place)
    drafts = [StateDraft(type="Failed", message=f"writer {number}") for number in range(8)]
    outcomes = await asyncio.gather(
        *(place.backend.set_state(run_id, 1, draft) for draft in drafts), return_exceptions=True
    )
    won = [draft.message for draft, outcome in zip(drafts, outcomes, strict=True) if outcome == 2]
    assert len(won) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 7
    history = await place.backend.history(run_id)
    assert history[1].message == won[0]
    if place.is_ours:
        assert len(history) == 2


async def test_an_overwrite_that_slipped_in_is_a_conflict_after_the_fact(place: Place) -> None:
    if place.stand_in is None:
        pytest.skip("only a server that does not lock can be overwritten")
    run_id = await make_run(place)

    async def colleague() -> None:
        await asyncio.to_thread(place.wire.set_state, run_id, 1, "Failed", "slipped in")

    place.stand_in.before_change = colleague
    with pytest.raises(VersionConflict, match="overwritten") as caught:
        await place.backend.set_state(run_id, 1, StateDraft(type="Success", message="mine"))
    assert caught.value.overwrote
    assert (caught.value.version, caught.value.message) == (2, "slipped in")
    assert [state.message for state in await place.backend.history(run_id, after_version=1)] == ["slipped in", "mine"]


async def test_what_does_not_exist_is_not_found(place: Place) -> None:
    backend = place.backend
    for question in (
        backend.run(NOBODY),
        backend.set_state(NOBODY, 1, StateDraft(type="Success")),
        backend.cancel_run(NOBODY),
        backend.rename_run(NOBODY, "x"),
        backend.set_labels(NOBODY, ["x"]),
        backend.flow(FlowId(str(NOBODY))),
        backend.archive_flow(FlowId(str(NOBODY))),
    ):
        with pytest.raises(NotFound):
            await question
    assert await backend.history(NOBODY) == []
    assert await backend.delete_run(NOBODY) is False


@pytest.mark.parametrize("run_id", ["no-uuid", "", "'; DROP TABLE flow_run; --"])
async def test_an_id_of_no_form_is_refused(place: Place, run_id: str) -> None:
    with pytest.raises(Rejected):
        await place.backend.run(RunId(run_id))
    with pytest.raises(Rejected):
        await place.backend.set_state(RunId(run_id), 1, StateDraft(type="Success"))


@pytest.mark.parametrize("draft", [StateDraft(type="success"), StateDraft(type="Success", extra={"_result": None})])
async def test_a_state_that_is_none_is_refused_and_writes_nothing(place: Place, draft: StateDraft) -> None:
    run_id = await make_run(place)
    with pytest.raises(Rejected):
        await place.backend.set_state(run_id, 1, draft)
    assert (await place.backend.run(run_id)).version == 1


async def test_cancelling_deleting_renaming_labelling(place: Place) -> None:
    backend = place.backend
    waiting, running = await make_run(place), await make_run(place)
    await backend.set_state(running, 1, StateDraft(type="Running"))
    assert await backend.cancel_run(waiting) == "Cancelled"
    assert await backend.cancel_run(running) == "Cancelling"
    assert await backend.cancel_run(waiting) == "Cancelled"
    await backend.rename_run(running, "another name")
    await backend.set_labels(running, ["z", "a"])
    run = await backend.run(running)
    assert (run.name, run.labels, run.version) == ("another name", ["a", "z"], 3)
    with pytest.raises(Rejected):
        await backend.rename_run(running, "")
    assert await backend.delete_run(waiting) is True
    assert await backend.delete_run(waiting) is False
    with pytest.raises(NotFound):
        await backend.run(waiting)


async def names(place: Place, **conditions: Any) -> list[str]:
    page = await place.backend.page(RunQuery(sort=Sort(key=SortKey.NAME, descending=False), **conditions))
    assert page.total == len(page.rows)
    assert page.unreadable == 0
    return [run.name for run in page.rows]


async def test_a_page_meets_every_condition(place: Place) -> None:
    mark = unique("etl")
    flow = await make_flow(place, f"{mark}_100%")
    other = await make_flow(place, f"{mark}_1000")
    past, future = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    key = unique("Key")
    await make_run(place, flow, flow_run_name="a-late", scheduled_start_time=past, labels=["x", "y"])
    await make_run(place, flow, flow_run_name="b-future", scheduled_start_time=future, idempotency_key=key)
    failed = await make_run(place, flow, flow_run_name="c-failed", scheduled_start_time=past, labels=["x"])
    await make_run(place, other, flow_run_name="d-other", scheduled_start_time=future)
    await place.backend.set_state(failed, 1, StateDraft(type="Failed", message="Timeout at S3"))
    everything = ["a-late", "b-future", "c-failed", "d-other"]
    assert await names(place, flow=mark) == everything
    assert await names(place, flow=mark.upper()) == everything
    assert await names(place, flow=f"{mark}*") == everything
    assert await names(place, flow=f"{mark}_100%") == ["a-late", "b-future", "c-failed"]
    assert await names(place, flow="*100%", text=mark) == ["a-late", "b-future", "c-failed"]
    assert await names(place, flow=mark, states=("Failed", "TimedOut")) == ["c-failed"]
    assert await names(place, flow=mark, not_states=("Scheduled",)) == ["c-failed"]
    assert await names(place, flow=mark, late=True) == ["a-late"]
    assert await names(place, flow=mark, late=True, states=("Failed",)) == ["a-late", "c-failed"]
    assert await names(place, flow=mark, not_flow="*100%") == ["d-other"]
    assert await names(place, flow=mark, not_labels=("y", "z")) == ["b-future", "c-failed", "d-other"]
    assert await names(place, flow_ids=(other,)) == ["d-other"]
    assert await names(place, flow=mark, labels=("x",)) == ["a-late", "c-failed"]
    assert await names(place, flow=mark, labels=("x", "y")) == ["a-late"]
    assert await names(place, flow=mark, name="FAIL") == ["c-failed"]
    assert await names(place, key=key) == ["b-future"]
    assert await names(place, key=key[:-2] + "*") == ["b-future"]
    assert await names(place, key=key[:-2]) == []
    assert await names(place, ids=(failed,)) == ["c-failed"]
    assert await names(place, flow=mark, id_prefix=failed[:11].upper()) == ["c-failed"]
    assert await names(place, flow=mark, since=future) == ["b-future", "d-other"]
    assert await names(place, flow=mark, until=future) == ["a-late", "c-failed"]
    assert await names(place, flow=mark, text="timeout at s3") == ["c-failed"]
    assert await names(place, flow=mark, not_text="timeout") == ["a-late", "b-future", "d-other"]
    assert await names(place, flow=mark, not_text="late") == ["b-future", "c-failed", "d-other"]
    assert await names(place, flow=mark, text="%") == ["a-late", "b-future", "c-failed"]


@pytest.mark.parametrize("key", list(SortKey))
async def test_pages_in_any_order_hold_each_run_once(place: Place, key: SortKey) -> None:
    flow = await make_flow(place)
    made = {await make_run(place, flow) for _ in range(5)}
    finished = next(iter(made))
    await place.backend.set_state(finished, 1, StateDraft(type="Running"))
    await place.backend.set_state(finished, 2, StateDraft(type="Success", message="m"))
    for descending in (True, False):
        seen: list[str] = []
        for offset in (0, 2, 4):
            query = RunQuery(flow_ids=(flow,), sort=Sort(key=key, descending=descending), limit=2, offset=offset)
            page = await place.backend.page(query)
            assert page.total == 5
            seen += [run.id for run in page.rows]
        assert len(seen) == 5
        assert set(seen) == made
        if key is SortKey.DURATION:
            assert seen[0] == finished, "rows without a value come last"


async def test_counts_come_in_one_request(place: Place) -> None:
    flow = await make_flow(place)
    for _ in range(3):
        await make_run(place, flow)
    failed = await make_run(place, flow)
    await place.backend.set_state(failed, 1, StateDraft(type="Failed"))
    before = place.backend.traffic.requests
    counts = await place.backend.counts(
        {"All": RunQuery(flow_ids=(flow,)), "Failed": RunQuery(flow_ids=(flow,), states=("Failed",)), "any": RunQuery()}
    )
    assert place.backend.traffic.requests == before + 1
    assert (counts["All"].value, counts["Failed"].value) == (4, 1)
    assert counts["any"].value >= 4
    assert await place.backend.counts({}) == {}


async def test_flows_are_listed_by_name_in_their_newest_version(place: Place) -> None:
    mark = unique("flow")
    first = await make_flow(place, f"{mark}-b")
    second = await make_flow(place, f"{mark}-b", parameters=[{"name": "n", "default": 1, "annotation": "int"}])
    other = await make_flow(place, f"{mark}-a")
    found = await place.backend.flows(text=mark.upper())
    assert [(flow.id, flow.version) for flow in found] == [(other, 1), (second, 2)]
    flow = await place.backend.flow(second)
    assert (flow.project, flow.parameters[0].name, flow.parameters[0].default) == ("tests", "n", 1)
    assert flow.parameters[0].annotation == "int"
    assert (await place.backend.flow(first)).archived
    await place.backend.archive_flow(other)
    assert [flow.id for flow in await place.backend.flows(text=mark)] == [second]
    assert [flow.id for flow in await place.backend.flows(text=mark, archived=True)] == [other, second]
    await place.backend.set_schedule_active(second, True)
    await place.backend.set_schedule_active(second, False)
    with pytest.raises(Rejected):
        await make_run(place, other)


async def test_logs_are_read_in_order_and_followed(place: Place) -> None:
    run_id = await make_run(place)
    await asyncio.to_thread(place.wire.log, run_id, *(f"line {number}" for number in range(6)))
    lines = await place.backend.logs(run_id, limit=4)
    assert len(lines) == 4
    assert [line.message for line in await place.backend.logs(run_id)] == [f"line {number}" for number in range(6)]
    mark = LogMark(arrived=datetime.fromtimestamp(0, UTC))
    mark = mark.behind(await place.backend.logs(run_id, after=mark))
    assert mark.taken == 6, "one request, one arrival"
    assert await place.backend.logs(run_id, after=mark) == []
    await asyncio.to_thread(place.wire.log, run_id, "one more", level="ERROR")
    more = await place.backend.logs(run_id, after=mark)
    assert [(line.message, line.level) for line in more] == [("one more", "ERROR")]


async def test_lines_that_arrive_late_are_not_missed(place: Place) -> None:
    """A runner sends its lines in batches, so an hour-old line may arrive behind a new one. Pages miss none of them."""
    run_id = await make_run(place)
    mark = LogMark(arrived=datetime.fromtimestamp(0, UTC))
    document = "mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }"
    for timestamp, count in (("2026-11-24T12:00:00+00:00", 1), ("2026-11-24T11:00:00+00:00", 250)):
        lines = [{"flow_run_id": run_id, "timestamp": timestamp, "message": f"{n}"} for n in range(count)]
        await asyncio.to_thread(place.wire.data, document, {"input": {"logs": lines}})
        read: list[str] = []
        while page := await place.backend.logs(run_id, after=mark, limit=100):
            read += [line.message for line in page]
            mark = mark.behind(page)
        assert sorted(read, key=int) == [f"{n}" for n in range(count)]


async def test_task_runs_come_in_the_flows_order(place: Place) -> None:
    flow = FlowId(await asyncio.to_thread(place.wire.create_flow, unique("tasks"), tasks=["extract", "load"]))
    run_id = await make_run(place, flow)
    tasks = await place.backend.task_runs(run_id)
    assert [(task.task_slug, task.map_index, task.state) for task in tasks] == [
        ("extract", -1, "Pending"),
        ("load", -1, "Pending"),
    ]
    assert await place.backend.agents() == []


async def news_of(batches: AsyncIterator[ChangeBatch], run_id: RunId, version: int = 0) -> RunChange:
    """Return the next change of a run with at least `version`, or of its end; others and repeats are allowed."""
    async for batch in batches:
        for change in batch.changes:
            if change.id == run_id and (change.run is None or change.run.version >= version):
                return change
    raise AssertionError("watching ended")


async def test_changes_are_seen_as_they_come(place: Place) -> None:
    flow = await make_flow(place)
    async with asyncio.timeout(20), aclosing(place.backend.watch()) as batches:  # type: ignore[type-var]
        first = await anext(batches)
        assert first.changes == []
        assert not first.resync
        run_id = await make_run(place, flow)
        change = await news_of(batches, run_id)
        assert change.kind is ChangeKind.ADDED
        assert change.run is not None
        assert (change.run.version, change.run.state) == (1, "Scheduled")
        await place.backend.set_state(run_id, 1, StateDraft(type="Failed", message="m"))
        change = await news_of(batches, run_id, 2)
        assert change.kind is ChangeKind.UPDATED
        assert change.run is not None
        assert (change.run.state, change.run.state_message) == ("Failed", "m")


async def test_watching_goes_on_from_a_cursor(place: Place) -> None:
    flow = await make_flow(place)
    async with asyncio.timeout(20), aclosing(place.backend.watch()) as batches:  # type: ignore[type-var]
        cursor = (await anext(batches)).cursor
    run_id = await make_run(place, flow)
    async with asyncio.timeout(20), aclosing(place.backend.watch(since=cursor)) as batches:  # type: ignore[type-var]
        assert (await news_of(batches, run_id)).run is not None
    with pytest.raises((Rejected, BadInput), match="cursor"):
        async with aclosing(place.backend.watch(since="no cursor")) as batches:  # type: ignore[type-var]
            await anext(batches)


async def test_connecting_tells_where_changes_count_from(place: Place) -> None:
    if not place.is_ours:
        assert place.backend.start_cursor is None
        return
    flow = await make_flow(place)
    await place.backend.connect()
    run_id = await make_run(place, flow)
    since = place.backend.start_cursor
    async with asyncio.timeout(20), aclosing(place.backend.watch(since=since)) as batches:  # type: ignore[type-var]
        assert (await news_of(batches, run_id)).kind is ChangeKind.ADDED


async def test_watching_some_runs_sees_only_those_and_their_end(place: Place) -> None:
    flow = await make_flow(place)
    mine, other = await make_run(place, flow), await make_run(place, flow)
    async with asyncio.timeout(20), aclosing(place.backend.watch(ids=[mine])) as batches:  # type: ignore[type-var]
        await anext(batches)
        await anext(batches) if not place.is_ours else None
        await place.backend.set_state(other, 1, StateDraft(type="Failed"))
        await place.backend.delete_run(mine)
        async for batch in batches:
            assert other not in {change.id for change in batch.changes}
            if batch.changes:
                break
        assert [(change.id, change.kind, change.run) for change in batch.changes] == [(mine, ChangeKind.GONE, None)]


async def test_any_document_can_be_sent(place: Place) -> None:
    run_id = await make_run(place)
    document = "query($id: uuid!) { flow_run_by_pk(id: $id) { version } }"
    assert await place.backend.graphql(document, {"id": run_id}) == {"flow_run_by_pk": {"version": 1}}
    with pytest.raises(Rejected, match="nonsense"):
        await place.backend.graphql("{ nonsense }")


async def test_a_read_only_connection_sends_no_change(place: Place) -> None:
    run_id = await make_run(place)
    backend = place.open(read_only=True)
    assert (await backend.connect()).read_only
    sent = backend.traffic.requests
    for change in (
        backend.create_run(NewRun(flow_id=FlowId(str(NOBODY)))),
        backend.cancel_run(run_id),
        backend.delete_run(run_id),
        backend.graphql('mutation { delete_flow_run(input: {flow_run_id: "x"}) { success } }'),
        backend.graphql("mutation {"),
    ):
        with pytest.raises(ReadOnly):
            await change
    assert backend.traffic.requests == sent
    with pytest.raises(ReadOnly):
        await backend.set_state(run_id, 1, StateDraft(type="Success"))
    assert (await backend.run(run_id)).version == 1
    await backend.aclose()


async def test_a_log_longer_than_an_answer_may_be_comes_in_pages(place: Place) -> None:
    """25 lines of a megabyte are more than an answer of 16 MB holds; each line is there once, in its order."""
    run_id = await make_run(place)
    for number in range(25):
        await asyncio.to_thread(place.wire.log, run_id, f"{number:02d}" + "x" * 900_000)
    lines = await place.backend.logs(run_id, limit=24)
    assert [line.message[:2] for line in lines] == [f"{number:02d}" for number in range(1, 25)]
    mark = LogMark(arrived=datetime.fromtimestamp(0, UTC))
    assert len(await place.backend.logs(run_id, after=mark)) == 25
