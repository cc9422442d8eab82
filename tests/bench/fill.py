"""Fill a data directory with believable runs in seconds: `python -m tests.bench.fill --data DIR --runs 100000`.

Rows go past the operations straight into the tables, with indexes and triggers dropped and built again at the end; what
triggers would have kept (names, labels, counters) is computed once. The result is what the server would have written.
No server may run on the directory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from flowlatch.discovery import DATABASE, DirectoryLock, prepare_directory
from flowlatch.store.base import Tx
from flowlatch.store.names import ADJECTIVES, ANIMALS
from flowlatch.store.operations.flows import create_flow
from flowlatch.store.operations.tenants import create_project
from flowlatch.store.sqlite.connection import connect
from flowlatch.store.sqlite.store import open_sqlite
from tests.bench.fill_details import Details, insert_sql
from tests.bench.fill_words import as_text, new_id

BATCH = 20_000
AHEAD = 200
FULL_TEXT = "flow_run_name"


@dataclass(frozen=True)
class Kind:
    """One sample flow and how its runs behave."""

    name: str
    every_s: int
    typical_s: float
    failing: float
    """Share of runs that fail."""
    labels: tuple[str, ...]
    parameters: dict[str, Any]
    tasks: tuple[str, ...]


_ETL = ("extract", "clean", "load", "publish")
KINDS = (
    Kind("etl-orders-daily", 240, 190, 0.07, ("prod", "etl"), {"date": "2026-01-01", "dry_run": False}, _ETL),
    Kind("sync-crm-contacts", 120, 35, 0.04, ("prod", "crm"), {"since": None, "batch": 500}, ("fetch", "merge")),
    Kind("train-forecast", 1800, 2400, 0.2, ("gpu", "ml"), {"horizon": 28, "model": "gbm"}, ("features", "fit")),
    Kind("report-finance-weekly", 3600, 600, 0.03, ("prod", "finance"), {"week": 1}, ("collect", "render", "mail")),
    Kind("backup-warehouse", 1800, 900, 0.01, ("prod", "ops"), {"bucket": "nightly"}, ("dump", "upload")),
    Kind("scan-images", 300, 75, 0.1, ("staging", "security"), {"registry": "internal"}, ("scan", "notify")),
)
"""The sample flows, busiest first in the draw below."""

FAILURES = (
    "ValueError: column 'amount' has 3 nulls",
    "ConnectionError: warehouse refused the connection",
    "Some reference tasks failed.",
    "TimeoutError: upstream did not answer within 300 s",
)


def main() -> None:
    """Fill the directory and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fill", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory; made when it does not exist")
    parser.add_argument("--runs", type=int, default=100_000, help="number of runs to add (100000)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same runs (1)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    fill(arguments.data, arguments.runs, random.Random(arguments.seed), datetime.now(UTC))
    database = arguments.data / DATABASE
    took_s, size_mb = time.perf_counter() - started, database.stat().st_size / 1e6
    print(f"{arguments.runs:,} runs in {took_s:.1f} s, {size_mb:,.0f} MB in {database}")


def fill(data: Path, runs: int, rng: random.Random, now: datetime, *, detailed: int = 200, ahead: int = AHEAD) -> None:
    """Add `runs` runs that end at `now`, the newest ones due, running or waiting.

    At most `ahead` runs are scheduled later than `now`; those and the newest `detailed` others get task runs and, once
    running, log lines. The database's clock stands at `now` or later afterwards.
    """
    data = prepare_directory(data)
    with DirectoryLock(data) as lock:
        if not lock.acquire():
            sys.exit(f"a server runs on {data}: stop it first")
        flows = asyncio.run(_make_flows(data, rng, now))
        connection = connect(data / DATABASE)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA cache_size = -512000")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN EXCLUSIVE")
        dropped = _drop_derived(connection)
        _insert(connection, Rows(connection, flows, rng, now, ahead), runs, detailed + ahead)
        _build_derived(connection, dropped)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()


