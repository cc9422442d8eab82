"""Zombie killer and lazarus. Source: contract.md §5."""

from __future__ import annotations

from flowlatch.store.operations import care, flow_groups, flow_run_edits, task_runs
from tests.store.world import World


async def running(world: World, max_retries: int = 0) -> tuple[str, str]:
    """Return a Running run and its Running task run."""
    run_id = await world.run(await world.flow(tasks=[{"slug": "a", "max_retries": max_retries, "retry_delay": 60}]))
    await world.set(run_id, None, "Running")
    rows = await world.rows("SELECT id FROM task_run WHERE flow_run_id = :id", id=run_id)
    task_run = str(rows[0]["id"])
    await world(task_runs.set_task_run_state, task_run_id=task_run, version=0, state={"type": "Running"})
    return run_id, task_run


async def test_silent_task_run_fails(world: World) -> None:
    run_id, task_run = await running(world)
    world.clock.move(minutes=9)
    assert (await world(care.kill_zombies))["task_run_ids"] == []
    await world(flow_run_edits.update_flow_run_heartbeat, flow_run_id=run_id)
    world.clock.move(minutes=9)
    assert (await world(care.kill_zombies))["task_run_ids"] == []
    world.clock.move(minutes=2)
    assert (await world(care.kill_zombies))["task_run_ids"] == [task_run]
    assert (await world.row("task_run", task_run))["state"] == "Failed"
    assert (await world(care.kill_zombies))["task_run_ids"] == []


async def test_silent_task_run_with_retries_left_is_retried(world: World) -> None:
    _, task_run = await running(world, max_retries=1)
    world.clock.move(minutes=11)
    await world(care.kill_zombies)
    row = await world.row("task_run", task_run)
    assert (row["state"], row["state_start_time"]) == ("Retrying", "2026-03-02T09:12:00.000000+00:00")
    await world(task_runs.set_task_run_state, task_run_id=task_run, version=2, state={"type": "Running"})
    await world(care.kill_zombies)
    assert (await world.row("task_run", task_run))["state"] == "Failed"


async def test_silent_cancelling_run_fails_unless_heartbeats_are_off(world: World) -> None:
    run_id, task_run = await running(world)
    await world.set(run_id, None, "Cancelling")
    spared, spared_task = await running(world)
    await world(flow_groups.disable_flow_heartbeat, flow_id=(await world.row("flow_run", spared))["flow_id"])
    world.clock.move(minutes=11)
    assert await world(care.kill_zombies) == {"task_run_ids": [], "flow_run_ids": [run_id]}
    assert (await world.row("flow_run", run_id))["state"] == "Failed"
    assert (await world.row("task_run", spared_task))["state"] == "Running"
    assert task_run


async def test_lazarus_schedules_a_dead_run_three_times_then_gives_up(world: World) -> None:
    run_id = await world.run()
    for _ in range(3):
        await world.set(run_id, None, "Submitted")
        world.clock.move(minutes=9)
        assert (await world(care.raise_lazarus))["flow_run_ids"] == []
        world.clock.move(minutes=2)
        assert (await world(care.raise_lazarus))["flow_run_ids"] == [run_id]
        assert (await world.row("flow_run", run_id))["state"] == "Scheduled"
    await world.set(run_id, None, "Running")
    world.clock.move(minutes=11)
    await world(care.raise_lazarus)
    row = await world.row("flow_run", run_id)
    assert (row["state"], row["times_resurrected"]) == ("Failed", 3)


async def test_lazarus_leaves_runs_whose_tasks_go_on(world: World) -> None:
    run_id, _ = await running(world)
    off = await world.run()
    await world.set(off, None, "Submitted")
    await world(flow_groups.disable_flow_lazarus_process, flow_id=(await world.row("flow_run", off))["flow_id"])
    world.clock.move(minutes=11)
    assert await world(care.raise_lazarus) == {"flow_run_ids": []}
    assert (await world.row("flow_run", run_id))["state"] == "Running"
