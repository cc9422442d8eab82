"""Setting a flow run's state: versions, documents, timing, special rules. Source: contract.md §4, §5; P4."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from flowlatch.model.state import StateType, is_finished
from flowlatch.store.base import NOBODY, Origin, Refusal
from flowlatch.store.operations import flow_run_edits, flow_run_states, task_runs
from flowlatch.store.operations.states import FINISHED
from tests.store.world import World


async def set_state(world: World, run_id: str, version: Any, state: Any, origin: Origin = NOBODY) -> Any:
    return await world(flow_run_states.set_flow_run_state, origin, flow_run_id=run_id, version=version, state=state)


async def refusal_of(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await awaitable
    return refused.value


async def stored_state(world: World, run_id: str) -> dict[str, Any]:
    (row,) = await world.rows(
        "SELECT serialized_state FROM flow_run_state WHERE id = (SELECT state_id FROM flow_run WHERE id = :id)",
        id=run_id,
    )
    return dict(json.loads(row["serialized_state"]))


def test_finished_types_are_those_of_the_model() -> None:
    assert {str(kind) for kind in StateType if is_finished(kind)} == FINISHED


async def test_each_accepted_state_adds_one_version_and_one_row(world: World) -> None:
    run_id = await world.run()
    answer = await set_state(world, run_id, 1, {"type": "Success", "message": "It worked!"}, Origin(actor="ann"))
    assert answer == {"id": run_id, "status": "SUCCESS", "message": None, "version": 2}
    row = await world.row("flow_run", run_id)
    assert (row["version"], row["state"], row["state_message"], row["actor"]) == (2, "Success", "It worked!", "ann")
    history = await world.row("flow_run_state", row["state_id"])
    assert (history["version"], history["actor"], history["timestamp"]) == (2, "ann", row["state_timestamp"])
    assert await stored_state(world, run_id) == {"type": "Success", "message": "It worked!"}


@pytest.mark.parametrize("version", [0, -1, 2, 2**31 - 1])
async def test_stale_version_writes_nothing_and_tells_what_is(world: World, version: int) -> None:
    run_id = await world.run()
    before = await world.row("flow_run", run_id)
    refusal = await refusal_of(set_state(world, run_id, version, {"type": "Success"}))
    assert refusal.code == "VERSION_LOCKING_ERROR"
    assert refusal.extensions == {
        "flow_run_id": run_id,
        "expected_version": version,
        "current": {
            "version": 1,
            "state": "Scheduled",
            "message": before["state_message"],
            "timestamp": before["state_timestamp"],
            "actor": None,
        },
    }
    assert await world.row("flow_run", run_id) == before
    assert await world.history(run_id) == [(1, "Scheduled")]


async def test_singular_form_demands_a_version_and_plural_does_not(world: World) -> None:
    run_id = await world.run()
    assert (await refusal_of(set_state(world, run_id, None, {"type": "Success"}))).code == "BAD_USER_INPUT"
    assert await world.set(run_id, None, "Running") == 2


async def test_32_writers_on_one_version_have_one_winner_each_round(world: World) -> None:
    run_id = await world.run()
    for version in range(1, 6):
        outcomes = await asyncio.gather(
            *(set_state(world, run_id, version, {"type": "Running", "message": str(n)}) for n in range(32)),
            return_exceptions=True,
        )
        won = [outcome for outcome in outcomes if isinstance(outcome, dict)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert [outcome["version"] for outcome in won] == [version + 1]
        assert {refusal.code for refusal in lost} == {"VERSION_LOCKING_ERROR"}
        assert len(won) + len(lost) == 32
    assert [version for version, _ in await world.history(run_id)] == [1, 2, 3, 4, 5, 6]


async def test_two_stores_on_one_file_have_one_winner(tmp_path: Path) -> None:
    worlds = [await World.open(tmp_path), await World.open(tmp_path)]
    run_id = await worlds[0].run()
    outcomes = await asyncio.gather(
        *(set_state(world, run_id, 1, {"type": "Running"}) for _ in range(8) for world in worlds),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, dict) for outcome in outcomes) == 1
    assert await worlds[1].history(run_id) == [(1, "Scheduled"), (2, "Running")]
    for world in worlds:
        await world.store.close()


async def test_history_is_linear_under_mixed_writers(world: World) -> None:
    """Every acknowledged (version, message) is in the history, in version order, without a gap."""
    run_id = await world.run()
    acknowledged: dict[int, str] = {}

    async def writer(number: int) -> None:
        for turn in range(20):
            seen = (await world.row("flow_run", run_id))["version"]
            message = f"{number}/{turn}"
            state = {"type": "Running", "message": message}
            answer: Any
            (answer,) = await asyncio.gather(set_state(world, run_id, seen, state), return_exceptions=True)
            if isinstance(answer, Refusal):
                assert answer.extensions["current"]["version"] > seen
            else:
                assert answer["version"] == seen + 1
                assert seen + 1 not in acknowledged
                acknowledged[seen + 1] = message

    await asyncio.gather(*(writer(number) for number in range(16)))
    rows = await world.rows("SELECT version, message, timestamp FROM flow_run_state ORDER BY version")
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["version"]: row["message"] for row in rows[1:]} == acknowledged
    timestamps = [row["timestamp"] for row in rows]
    assert timestamps == sorted(set(timestamps))  # strictly increasing, on a clock that stands still


async def test_batch_is_all_or_nothing_and_names_the_entry(world: World) -> None:
    one, two = await world.run(), await world.run()
    states = [
        {"flow_run_id": one, "version": 1, "state": {"type": "Running"}},
        {"flow_run_id": one, "version": 2, "state": {"type": "Success"}},
        {"flow_run_id": two, "version": 7, "state": {"type": "Success"}},
    ]
    refusal = await refusal_of(world(flow_run_states.set_flow_run_states, states=states))
    assert (refusal.code, refusal.extensions["flow_run_id"]) == ("VERSION_LOCKING_ERROR", two)
    assert refusal.message.startswith("states[2]: ")
    assert await world.history(one) == [(1, "Scheduled")]
    states[2]["version"] = None
    answer = await world(flow_run_states.set_flow_run_states, states=states)
    assert [(state["id"], state["version"]) for state in answer["states"]] == [(one, 2), (one, 3), (two, 2)]


async def test_batch_over_1000_is_refused(world: World) -> None:
    states = [{"flow_run_id": "x", "version": 1, "state": {}}] * 1001
    refusal = await refusal_of(world(flow_run_states.set_flow_run_states, states=states))
    assert refusal.code == "BAD_USER_INPUT"
    assert await world(flow_run_states.set_flow_run_states, states=[]) == {"states": []}


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        "Success",
        {},
        {"type": None},
        {"type": "success"},
        {"type": "State"},
        {"type": "MetaState"},
        {"type": "Success", "message": 1},
        {"type": "Success", "_result": None},
        {"type": "Success", "_result": []},
        {"type": "Success", "context": []},
        {"type": "Success", "cached_inputs": "x"},
        {"type": "Looped", "loop_count": None},
        {"type": "Scheduled", "start_time": "soon"},
        {"type": "Scheduled", "start_time": 5},
        {"type": "Scheduled", "start_time": "2026-02-30T00:00:00"},
        {"type": "Success", "x": float("inf")},
        {"type": "Success", "x": "\ud800"},
        {"type": "Success", "message": "a\0"},
        {"type": "Success", "message": "x" * 1_000_000},
    ],
)
async def test_bad_state_is_refused_and_changes_nothing(world: World, state: Any) -> None:
    run_id = await world.run()
    before = await world.row("flow_run", run_id)
    refusal = await refusal_of(set_state(world, run_id, 1, state))
    assert refusal.code == "BAD_USER_INPUT"
    assert len(refusal.message) < 500
    assert await world.row("flow_run", run_id) == before


async def test_long_message_and_unknown_keys_are_kept_in_order(world: World) -> None:
    run_id = await world.run()
    state = {"zeta": [1, {"b": 1, "a": 2}], "type": "Failed", "message": "x" * 900_000, "alpha": 10**40}
    await set_state(world, run_id, 1, state)
    kept = await stored_state(world, run_id)
    assert kept == state
    assert list(kept) == list(state)


@pytest.mark.parametrize("kind", [str(kind) for kind in StateType])
async def test_every_type_can_follow_any_state(world: World, kind: str) -> None:
    run_id = await world.run()
    await world.set(run_id, 1, "Success")
    assert await world.set(run_id, 2, kind) == 3
    assert await world.set(run_id, 3, "Scheduled") == 4


@pytest.mark.parametrize(
    ("state", "start_time"),
    [
        ({"type": "Scheduled"}, "2026-03-02T09:00:00.000000+00:00"),
        ({"type": "Retrying"}, "2026-03-02T09:00:00.000000+00:00"),
        ({"type": "Queued"}, "2026-03-02T09:00:00.000000+00:00"),
        ({"type": "Resume"}, "2026-03-02T09:00:00.000000+00:00"),
        ({"type": "Paused"}, None),
        ({"type": "Scheduled", "start_time": None}, None),
        ({"type": "Scheduled", "start_time": "2026-05-01 10:00:00"}, "2026-05-01T10:00:00.000000+00:00"),
        ({"type": "Scheduled", "start_time": "2026-05-01T10:00:00.5+0200"}, "2026-05-01T08:00:00.500000+00:00"),
        ({"type": "Running", "start_time": "whatever"}, None),
    ],
)
async def test_start_time_of_the_scheduled_family(world: World, state: dict[str, Any], start_time: str | None) -> None:
    run_id = await world.run()
    await set_state(world, run_id, 1, state)
    assert (await world.row("flow_run", run_id))["state_start_time"] == start_time
    kept = await stored_state(world, run_id)
    if state["type"] == "Running":
        assert kept == state
    else:
        assert kept.get("start_time") == start_time


async def test_wrapped_state_of_submitted_is_kept(world: World) -> None:
    run_id = await world.run()
    inner = {"type": "Scheduled", "start_time": "2026-01-01T00:00:00+00:00"}
    await set_state(world, run_id, 1, {"type": "Submitted", "state": inner})
    assert (await stored_state(world, run_id))["state"] == inner


async def test_start_end_and_duration_follow_the_states(world: World) -> None:
    run_id = await world.run()
    await world.set(run_id, 1, "Running")
    first = (await world.row("flow_run", run_id))["start_time"]
    world.clock.move(seconds=62.5)
    await world.set(run_id, 2, "Success")
    row = await world.row("flow_run", run_id)
    assert (row["start_time"], row["end_time"]) == (first, "2026-03-02T09:01:02.500000+00:00")
    assert row["duration"] == 62_499_999  # its states are a microsecond apart on a clock that stands still
    world.clock.move(hours=1)
    await world.set(run_id, 3, "Scheduled")
    scheduled = await world.row("flow_run", run_id)
    assert (scheduled["start_time"], scheduled["end_time"]) == (first, row["end_time"])
    await world.set(run_id, 4, "Running")
    await world.set(run_id, 5, "Failed")
    ended = await world.row("flow_run", run_id)
    assert ended["start_time"] == first
    assert ended["end_time"] > row["end_time"]


async def test_what_a_state_repeats_stays_and_what_it_lacks_is_emptied(world: World) -> None:
    run_id = await world.run()
    state = {"type": "Scheduled", "message": "later", "start_time": "2026-05-01T10:00:00.000000+00:00"}
    columns = ("state", "state_message", "state_start_time", "actor")
    told = []
    for version, (given, origin) in enumerate(
        [(state, Origin(actor="ada")), (state, Origin(actor="ada")), ({"type": "Running"}, NOBODY)], 1
    ):
        await set_state(world, run_id, version, given, origin)
        row = await world.row("flow_run", run_id)
        told.append([row[column] for column in columns])
    scheduled = ["Scheduled", "later", "2026-05-01T10:00:00.000000+00:00", "ada"]
    assert told == [scheduled, scheduled, ["Running", None, None, None]]


@pytest.mark.parametrize(("kind", "beats"), [("Running", True), ("Submitted", True), ("Success", False)])
async def test_heartbeat_is_set_by_running_and_submitted(world: World, kind: str, beats: bool) -> None:
    run_id = await world.run()
    await world.set(run_id, 1, kind)
    assert ((await world.row("flow_run", run_id))["heartbeat"] is not None) is beats


async def test_second_submitted_is_refused_and_names_no_version(world: World) -> None:
    run_id = await world.run()
    await world.set(run_id, 1, "Submitted", Origin(agent_id="agent-1"))
    assert (await world.row("flow_run", run_id))["agent_id"] == "agent-1"
    for version in (1, 2, None):
        refusal = await refusal_of(world.set(run_id, version, "Submitted", Origin(agent_id="agent-2")))
        assert refusal.code == "CONFLICT"
        assert "State update failed" in refusal.message
    assert (await world.row("flow_run", run_id))["agent_id"] == "agent-1"
    refusal = await refusal_of(world.set(await world.run(), 9, "Submitted"))
    assert "State update failed" in refusal.message


async def test_agents_late_failure_is_accepted_on_the_version_before(world: World) -> None:
    run_id = await world.run()
    agent = Origin(agent_id="agent-1")
    await world.set(run_id, 1, "Submitted", agent)
    for origin, kind, version in (
        (Origin(agent_id="agent-2"), "Failed", 1),
        (Origin(), "Failed", 1),
        (agent, "Success", 1),
        (agent, "Failed", 0),
    ):
        refusal = await refusal_of(world.set(run_id, version, kind, origin))
        assert refusal.code == "VERSION_LOCKING_ERROR"
    assert await world.set(run_id, 1, "Failed", agent) == 3
    assert (await refusal_of(world.set(run_id, 2, "Failed", agent))).code == "VERSION_LOCKING_ERROR"


@pytest.mark.parametrize(
    ("before", "after", "version"),
    [
        ("Scheduled", "Cancelled", 3),
        ("Submitted", "Cancelled", 3),
        ("Running", "Cancelling", 3),
        ("Cancelling", "Cancelling", 2),
        ("Success", "Success", 2),
        ("Cancelled", "Cancelled", 2),
    ],
)
async def test_cancel_depends_on_the_state(world: World, before: str, after: str, version: int) -> None:
    run_id = await world.run()
    await world.set(run_id, 1, before)
    answer = await world(flow_run_states.cancel_flow_run, flow_run_id=run_id)
    assert answer == {"id": run_id, "state": after, "version": version}
    assert (await world.row("flow_run", run_id))["version"] == version


async def test_cancelled_run_cancels_its_unfinished_task_runs(world: World) -> None:
    run_id = await world.run(await world.flow(tasks=[{"slug": "a"}, {"slug": "b"}]))
    await world.set(run_id, 1, "Running")
    first = (await world.rows("SELECT id FROM task_run ORDER BY seq"))[0]["id"]
    await world(task_runs.set_task_run_state, task_run_id=first, version=0, state={"type": "Success"})
    await world.set(run_id, 2, "Cancelled")
    rows = await world.rows("SELECT state, version FROM task_run ORDER BY seq")
    assert rows == [{"state": "Success", "version": 1}, {"state": "Cancelled", "version": 1}]


async def test_unknown_run_is_not_found(world: World) -> None:
    for awaitable in (
        set_state(world, "nothing", 1, {"type": "Success"}),
        world(flow_run_states.cancel_flow_run, flow_run_id="nothing"),
    ):
        assert (await refusal_of(awaitable)).code == "NOT_FOUND"


async def test_run_deleted_between_reading_and_writing_is_not_found(world: World) -> None:
    run_id = await world.run()
    await world(flow_run_edits.delete_flow_run, flow_run_id=run_id)
    assert (await refusal_of(set_state(world, run_id, 1, {"type": "Success"}))).code == "NOT_FOUND"
