"""`flowlatch db move`: a data directory becomes a PostgreSQL database, and clients go on where they are."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowlatch.store import schema
from flowlatch.store.base import StoreUnusable
from flowlatch.store.postgres import session
from flowlatch.store.postgres.filling import fill
from flowlatch.store.sqlite import maintenance
from tests.cli.conftest import Done, execute
from tests.postgres.between import Between
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess, clean_environment
from tests.support.wire import GraphQLErrors, Wire

KEY = "nightly-2026-11-24"
SCHEMA = 1
"""Number of commits before that of the rows."""
CHANGES = "query($since: String) { flow_run_changes(since: $since) { cursor resync changes { id kind } } }"


class Filled:
    """A stopped server's data directory with some of everything, and what clients remember of it."""

    def __init__(self, server: ServerProcess) -> None:
        self.data = server.data
        self.home = server.home
        wire = server.wire()
        self.flow = wire.create_flow("etl", [{"name": "day"}], tasks=["load"])
        self.keyed = self._create(wire, idempotency_key=KEY, labels=["prod", "eu"], parameters={"day": "§ 1.50"})
        self.cursor = wire.data(CHANGES)["flow_run_changes"]["cursor"]
        self.others = [self._create(wire, flow_run_name=f"n\u00e4me {number}") for number in range(30)]
        wire.set_state(self.keyed, 1, "Running", "went off")
        wire.set_state(self.keyed, 2, "Failed", "line one\nline two\ttab \\N back\\slash")
        wire.log(self.keyed, "one", "two \U0001f40d")
        wire.data("mutation($i: delete_flow_run_input!) { delete_flow_run(input: $i) { success } }",
                  {"i": {"flow_run_id": self.others.pop()}})  # fmt: skip
        self.server_id = self.id_of(wire)

    def _create(self, wire: Wire, **inputs: Any) -> str:
        return wire.create_run(self.flow, **inputs)

    @staticmethod
    def id_of(wire: Wire) -> str:
        """Return the name of a server's database."""
        answer = wire.data("{ api { capabilities { server_id } } }")
        return str(answer["api"]["capabilities"]["server_id"])

    def move(self, url: str, *more: str) -> Done:
        """Run the command."""
        return moved(self.home, self.data, url, *more)

    def rows(self, name: str = "flowlatch.db.moved") -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of the file."""
        with closing(sqlite3.connect(self.data / name)) as connection:
            return {
                table.name: connection.execute(
                    f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
                ).fetchall()
                for table in schema.TABLES
            }


def moved(home: Path, data: Path, url: str, *more: str) -> Done:
    """Run `flowlatch db move`."""
    return execute(("db", "move", url, "--data", str(data), *more), clean_environment(home))


@pytest.fixture(autouse=True)
def _on_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin on SQLite, also where all other tests run on PostgreSQL."""
    monkeypatch.setattr(PostgresProcess, "current", None)


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """A directory that was served and is not any more."""
    with ServerProcess(tmp_path) as server:
        return Filled(server)


def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        return {
            table.name: connection.execute(
                f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
            ).fetchall()
            for table in schema.TABLES
        }


def test_every_row_is_there_with_every_number(filled: Filled, url: str) -> None:
    done = filled.move(url, "--json")
    assert (done.code, done.row["rows"]["flow_run"]) == (0, 30)
    assert done.row["kept"] == str(filled.data / "flowlatch.db.moved")
    assert not (filled.data / "flowlatch.db").exists()
    before, after = filled.rows(), all_rows(url)
    assert ("schema_version", "1") in after["store_meta"]
    after["store_meta"].remove(("schema_version", "1"))
    assert after == before
    assert all(before[name] for name in ("flow_run_label", "state_count", "gone_run", "idempotency", "log", "task"))


