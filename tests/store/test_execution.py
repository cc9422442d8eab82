"""What an agent and a runner send: task runs, logs, agents, queue, artifacts. Source: contract.md §2.4, §2.6, §5."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from flowlatch.store.base import NOBODY, Origin, Refusal
from flowlatch.store.operations import agents, artifacts, logs, task_runs, tenants
from tests.store.world import START, World


async def refusal_of(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await awaitable
    return refused.value


async def set_task(world: World, task_run_id: str, version: int | None, kind: str, **state: Any) -> int:
    entry = {"task_run_id": task_run_id, "version": version, "state": {"type": kind, **state}}
    answer = await world(task_runs.set_task_run_states, states=[entry])
    return int(answer["states"][0]["version"])


async def running(world: World) -> tuple[str, str]:
    """Return a Running run and the id of its flow's task."""
    run_id = await world.run(await world.flow(tasks=[{"slug": "a"}]))
    await world.set(run_id, 1, "Submitted")
    await world.set(run_id, 2, "Running")
    return run_id, (await world.rows("SELECT id FROM task"))[0]["id"]


async def test_task_run_is_found_or_made_once(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id, map_index=-1)
    assert (info["version"], info["state"], info["serialized_state"]["type"]) == (0, "Pending", "Pending")
    assert await world.count("task_run") == 1
    children = await asyncio.gather(
        *(
            world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id, map_index=index)
            for index in (0, 1, 0, 1)
        )
    )
    assert children[0]["id"] == children[2]["id"] != children[1]["id"] == children[3]["id"]
    assert await world(task_runs.task_run_info, task_run_id=info["id"]) == info
    unknown: list[dict[str, Any]] = [{"flow_run_id": "x", "task_id": task_id}, {"flow_run_id": run_id, "task_id": "x"}]
    for inputs in unknown:
        assert (await refusal_of(world(task_runs.get_or_create_task_run_info, **inputs))).code == "NOT_FOUND"
    assert (await refusal_of(world(task_runs.task_run_info, task_run_id="x"))).code == "NOT_FOUND"


async def test_retry_sequence_counts_versions_and_runs(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run, flow_run_id=run_id, task_id=task_id)
    task_run = info["id"]
    versions = [
        await set_task(world, task_run, 0, "Running"),
        await set_task(world, task_run, None, "Failed"),
        await set_task(world, task_run, None, "Retrying"),
        await set_task(world, task_run, 3, "Running"),
        await set_task(world, task_run, None, "Looped", loop_count=1),
        await set_task(world, task_run, 5, "Running"),
        await set_task(world, task_run, None, "Success"),
    ]
    assert versions == [1, 2, 3, 4, 5, 6, 7]
    row = await world.row("task_run", task_run)
    assert (row["run_count"], row["state"], row["version"]) == (2, "Success", 7)  # three Running, one Looped
    history = await world.rows("SELECT version FROM task_run_state ORDER BY seq")
    assert [state["version"] for state in history] == list(range(8))


async def test_stale_task_run_version_tells_what_is(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id)
    refusal = await refusal_of(
        world(task_runs.set_task_run_state, task_run_id=info["id"], version=1, state={"type": "Running"})
    )
    assert refusal.code == "VERSION_LOCKING_ERROR"
    assert refusal.extensions["task_run_id"] == info["id"]
    assert refusal.extensions["expected_version"] == 1
    assert refusal.extensions["current"]["version"] == 0
    inputs = {"task_run_id": info["id"], "version": None, "state": {"type": "Running"}}
    assert (await refusal_of(world(task_runs.set_task_run_state, **inputs))).code == "BAD_USER_INPUT"
    assert (await refusal_of(set_task(world, "x", None, "Success"))).code == "NOT_FOUND"


@pytest.mark.parametrize("flow_state", ["Scheduled", "Cancelling", "Success"])
async def test_no_task_starts_unless_its_run_is_running(world: World, flow_state: str) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id)
    await world.set(run_id, 3, flow_state)
    refusal = await refusal_of(set_task(world, info["id"], 0, "Running"))
    assert refusal.code == "CONFLICT"
    assert "State update failed" in refusal.message
    assert await set_task(world, info["id"], 0, "Success") == 1


