"""Reading: interrupted, bounded, consistent, and the functions SQLite is taught."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

import pytest

from flowlatch.store.base import Change, Refusal
from flowlatch.store.operations import flow_run_edits, tenants
from flowlatch.store.sqlite.connection import connect_reader
from flowlatch.store.sqlite.functions import interval_text, like_to_glob
from flowlatch.store.sqlite.readers import Reading
from flowlatch.store.sqlite.store import SqliteStore
from tests.store.world import World
from tests.support.postgres import PostgresProcess
from tests.support.waiting import eventually_async

SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


async def test_slow_statement_is_interrupted_in_sqlite(world: World) -> None:
    for _ in range(6):  # more often than there are threads: each is free again
        began = time.monotonic()
        with pytest.raises(Refusal, match="too long") as refused:
            await world.store.read(SLOW, {}, timeout_s=0.05)
        assert refused.value.code == "LIMIT"
        assert time.monotonic() - began < 2
    assert (await world.store.read("SELECT 1", {})).rows == [(1,)]


@pytest.mark.sqlite
async def test_stop_before_the_statement_has_begun_is_not_lost(world: World) -> None:
    """SQLite forgets an interrupt that comes while no statement runs."""
    reading: list[Reading[Any]] = []

    def question(connection: sqlite3.Connection) -> Any:
        reading[0].stop()
        return connection.execute(SLOW).fetchall()

    reading.append(Reading(question))
    assert isinstance(world.store, SqliteStore)
    connection = connect_reader(world.store.path)
    with pytest.raises(Refusal, match="too long"):
        await asyncio.wait_for(asyncio.to_thread(reading[0].run, connection), 20)
    connection.close()


async def test_cancelled_read_frees_its_thread(world: World) -> None:
    reads = [asyncio.create_task(world.store.read(SLOW, {}, timeout_s=60)) for _ in range(8)]
    await world.store.write(lambda tx: None)
    for read in reads:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    assert (await asyncio.wait_for(world.store.read("SELECT 1", {}), 5)).rows == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT :text",
        "SELECT :text || :text",
        "SELECT value FROM json_each('[1,2,3]') CROSS JOIN (SELECT :part) AS part",
    ],
)
async def test_answer_over_the_limit_is_refused(world: World, sql: str) -> None:
    parameters = {"text": "x" * 1_500, "part": "y"}
    if "json_each" in sql:
        sql = sql.replace("SELECT value", "SELECT :third")
        parameters["third"] = "z" * 400
    for _ in range(6):  # more often than there are threads: each is free again
        with pytest.raises(Refusal, match="too large") as refused:
            await world.store.read(sql, parameters, limit_bytes=1_000)
        assert refused.value.code == "LIMIT"
    assert (await world.store.read("SELECT :text AS t", parameters)).columns == ["t"]


async def test_readers_cannot_write(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        await world.store.read("DELETE FROM tenant", {})
    assert refused.value.code == "STORAGE_FULL"
    assert await world.count("tenant") == 1


async def test_acknowledged_write_is_seen_by_the_next_read(world: World) -> None:
    flow_id = await world.flow()
    for _ in range(30):
        run_id = await world.run(flow_id)
        assert (await world.row("flow_run", run_id))["id"] == run_id


async def changes(world: World, seq: int, **options: Any) -> tuple[int, list[tuple[str, str]]] | None:
    found = await world.store.changes_since(seq, **options)
    return None if found is None else (found[0], [(change.run_id, change.kind) for change in found[1]])


async def test_changes_name_each_run_once_with_its_newest(world: World) -> None:
    heard: list[Change] = []
    world.store.on_commit(lambda changed: heard.extend(changed or []))
    flow_id = await world.flow()
    start = await world.store.last_seq()
    assert await changes(world, start) == (start, [])
    one, two, three = [await world.run(flow_id) for _ in range(3)]
    middle = await world.store.last_seq()
    await world.set(one, 1, "Running")
    await world(flow_run_edits.set_flow_run_name, flow_run_id=one, name="n")
    await world(flow_run_edits.delete_flow_run, flow_run_id=two)
    await world(flow_run_edits.update_flow_run_heartbeat, flow_run_id=three)  # is no change
    last = await world.store.last_seq()
    assert await changes(world, start) == (last, [(three, "added"), (one, "added"), (two, "gone")])
    assert await changes(world, middle) == (last, [(one, "updated"), (two, "gone")])
    assert await changes(world, middle, ids=[two, "other"]) == (last, [(two, "gone")])
    assert await changes(world, middle, ids=[]) == (last, [])
    await eventually_async(lambda: heard and heard[-1].seq == last)
    if PostgresProcess.current is None:
        assert [change.seq for change in heard] == list(range(start + 1, last + 1))
        assert [change.kind for change in heard] == ["added"] * 3 + ["updated"] * 2 + ["gone"]
    else:  # two commits on the same run may be told as one, when it is looked for after the second
        seqs = [change.seq for change in heard]
        assert seqs == sorted(set(seqs))
        assert {change.run_id: change.kind for change in heard}[two] == "gone"
        assert {change.run_id: change.seq for change in heard} == {
            change.run_id: change.seq for change in (await world.store.changes_since(start) or (0, []))[1]
        }


async def test_changes_come_in_pages(world: World) -> None:
    flow_id = await world.flow()
    runs = [await world.run(flow_id) for _ in range(5)]
    seq, found = 0, []
    while True:
        page = await world.store.changes_since(seq, limit=2)
        assert page is not None
        seq = page[0]
        found += [change.run_id for change in page[1]]
        if len(page[1]) < 2:
            break
    assert found == runs
    assert seq == await world.store.last_seq()


async def test_changes_beyond_the_end_or_too_old_mean_load_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_run_edits, "GONE_KEPT", 3)
    monkeypatch.setattr(flow_run_edits, "_FORGET_EVERY", 10)
    project = await world.project()
    flow_id = await world.flow(project)
    for _ in range(15):
        await world.run(flow_id)
    await world(tenants.delete_project, project_id=project)
    last = await world.store.last_seq()
    assert last == 30
    assert await changes(world, last + 1) is None
    assert await changes(world, 26) is None
    assert len((await changes(world, 27) or (0, []))[1]) == 3
    assert await world.count("gone_run") == 3


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (None, None),
        (0, "00:00:00"),
        (62_500_000, "00:01:02.5"),
        (1, "00:00:00.000001"),
        (93_600_000_000, "1 day 02:00:00"),
        (172_800_000_000, "2 days 00:00:00"),
        (-1_500_000, "-00:00:01.5"),
    ],
)
async def test_interval_in_postgresql_form(world: World, us: int | None, text: str | None) -> None:
    assert interval_text(us) == text
    assert (await world.store.read("SELECT flowlatch_interval(:us)", {"us": us})).rows == [(text,)]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("pattern", "value", "like", "ilike"),
    [
        ("a%", "abc", True, True),
        ("A%", "abc", False, True),
        ("a_c", "abc", True, True),
        ("a_c", "abbc", False, False),
        (r"a\%", "a%", True, True),
        (r"a\%", "ab", False, False),
        (r"a\_b", "axb", False, False),
        ("[a]*?", "[a]*?", True, True),
        ("[a]%", "a", False, False),
        ("*", "anything", False, False),
        ("%Ü%", "über", False, True),
        ("a%b", "a\nb", True, True),
        ("", "", True, True),
        (None, "a", None, None),
        ("a", None, None, None),
    ],
)
async def test_like_tells_case_apart_and_ilike_does_not(
    world: World, pattern: str | None, value: str | None, like: bool | None, ilike: bool | None
) -> None:
    sql = "SELECT flowlatch_like(:pattern, :value), flowlatch_ilike(:pattern, :value), :value GLOB :glob"
    glob = None if pattern is None else like_to_glob(pattern)
    (row,) = (await world.store.read(sql, {"pattern": pattern, "value": value, "glob": glob})).rows
    assert row == (like, ilike, like)
