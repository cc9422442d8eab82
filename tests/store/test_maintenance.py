"""Care of a database: check, backup, vacuum, prune, also beside a server that uses it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from flowlatch.store.base import StoreUnusable
from flowlatch.store.operations import logs
from flowlatch.store.sqlite import maintenance
from tests.store.world import Clock, World

pytestmark = pytest.mark.sqlite

DATABASE = "flowlatch.db"


async def make(directory: Path, runs: int = 3) -> World:
    world = await World.open(directory)
    flow_id = await world.flow(tasks=[{"slug": "a"}])
    for _ in range(runs):
        run_id = await world.run(flow_id, labels=["x"])
        await world.set(run_id, 1, "Success")
    return world


async def test_sound_database_has_no_problems_also_while_in_use(tmp_path: Path) -> None:
    world = await make(tmp_path)
    assert await asyncio.to_thread(maintenance.check, tmp_path) == []
    await world.store.close()
    assert maintenance.check(tmp_path / DATABASE) == []


ONE = "flow_run_id = (SELECT id FROM flow_run WHERE seq = 1)"


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE flow_run SET version = 9 WHERE seq = 1", "1 flow runs whose newest history row"),
        (f"DELETE FROM flow_run_state WHERE version = 2 AND {ONE}", "1 flow runs whose newest history row"),
        (f"DELETE FROM flow_run_state WHERE version = 1 AND {ONE}", "1 flow runs with a gap"),
        (f"UPDATE flow_run_state SET version = 5 WHERE version = 2 AND {ONE}", "1 flow runs with a gap"),
        ("UPDATE state_count SET runs = runs + 1", "counter is wrong"),
        ("DROP TRIGGER flow_run_gone; DELETE FROM flow_run WHERE seq = 1", "belongs to a row of flow_run"),
    ],
)
async def test_damage_is_named(tmp_path: Path, damage: str, problem: str) -> None:
    await (await make(tmp_path)).store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(damage)
    problems = maintenance.check(tmp_path)
    assert any(problem in line for line in problems)
    assert len(problems) <= maintenance.PROBLEMS


async def test_backup_of_a_busy_database_is_whole_private_and_never_replaces(tmp_path: Path) -> None:
    world = await make(tmp_path)
    flow_id = await world.flow()
    target = tmp_path / "copy.db"
    writing = [asyncio.create_task(world.run(flow_id)) for _ in range(50)]
    size = await asyncio.to_thread(maintenance.backup, tmp_path, target)
    await asyncio.gather(*writing)
    await world.store.close()
    assert size == os.stat(target).st_size
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o600
    assert maintenance.check(target) == []
    assert not [name for name in os.listdir(tmp_path) if name.startswith("copy.db") and name != "copy.db"]
    with pytest.raises(StoreUnusable, match="exists already"):
        maintenance.backup(tmp_path, target)
    copy = await World.open(target)
    assert copy.store.server_id == world.store.server_id
    assert await copy.count("flow_run") >= 3
    await copy.store.close()
    with pytest.raises(StoreUnusable, match="cannot be written"):
        maintenance.backup(tmp_path, tmp_path / "no" / "directory.db")


async def test_prune_deletes_what_ended_long_ago_and_vacuum_gives_the_room_back(tmp_path: Path) -> None:
    world = await make(tmp_path, runs=30)
    flow_id = (await world.rows("SELECT id FROM flow"))[0]["id"]
    old = await world.rows("SELECT id FROM flow_run")
    await world(logs.write_run_logs, logs=[{"flow_run_id": row["id"], "message": "x" * 9_000} for row in old])
    still_running = await world.run(flow_id)
    await world.set(still_running, 1, "Running")
    world.clock.move(days=91)
    new = await world.run(flow_id)
    await world.set(new, 1, "Failed")
    world.clock.move(days=1)
    seq = await world.store.last_seq()
    assert await maintenance.prune(tmp_path, timedelta(days=90), clock=world.clock, part=7) == 30
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {still_running, new}
    assert await world.count("log") == 0
    changes = await world.store.changes_since(seq)
    assert changes is not None
    assert {change.run_id for change in changes[1]} == {row["id"] for row in old}
    await world.run(flow_id)  # the server that was running goes on, and no number is given twice
    await world.store.close()
    before, after = maintenance.vacuum(tmp_path)
    assert after < before / 2
    assert maintenance.check(tmp_path) == []
    assert await maintenance.prune(tmp_path, timedelta(days=90), clock=Clock()) == 0


async def test_what_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    empty = tmp_path / "empty.db"
    empty.touch()
    for place in (tmp_path, tmp_path / "missing.db", other, empty):
        with pytest.raises(StoreUnusable):
            maintenance.check(place)
        with pytest.raises(StoreUnusable):
            maintenance.backup(place, tmp_path / "copy.db")
        with pytest.raises(StoreUnusable):
            maintenance.vacuum(place)
        with pytest.raises(StoreUnusable):
            await maintenance.prune(place, timedelta(days=1))
    assert sorted(os.listdir(tmp_path)) == ["empty.db", "other.db"]