async def test_cached_inputs_are_carried_over_unless_new_ones_come(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id)
    await set_task(world, info["id"], 0, "Failed", cached_inputs={"x": {"type": "NoResultType"}})
    for cached, kept in ((None, "x"), ({}, "x"), ({"y": {}}, "y"), (None, "y")):
        await set_task(world, info["id"], None, "Retrying", cached_inputs=cached)
        current = await world(task_runs.task_run_info, task_run_id=info["id"])
        assert list(current["serialized_state"]["cached_inputs"]) == [kept]


async def test_batch_of_task_states_is_all_or_nothing(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id)
    states = [
        {"task_run_id": info["id"], "version": 0, "state": {"type": "Running"}},
        {"task_run_id": info["id"], "version": 0, "state": {"type": "Success"}},
    ]
    refusal = await refusal_of(world(task_runs.set_task_run_states, states=states))
    assert refusal.message.startswith("states[1]")
    assert (await world.row("task_run", info["id"]))["version"] == 0


async def test_logs_of_unknown_runs_are_dropped_and_the_others_kept(world: World) -> None:
    run_id = await world.run()
    world.clock.move(seconds=1)
    lines: list[dict[str, Any]] = [
        {
            "flow_run_id": run_id,
            "message": "b",
            "timestamp": "2026-01-01T00:00:00Z",
            "level": "ERROR",
            "info": {"z": 1},
        },
        {"flow_run_id": "nothing", "message": "dropped"},
        {"message": "dropped"},
        {"flow_run_id": run_id, "message": "a", "name": "n", "timestamp": "2026-01-01T00:00:00Z"},
        {"flow_run_id": run_id, "message": "now"},
    ]
    assert await world(logs.write_run_logs, logs=lines) == {"success": True}
    rows = await world.rows("SELECT * FROM log ORDER BY timestamp, seq")
    assert [row["message"] for row in rows] == ["b", "a", "now"]  # ties in order of insertion
    assert [row["level"] for row in rows] == ["ERROR", "INFO", "INFO"]
    assert json.loads(rows[0]["info"]) == {"z": 1}
    now = "2026-03-02T09:00:01.000000+00:00"
    assert rows[2]["timestamp"] == now
    run = await world.row("flow_run", run_id)
    assert (run["updated"], run["version"]) == (now, 1)
    assert await world(logs.write_run_log, flow_run_id=run_id, message="one") == {"success": True}
    assert await world.count("log") == 4


@pytest.mark.parametrize("bad", [{"level": "LOUD"}, {"timestamp": "yesterday"}, {"info": {"x": float("nan")}}])
async def test_bad_log_line_is_named_and_nothing_kept(world: World, bad: dict[str, Any]) -> None:
    run_id = await world.run()
    refusal = await refusal_of(
        world(logs.write_run_logs, logs=[{"flow_run_id": run_id}, {"flow_run_id": run_id, **bad}])
    )
    assert refusal.code == "BAD_USER_INPUT"
    assert "logs[1]" in refusal.message
    assert await world.count("log") == 0


async def test_agent_is_registered_once_for_each_identity(world: World) -> None:
    async def register(version: str = "1.4.1", **inputs: Any) -> str:
        inputs = {"type": "LocalAgent", "name": "a", "labels": ["y", "x"], **inputs}
        return str((await world(agents.register_agent, Origin(core_version=version), **inputs))["id"])

    first = await register()
    assert await register(labels=["x", "y", "x"]) == first
    others = [await register(name=None), await register(labels=[]), await register("1.4.0"), await register(type="T")]
    assert len({first, *others}) == 5
    assert await register(name=None) == others[0]
    row = await world.row("agent", first)
    assert (row["labels"], row["core_version"]) == ('["x","y"]', "1.4.1")


async def queue(world: World, origin: Origin = NOBODY, **inputs: Any) -> list[str]:
    return list((await world(agents.get_runs_in_queue, origin, **inputs))["flow_run_ids"])


