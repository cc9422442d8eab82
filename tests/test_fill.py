"""A filled database is one that the server could have written."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowlatch.discovery import DATABASE
from tests.bench.fill import fill
from tests.support.server import ServerProcess

NOW = datetime(2026, 1, 15, 13, 0, tzinfo=UTC)


def test_filling_keeps_every_promise_of_the_schema(tmp_path: Path) -> None:
    fill(tmp_path, 400, random.Random(3), NOW)
    fill(tmp_path, 100, random.Random(4), NOW)
    connection = sqlite3.connect(tmp_path / DATABASE)
    try:

        def ask(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        assert ask("PRAGMA integrity_check") == [("ok",)]
        assert ask("PRAGMA foreign_key_check") == []
        assert ask("SELECT count(*) FROM flow_run") == [(500,)]
        assert ask("SELECT sum(runs) FROM state_count") == [(500,)]
        assert ask("SELECT count(*) FROM flow_run_label") == ask("SELECT sum(json_array_length(labels)) FROM flow_run")
        assert ask("SELECT count(*) FROM flow_run_state") == ask("SELECT sum(version) FROM flow_run")
        newest = (
            "SELECT count(*) FROM flow_run r JOIN flow_run_state s ON s.id = r.state_id WHERE s.version = r.version"
        )
        assert ask(newest) == [(500,)]
        assert ask("SELECT max(change_seq) FROM flow_run") == ask("SELECT change_seq FROM store_clock")
        assert ask("SELECT count(*) > 100 FROM log") == [(1,)]
    finally:
        connection.close()


def test_the_same_seed_gives_the_same_runs(tmp_path: Path) -> None:
    names = []
    for directory in (tmp_path / "a", tmp_path / "b"):
        fill(directory, 50, random.Random(5), NOW)
        connection = sqlite3.connect(directory / DATABASE)
        names.append(
            connection.execute("SELECT id, name, state, scheduled_start_time FROM flow_run ORDER BY seq").fetchall()
        )
        connection.close()
    assert names[0] == names[1]


def test_the_server_serves_a_filled_database(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--no-scheduler")
    server.stop()
    fill(server.data, 300, random.Random(3), datetime.now(UTC))
    server.restart()
    wire = server.wire()
    rows = wire.data(
        '{ flow_run(where: {state: {_eq: "Failed"}}) { id version task_runs { state } logs { message } } }'
    )
    assert rows["flow_run"]
    assert rows["flow_run"][0]["task_runs"]
    run = rows["flow_run"][0]
    assert wire.set_state(run["id"], run["version"], "Success") == run["version"] + 1
