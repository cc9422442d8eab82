"""What is opened and what is refused, and how our SQL is put to PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from flowlatch.errors import ConfigError
from flowlatch.store import schema
from flowlatch.store.base import StoreUnusable
from flowlatch.store.postgres.connection import adapted, place, shown
from flowlatch.store.postgres.store import open_postgres
from tests.postgres.conftest import OpenWorld
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess


async def refused(url: str) -> str:
    """Return why a database is refused, in one line."""
    with pytest.raises(StoreUnusable) as problem:
        await open_postgres(url)
    assert "\n" not in str(problem.value)
    return str(problem.value)


async def test_servers_that_start_at_once_make_one_database(open_world: OpenWorld, url: str) -> None:
    worlds = await asyncio.gather(*(open_world(url) for _ in range(5)))
    assert len({world.store.server_id for world in worlds}) == 1
    assert await worlds[0].count("tenant") == 1


async def test_the_id_stays_with_the_database(cluster: PostgresProcess, open_world: OpenWorld, url: str) -> None:
    first = await open_world(url)
    await first.store.close()
    assert (await open_world(url)).store.server_id == first.store.server_id
    assert (await open_world(cluster.new_database())).store.server_id != first.store.server_id


async def test_a_database_of_another_program_is_left_alone(url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE flow_run (id integer)")
    assert "another program" in await refused(url)
    with psycopg.connect(url) as other:
        tables = other.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert tables == [("flow_run",)]


async def test_a_newer_schema_names_both_versions(open_world: OpenWorld, url: str) -> None:
    await open_world(url)
    with psycopg.connect(url) as other:
        other.execute("UPDATE store_meta SET value = '7' WHERE name = 'schema_version'")
    assert "schema version 7, this flowlatch knows up to 1" in await refused(url)


async def test_a_schema_of_its_own_beside_other_programs(open_world: OpenWorld, url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE theirs (id integer)")
        other.execute("CREATE SCHEMA flowlatch")
    world = await open_world(f"{url}?options=-csearch_path%3Dflowlatch")
    await world.run(await world.flow())
    with psycopg.connect(url) as other:
        assert other.execute("SELECT count(*) FROM flowlatch.flow_run").fetchone() == (1,)
    assert "another program" in await refused(url)


async def test_only_utf8_can_keep_every_text(cluster: PostgresProcess) -> None:
    url = cluster.new_database("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert "UTF8, not LATIN1" in await refused(url)


async def test_nobody_there_is_one_line() -> None:
    said = await refused("postgresql://127.0.0.1:1/runs")
    assert said.startswith("postgresql runs on 127.0.0.1:1 cannot be used: ")


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://localhost/x", "postgresql://USER@HOST:PORT/NAME"),
        ("postgresql://me:secret@localhost/x", "PGPASSFILE"),
        ("postgresql://localhost/x?password=secret", "PGPASSFILE"),
        ("postgresql://localhost/x?nonsense=1", "libpq"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_secret(url: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as problem:
        place(url)
    assert "secret" not in str(problem.value)


def test_a_place_is_shown_without_its_user() -> None:
    assert shown("postgresql://me@db.example:6432/runs?sslmode=require") == "postgresql runs on db.example:6432"
    assert shown("postgresql:///runs") == "postgresql runs on local socket"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s"),
        ("x IS ? AND y = ?", "x IS NOT DISTINCT FROM %s AND y = %s"),
        ("x IS :z", "x IS NOT DISTINCT FROM %(z)s"),
        ("SELECT ':a ? %', x::text", "SELECT ':a ? %%', x::text"),
        ("SELECT 'it''s :a' || :a % 2", "SELECT 'it''s :a' || %(a)s %% 2"),
        ("x IS NULL AND y IS NOT NULL", "x IS NULL AND y IS NOT NULL"),
        ("FROM json_each(:l), flowlatch_json_each(x)", "FROM flowlatch_json_each(%(l)s), flowlatch_json_each(x)"),
    ],
)
def test_our_sql_becomes_the_drivers(ours: str, theirs: str) -> None:
    assert adapted(ours) == theirs


async def test_every_column_is_there_and_compares_bytes(open_world: OpenWorld, url: str) -> None:
    world = await open_world(url)
    rows = await world.rows(
        "SELECT table_name, column_name, data_type, collation_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'public'"
    )
    found = {(row["table_name"], row["column_name"]): row for row in rows if row["table_name"] != "commit_mark"}
    meant = {(table.name, column.name): column for table in schema.TABLES for column in table.columns.values()}
    assert found.keys() == meant.keys()
    for place_, column in meant.items():
        row = found[place_]
        kept = ("bigint", None) if column.kind.is_number else ("text", "C")
        assert (row["data_type"], row["collation_name"]) == kept, place_
        assert (row["is_nullable"] == "YES") == column.nullable, place_


async def test_commits_wait_for_the_disk_also_where_that_is_switched_off(
    cluster: PostgresProcess, open_world: OpenWorld, url: str
) -> None:
    """What no kill of a process can show: that a loss of power takes nothing acknowledged (P1)."""
    database = url.rpartition("/")[2]
    world = await open_world(url)

    async def setting() -> str:
        return str(await world.store.write(lambda tx: tx.execute("SHOW synchronous_commit").fetchone()[0]))

    assert await setting() == "on"
    for given, kept in (("off", "on"), ("remote_write", "remote_write")):
        cluster.sql(f"ALTER DATABASE {database} SET synchronous_commit = {given}")
        world = await open_world(url)
        assert await setting() == kept


def test_old_runs_are_pruned_by_the_command(url: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--database", url) as server:
        wire = server.wire()
        flow_id = wire.create_flow("pruned")
        old, waiting = wire.create_run(flow_id), wire.create_run(flow_id)
        wire.set_state(old, 1, "Success")
        with psycopg.connect(url) as other:
            other.execute("UPDATE flow_run SET updated = '2020-01-01', state_timestamp = '2020-01-01'")
        command = [sys.executable, "-m", "flowlatch", "db", "prune", "--older-than", "90d", "--database"]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=60)
        assert (done.stdout, done.stderr) == ("1 runs deleted\n", "")
        assert wire.data("{ flow_run { id } }")["flow_run"] == [{"id": waiting}]
    wrong = [*command, url, "--data", str(tmp_path)]
    assert "one of them" in subprocess.run(wrong, capture_output=True, text=True, check=False, timeout=60).stderr