async def _make_flows(data: Path, rng: random.Random, now: datetime) -> list[tuple[Kind, str, str]]:
    """Register the sample flows unless they are there; return (kind, flow id, tenant id) for each."""
    store = await open_sqlite(data, new_id=lambda: new_id(rng), clock=lambda: now)
    try:
        found = await store.read("SELECT name, id, tenant_id FROM flow WHERE archived = 0", {})
        known = {row[0]: (row[1], row[2]) for row in found}
        (tenant_id,) = (await store.read("SELECT id FROM tenant ORDER BY seq LIMIT 1", {})).rows[0]
        projects = await store.read("SELECT id FROM project WHERE name = 'bench'", {})
        if projects.rows:
            project_id = projects.rows[0][0]
        else:
            project_id = (await store.write(lambda tx: create_project(tx, tenant_id=tenant_id, name="bench")))["id"]
        for kind in KINDS:
            if kind.name not in known:
                flow_id = (await store.write(partial(_register, project_id=project_id, kind=kind)))["id"]
                known[kind.name] = (flow_id, tenant_id)
    finally:
        await store.close()
    return [(kind, *known[kind.name]) for kind in KINDS]


def _register(tx: Tx, *, project_id: str, kind: Kind) -> dict[str, Any]:
    parameters = [{"name": n, "slug": n, "required": False, "default": v} for n, v in kind.parameters.items()]
    tasks = [{"name": name, "slug": f"{name}-1"} for name in kind.tasks]
    pairs = itertools.pairwise(f"{name}-1" for name in kind.tasks)
    edges = [{"upstream_task": {"slug": a}, "downstream_task": {"slug": b}} for a, b in pairs]
    document = {"name": kind.name, "parameters": parameters, "tasks": tasks, "edges": edges}
    return create_flow(tx, project_id=project_id, serialized_flow=document)


RUN_COLUMNS = (
    "id created updated tenant_id flow_id name version parameters context labels scheduled_start_time auto_scheduled "
    "start_time end_time duration state_id state state_timestamp state_message state_start_time actor "
    "change_seq added_seq"
)
STATE_COLUMNS = (
    "id created updated tenant_id flow_run_id timestamp state version message start_time serialized_state actor"
)


History = list[tuple[str, float, str]]
"""The states of a run: (name, seconds since 1970, message), oldest first."""


@dataclass(frozen=True)
class Made:
    """One run as rows, and what it was made from."""

    run_id: str
    flow_id: str
    tenant_id: str
    path: History
    run: tuple[Any, ...]
    states: list[tuple[Any, ...]]


