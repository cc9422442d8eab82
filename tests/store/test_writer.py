"""The writer: shared commits, isolated failures, full disks, locks, stops. Source: design.md §7, reliability.md §2."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlatch.store import write_queue
from flowlatch.store.base import Change, Refusal, Tx
from flowlatch.store.operations import flow_run_edits, flow_runs
from flowlatch.store.sqlite import connection as connections
from flowlatch.store.sqlite.store import SqliteStore, open_sqlite
from flowlatch.store.tx import StoreClock
from tests.store.world import START, Clock, World
from tests.support.postgres import PostgresProcess
from tests.support.waiting import eventually_async


async def one_turn() -> None:
    """Let every task that was created begin."""
    begun = asyncio.Event()
    asyncio.get_running_loop().call_soon(begun.set)
    await begun.wait()


def insert_meta(name: str) -> Any:
    return lambda tx: tx.execute("INSERT INTO store_meta VALUES (?, 'x')", (name,)).rowcount


MADE_WITH_IT = {"server_id", "created", "schema_version"}


async def metas(world: World) -> set[str]:
    return {row["name"] for row in await world.rows("SELECT name FROM store_meta")} - MADE_WITH_IT


async def test_waiting_callers_share_a_commit(world: World) -> None:
    flow_id = await world.flow()
    batches: list[list[Change]] = []
    world.store.on_commit(lambda changed: batches.append(changed or []))
    release = threading.Event()
    blocker = asyncio.create_task(world.store.write(lambda tx: release.wait(10)))
    creates = [asyncio.create_task(world.run(flow_id)) for _ in range(40)]
    await one_turn()
    release.set()
    runs = await asyncio.gather(*creates)
    await blocker
    await eventually_async(lambda: [change.run_id for batch in batches for change in batch] == runs)
    assert len(batches) <= 2


@dataclass
class Held:
    """An operation that writes, says that it has begun, and ends when it may."""

    name: str
    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def __call__(self, tx: Tx) -> str:
        insert_meta(self.name)(tx)
        self.begun.set()
        assert self.may_end.wait(30)
        return self.name


async def test_an_answer_does_not_wait_for_a_slow_operation_of_the_next_commit(world: World) -> None:
    """While others wait it is held back for the moment that the writer waits for the disk, but not for long."""
    quick, slow = Held("quick"), Held("slow")
    first = asyncio.create_task(world.store.write(quick))
    await asyncio.to_thread(quick.begun.wait, 10)
    second = asyncio.create_task(world.store.write(slow))
    await one_turn()
    quick.may_end.set()
    try:
        assert await asyncio.wait_for(first, 10) == "quick"
        assert not second.done()
    finally:
        slow.may_end.set()
    assert await second == "slow"
    assert await metas(world) == {"quick", "slow"}


async def test_answers_come_without_the_clock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the writer pauses: for the disk, for more to do, or for good."""
    monkeypatch.setattr(write_queue, "HELD_S", 3600.0)
    one, two = Held("one"), Held("two")
    first = asyncio.create_task(world.store.write(one))
    await asyncio.to_thread(one.begun.wait, 10)
    second = asyncio.create_task(world.store.write(two))
    third = asyncio.create_task(world.store.write(insert_meta("three")))  # which returns the rows written
    await one_turn()
    one.may_end.set()
    two.may_end.set()
    outcomes: list[object] = await asyncio.wait_for(asyncio.gather(first, second, third), 10)
    assert outcomes == ["one", "two", 1]
    last = Held("last")
    fourth = asyncio.create_task(world.store.write(last))
    await asyncio.to_thread(last.begun.wait, 10)
    closing = asyncio.create_task(world.store.close())
    await eventually_async(lambda: world.store._queue._writer._jobs.qsize())  # type: ignore[attr-defined]
    last.may_end.set()
    assert await asyncio.wait_for(fourth, 10) == "last"
    await closing


def taken() -> type[Exception]:
    """Return what the driver raises for a key that is there already."""
    if PostgresProcess.current is None:
        return sqlite3.IntegrityError
    from psycopg.errors import UniqueViolation

    return UniqueViolation


async def test_a_failing_operation_takes_nothing_else_along(world: World) -> None:
    def refused(tx: Tx) -> None:
        tx.execute("INSERT INTO store_meta VALUES ('refused', 'x')")
        tx.changed("ghost", "added")
        raise Refusal("CONFLICT", "no")

    def broken(tx: Tx) -> None:
        tx.execute("INSERT INTO store_meta VALUES ('broken', 'x')")
        raise ZeroDivisionError

    def twice(tx: Tx) -> None:
        tx.execute("INSERT INTO store_meta VALUES ('a', 'x')")

    seen: list[list[Change]] = []
    world.store.on_commit(lambda changed: seen.append(changed or []))
    operations = [insert_meta("a"), refused, broken, twice, insert_meta("b")]
    outcomes = await asyncio.gather(*(world.store.write(op) for op in operations), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, Refusal, ZeroDivisionError, taken(), int]
    assert await metas(world) == {"a", "b"}
    assert seen == []


async def test_write_all_answers_each_operation(world: World) -> None:
    def refused(tx: Tx) -> None:
        raise Refusal("CONFLICT", "no")

    first, second, third = await world.store.write_all([insert_meta("a"), refused, insert_meta("b")])
    assert (first, third) == (1, 1)
    assert isinstance(second, Refusal)
    assert await world.store.write_all([]) == []
    with pytest.raises(ZeroDivisionError):
        await world.store.write_all([insert_meta("c"), lambda tx: 1 / 0])
    assert await metas(world) == {"a", "b", "c"}