@pytest.mark.parametrize(
    ("run", "agent", "given"),
    [
        ([], [], True),
        ([], ["a"], False),
        (["a"], [], False),
        (["a"], ["a"], True),
        (["a"], ["a", "b"], True),
        (["a", "b"], ["a"], False),
        (["a", "c"], ["a", "b"], False),
    ],
)
async def test_queue_matches_labels(world: World, run: list[str], agent: list[str], given: bool) -> None:
    run_id = await world.run(labels=run)
    assert await queue(world, labels=agent) == ([run_id] if given else [])


async def test_queue_is_due_first_and_only_waiting_states(world: World) -> None:
    flow_id = await world.flow()
    soon = await world.run(flow_id, scheduled_start_time="2026-03-02 09:00:05")
    late = await world.run(flow_id, scheduled_start_time="2020-01-01 00:00:00")
    expected = [late]
    for kind in ("Resume", "Retrying", "Queued"):
        world.clock.move(microseconds=1)
        run_id = await world.run(flow_id)
        await world.set(run_id, 1, kind)
        expected.append(run_id)
    for kind in ("Submitted", "Running", "Success", "Paused"):
        await world.set(await world.run(flow_id), 1, kind)
    await world.set(await world.run(flow_id), 1, "Scheduled", start_time=None)
    assert await queue(world) == expected
    assert await queue(world, before="2026-03-02T09:00:10Z") == [*expected, soon]
    assert (await refusal_of(queue(world, before="later"))).code == "BAD_USER_INPUT"


async def test_queue_hands_out_25_without_starving_anyone(world: World) -> None:
    flow_id = await world.flow()
    for _ in range(80):
        await world.run(flow_id, labels=["other"], scheduled_start_time="2020-01-01 00:00:00")
    mine = [await world.run(flow_id, labels=["mine"]) for _ in range(30)]
    assert await queue(world, labels=["mine"]) == mine[:25]


async def test_queue_holds_running_runs_whose_task_waits_for_a_retry(world: World) -> None:
    run_id, task_id = await running(world)
    info = await world(task_runs.get_or_create_task_run_info, flow_run_id=run_id, task_id=task_id)
    await set_task(world, info["id"], 0, "Retrying", start_time=(START + timedelta(minutes=1)).isoformat())
    assert await queue(world) == []
    world.clock.move(minutes=1)
    assert await queue(world) == [run_id]
    await world.set(run_id, 3, "Success")
    assert await queue(world) == []


async def test_queue_is_of_one_tenant_and_notes_who_asked(world: World) -> None:
    await world.run()
    agent = (await world(agents.register_agent, type="LocalAgent"))["id"]
    other = (await world(tenants.create_tenant, name="n", slug="n"))["id"]
    world.clock.move(minutes=1)
    assert await queue(world, Origin(agent_id=agent), tenant_id=other) == []
    assert (await world.row("agent", agent))["last_queried"] == "2026-03-02T09:01:00.000000+00:00"


async def test_artifacts_are_made_changed_and_deleted(world: World) -> None:
    await running(world)
    task_run = (await world.rows("SELECT id FROM task_run"))[0]["id"]
    artifact = await world(artifacts.create_task_run_artifact, task_run_id=task_run, kind="link", data={"link": "x"})
    reference = {"task_run_artifact_id": artifact["id"]}
    assert await world(artifacts.update_task_run_artifact, **reference, data=[1]) == {"success": True}
    assert (await world.row("task_run_artifact", artifact["id"]))["data"] == "[1]"
    assert await world(artifacts.delete_task_run_artifact, **reference) == {"success": True}
    assert await world(artifacts.delete_task_run_artifact, **reference) == {"success": False}
    assert (await refusal_of(world(artifacts.update_task_run_artifact, **reference, data=1))).code == "NOT_FOUND"
    inputs: dict[str, Any] = {"task_run_id": "x", "kind": "k", "data": {}}
    assert (await refusal_of(world(artifacts.create_task_run_artifact, **inputs))).code == "NOT_FOUND"