class Rows:
    """Makes the rows of runs and of their states, oldest run first."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        flows: list[tuple[Kind, str, str]],
        rng: random.Random,
        now: datetime,
        ahead: int,
    ) -> None:
        self.rng = rng
        self.ahead = ahead
        self.now = now.timestamp()
        self.change_seq = int(connection.execute("SELECT change_seq FROM store_clock").fetchone()[0])
        weights = [1 / kind.every_s for kind, _, _ in flows]
        self._flows = rng.choices(flows, weights, k=4096)
        self._mean_gap_s = 1 / sum(weights)

    def runs(self, count: int) -> Iterator[Made]:
        """Yield runs, scheduled one after the other, the last ones ahead of now."""
        rng, ahead = self.rng, min(count // 50, self.ahead)
        first_at = self.now - (count - ahead) * self._mean_gap_s
        for number in range(count):
            kind, flow_id, tenant_id = self._flows[rng.getrandbits(12)]
            due = first_at + (number + rng.random()) * self._mean_gap_s
            yield self._run(kind, flow_id, tenant_id, due)

    def _run(self, kind: Kind, flow_id: str, tenant_id: str, due: float) -> Made:
        rng = self.rng
        run_id, made_at = new_id(rng), min(due, self.now) - 60
        path = self._path(kind, due)
        states, state_id = [], ""
        for version, (state, at, message) in enumerate(path, 1):
            state_id, stamp = new_id(rng), as_text(at)
            start = as_text(due) if state == "Scheduled" else None
            actor = None if version == 1 else "agent"
            serialized = json.dumps(
                {"type": state, "message": message, "start_time": start, "_result": {"type": "NoResultType"}}
            )
            states.append(
                (state_id, stamp, stamp, tenant_id, run_id, stamp, state, version, message, start, serialized, actor)
            )
        state, at, message = path[-1]
        started = next((as_text(when) for name, when, _ in path if name == "Running"), None)
        is_over = state in ("Success", "Failed", "Cancelled")
        took = int((at - path[1][1]) * 1e6) if is_over and started else None
        self.change_seq += 1
        name = f"{ADJECTIVES[rng.getrandbits(16) % len(ADJECTIVES)]}-{ANIMALS[rng.getrandbits(16) % len(ANIMALS)]}"
        run = (
            *(run_id, as_text(made_at), as_text(at), tenant_id, flow_id, name, len(path), json.dumps(kind.parameters)),
            *("{}", json.dumps(sorted(kind.labels)), as_text(due), 1, started, as_text(at) if is_over else None, took),
            *(state_id, state, as_text(at), message, as_text(due) if state == "Scheduled" else None),
            *("agent" if started else None, self.change_seq, self.change_seq),
        )
        return Made(run_id, flow_id, tenant_id, path, run, states)

    def _path(self, kind: Kind, due: float) -> History:
        """Return the states of a run as (name, when, message): how far it has come by now, and how it ended."""
        rng = self.rng
        path = [("Scheduled", min(due, self.now) - 60, "Flow run scheduled.")]
        begins = due + rng.random() * 5
        if begins > self.now or (due > self.now - 3600 and rng.random() < 0.03):
            return path
        path.append(("Running", begins, "Running flow."))
        ends = begins + kind.typical_s * (0.5 + rng.expovariate(1.6))
        chance = rng.random()
        if ends > self.now:
            return path
        if chance < kind.failing:
            path.append(("Failed", ends, FAILURES[rng.getrandbits(2)]))
        elif chance < kind.failing + 0.01:
            path.append(("Cancelled", ends, "Cancelled by hand."))
        else:
            path.append(("Success", ends, "All reference tasks succeeded."))
        return path


def _drop_derived(connection: sqlite3.Connection) -> list[str]:
    """Drop the indexes and triggers of the run tables and return the statements that make them again."""
    found = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', 'trigger') "
        "AND tbl_name IN ('flow_run', 'flow_run_state')"
    ).fetchall()
    for kind, name, _ in found:
        connection.execute(f"DROP {kind} {name}")
    return [sql for _, _, sql in found]


def _insert(connection: sqlite3.Connection, rows: Rows, count: int, detailed: int) -> None:
    run_sql, state_sql = insert_sql("flow_run", RUN_COLUMNS), insert_sql("flow_run_state", STATE_COLUMNS)
    newest: deque[Made] = deque(maxlen=detailed)
    made = rows.runs(count)
    while batch := list(itertools.islice(made, BATCH)):
        connection.executemany(run_sql, [each.run for each in batch])
        connection.executemany(state_sql, [state for each in batch for state in each.states])
        newest.extend(batch)
    details = Details(connection, rows.rng, rows.now)
    for each in newest:
        details.add(each.run_id, each.flow_id, each.tenant_id, each.path)
    last = as_text(rows.now)
    connection.execute("UPDATE store_clock SET change_seq = ?, last_time = max(last_time, ?)", (rows.change_seq, last))


def _build_derived(connection: sqlite3.Connection, dropped: list[str]) -> None:
    """Compute what triggers keep, then make indexes and triggers again."""
    connection.execute("DELETE FROM flow_run_label")
    connection.execute(
        "INSERT INTO flow_run_label (label, scheduled_start_time, run_seq) "
        "SELECT DISTINCT value, scheduled_start_time, seq FROM flow_run, json_each(flow_run.labels) ORDER BY 1, 2, 3"
    )
    connection.execute("DELETE FROM state_count")
    connection.execute("INSERT INTO state_count (state, runs) SELECT state, count(*) FROM flow_run GROUP BY state")
    connection.execute(f"INSERT INTO {FULL_TEXT} ({FULL_TEXT}) VALUES ('rebuild')")
    for sql in dropped:
        connection.execute(sql)


if __name__ == "__main__":
    main()