def test_clients_go_on_where_they_are(filled: Filled, url: str) -> None:
    assert filled.move(url).code == 0
    with ServerProcess(filled.data.parent, "--database", url) as server:
        wire = server.wire()
        assert filled.id_of(wire) == filled.server_id
        assert wire.create_run(filled.flow, idempotency_key=KEY, parameters={"day": "§ 1.50"}) == filled.keyed
        told = wire.data(CHANGES, {"since": filled.cursor})["flow_run_changes"]
        assert not told["resync"]
        assert {change["id"] for change in told["changes"]} >= {filled.keyed, *filled.others}
        with pytest.raises(GraphQLErrors) as stale:
            wire.set_state(filled.keyed, 2, "Success")
        assert stale.value.code == "VERSION_LOCKING_ERROR"
        assert wire.set_state(filled.keyed, 3, "Success", "by hand") == 4
        new = wire.create_run(filled.flow, labels=["prod"])
        found = wire.data('{ flow_run(where: {labels: {_contains: "prod"}}) { id } }')["flow_run"]
        assert {run["id"] for run in found} == {filled.keyed, new}


def test_a_running_server_is_not_moved(tmp_path: Path, url: str) -> None:
    with ServerProcess(tmp_path) as server:
        done = moved(server.home, server.data, url)
    assert (done.code, "stop it first" in done.err) == (2, True)
    assert (server.data / "flowlatch.db").exists()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'flow_run'").fetchone() == (0,)


def test_a_database_with_runs_or_servers_is_left_alone(filled: Filled, url: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "other", "--database", url) as other:
        assert "servers are running on it" in filled.move(url).err
        other.wire().create_flow("theirs")
    before = all_rows(url)
    done = filled.move(url)
    assert (done.code, "is not empty" in done.err) == (2, True)
    assert all_rows(url) == before
    assert (filled.data / "flowlatch.db").exists()


def test_what_cannot_be_moved_whole_is_not_moved_at_all(filled: Filled, url: str) -> None:
    with closing(sqlite3.connect(filled.data / "flowlatch.db")) as connection:
        connection.execute("UPDATE flow_run SET idempotency_key = hex(randomblob(9000)) WHERE id = ?", (filled.keyed,))
        connection.commit()
    done = filled.move(url)
    assert done.code == 2
    assert "too long for PostgreSQL" in done.err
    assert "nothing was moved" in done.err
    assert all_rows(url)["flow_run"] == []
    with closing(sqlite3.connect(filled.data / "flowlatch.db")) as connection:
        connection.execute("UPDATE flow_run SET idempotency_key = ? WHERE id = ?", (KEY, filled.keyed))
        connection.commit()
    assert filled.move(url).code == 0, "the second try finds the tables of the first one"


@pytest.fixture
async def between(cluster: PostgresProcess) -> AsyncIterator[Between]:
    """Stands before the cluster."""
    async with Between(cluster.port) as standing:
        yield standing


async def test_a_commit_whose_answer_is_lost_is_asked_after(filled: Filled, url: str, between: Between) -> None:
    way = between.way(url)
    between.cut_at, between.spared = "before", SCHEMA
    done = await asyncio.to_thread(filled.move, way)
    assert (done.code, between.cuts) == (2, 1)
    assert "the connection was lost while it committed; nothing was moved" in done.err
    assert (filled.data / "flowlatch.db").exists()
    assert all_rows(url)["flow_run"] == []
    between.cut_at, between.spared = "after", SCHEMA
    done = await asyncio.to_thread(filled.move, way)
    assert (done.code, between.cuts) == (0, 2), done.err
    assert not (filled.data / "flowlatch.db").exists()
    assert len(all_rows(url)["flow_run"]) == 30


async def test_nothing_is_claimed_of_a_commit_that_cannot_be_asked_after(
    filled: Filled, url: str, between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CERTAINTY_S", 0.3)
    between.cut_at, between.spared, between.stays_down = "after", SCHEMA, True
    with maintenance.contents(filled.data) as rows_of:
        way = between.way(url)
        with pytest.raises(StoreUnusable, match=r"all was moved or nothing\. Move again once it answers"):
            await asyncio.to_thread(fill, way, rows_of, lambda table, count: None)
    assert len(all_rows(url)["flow_run"]) == 30
    assert "is not empty" in filled.move(url).err


def test_nobody_there_is_one_line(filled: Filled) -> None:
    for url, words in (("postgresql://127.0.0.1:1/runs", "cannot"), ("sqlite:///x", "the form is postgresql://")):
        done = filled.move(url)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert words in done.err or "refused" in done.err
    assert (filled.data / "flowlatch.db").exists()