async def test_abandoned_caller_does_not_stop_the_writer(world: World) -> None:
    release = threading.Event()
    abandoned = asyncio.create_task(world.store.write(lambda tx: release.wait(10)))
    await one_turn()
    abandoned.cancel()
    release.set()
    await world.store.write(insert_meta("a"))
    assert abandoned.cancelled()
    assert await metas(world) == {"a"}


@pytest.mark.sqlite
async def test_full_disk_is_refused_reads_go_on_and_it_recovers(world: World) -> None:
    flow_id = await world.flow()
    kept = await world.run(flow_id)

    def bound(pages: int | None) -> Any:
        sql = "PRAGMA max_page_count = " + (str(pages) if pages else "1073741823")
        return lambda tx: tx.execute(sql).fetchone()[0]

    await world.store.write(bound(1))  # SQLite takes the size it has as the least
    big = {"x": "y" * 200_000}
    refused = await asyncio.gather(
        *(world.run(flow_id, parameters=big, idempotency_key="k") for _ in range(4)), return_exceptions=True
    )
    assert {type(outcome) for outcome in refused} == {Refusal}
    assert {outcome.code for outcome in refused if isinstance(outcome, Refusal)} == {"STORAGE_FULL"}
    assert [row["id"] for row in await world.rows("SELECT id FROM flow_run")] == [kept]
    await world.store.write(bound(None))
    run_id = await world.run(flow_id, parameters=big, idempotency_key="k")
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {kept, run_id}


@pytest.mark.sqlite
async def test_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    """A quota hits in the middle of a commit: nothing is half there, and it works again without a restart."""
    world = await World.open(tmp_path)
    flow_id = await world.flow()
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = tmp_path / "flowlatch.db-wal"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 50_000, hard))
        outcomes = await asyncio.gather(
            *(world.run(flow_id, parameters={"x": "y" * 5_000}) for _ in range(30)), return_exceptions=True
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    kept = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Refusal)} == {"STORAGE_FULL"}
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == kept
    again = await world.run(flow_id)
    await world.store.close()
    world = await World.open(tmp_path)
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {*kept, again}
    await world.store.close()


@pytest.mark.sqlite
async def test_one_operation_too_big_for_the_disk_does_not_take_the_others(world: World) -> None:
    """SQLite may end the whole transaction; then each caller is served alone."""

    def gone(tx: Tx) -> None:
        tx.execute("ROLLBACK")
        tx.execute("SELECT * FROM no_such_table")

    outcomes = await asyncio.gather(
        *(world.store.write(op) for op in (insert_meta("a"), gone, insert_meta("b"))), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [int, sqlite3.OperationalError, int]
    assert await metas(world) == {"a", "b"}


@pytest.mark.sqlite
async def test_lock_of_another_process_is_waited_for_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.3)
    world = await World.open(tmp_path)
    run_id = await world.run()
    other = sqlite3.connect(tmp_path / "flowlatch.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refusal) as refused:
        await world(flow_run_edits.set_flow_run_name, flow_run_id=run_id, name="n")
    assert refused.value.code == "BUSY"
    waiting = asyncio.create_task(world(flow_run_edits.set_flow_run_name, flow_run_id=run_id, name="n"))
    await one_turn()
    other.execute("ROLLBACK")
    assert await waiting == {"success": True}
    other.close()
    await world.store.close()


@pytest.mark.sqlite
async def test_nothing_written_means_nothing_synced(world: World) -> None:
    assert isinstance(world.store, SqliteStore)
    log = world.store.path.with_name("flowlatch.db-wal")
    before = log.stat().st_size
    for _ in range(20):
        with pytest.raises(Refusal):
            await world(flow_runs.create_flow_run, flow_id="nothing")
    assert log.stat().st_size == before


async def test_close_finishes_what_waits_and_refuses_the_rest(tmp_path: Path) -> None:
    world = await World.open(tmp_path)
    flow_id = await world.flow()
    creates = [asyncio.create_task(world.run(flow_id)) for _ in range(20)]
    await one_turn()
    await asyncio.gather(world.store.close(), world.store.close())
    runs = await asyncio.gather(*creates)
    with pytest.raises(Refusal, match="stopping"):
        await world.run(flow_id)
    if PostgresProcess.current is None:
        assert os.listdir(tmp_path) == ["flowlatch.db"]  # the log was moved into it
    again = await World.open(tmp_path)
    assert {row["id"] for row in await again.rows("SELECT id FROM flow_run")} == set(runs)
    await again.store.close()


@pytest.mark.sqlite
async def test_server_id_stays_with_the_database(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        store = await open_sqlite(tmp_path)
        ids.append(store.server_id)
        await store.close()
    other = await open_sqlite(tmp_path / "other.db")
    assert ids[0] == ids[1] != other.server_id
    await other.close()


@pytest.mark.sqlite
def test_jumps_of_the_clock_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    machine, monotonic = Clock(), [0.0]
    clock = StoreClock(machine, lambda: monotonic[0])
    assert clock.now(START) == START
    machine.move(hours=25)
    assert clock.now(START) == START + timedelta(hours=25)
    machine.move(seconds=1)
    monotonic[0] += 1
    clock.now(START)
    machine.move(hours=-25)
    with caplog.at_level(logging.WARNING):
        assert clock.now(START + timedelta(hours=25)) == START + timedelta(hours=25)
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of this machine was set by +90000 s",
        "the clock of this machine was set by -90000 s",
    ]


@pytest.mark.sqlite
async def test_commits_wait_for_the_disk(world: World) -> None:
    """What no kill of a process can show: that a loss of power takes nothing acknowledged (P1)."""

    def settings(tx: Tx) -> list[Any]:
        return [tx.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await world.store.write(settings) == ["wal", 2, 1]
