"""Requests a second of servers on one PostgreSQL, from one server and from two.

`python -m tests.bench.postgres [--runs N] [--seconds S] [--json]`; POSTGRES_HOME names an installation.

The load comes from one asyncio process. The database syncs each commit to the disk, as it does by default.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg

from flowlatch.store import schema
from flowlatch.store.tables import Table
from tests.bench.load import Ask, Place, Question, Taken
from tests.bench.report import Figure, median, show
from tests.bench.server import CREATE, PAGE, asked, loads, next_state
from tests.bench.startup import resident_mib
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess

EACH = 16
"""Clients of each server when there are several."""
STATES = ("Success", "Success", "Success", "Failed", "Running", "Scheduled", "Cancelled")


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.postgres", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="runs in the database (100000)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement (3)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = {"fsync": "on", "shared_buffers": "256MB"}
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name, PostgresProcess(**settings) as cluster:
        options = ("--database", cluster.new_database(), "--no-scheduler")
        with ServerProcess(Path(name, "one"), *options) as one, ServerProcess(Path(name, "two"), *options) as two:
            wire = one.wire()
            flow_id = wire.create_flow("load")
            multiply(options[1], wire.create_run(flow_id), arguments.runs)
            figures = asyncio.run(loads(one, arguments.seconds))
            figures += asyncio.run(together([one], flow_id, arguments.seconds))
            figures += asyncio.run(together([one, two], flow_id, arguments.seconds))
            figures.append(Figure("server, resident memory after the load", resident_mib(one.pid), "MiB"))
        version = cluster.sql("SHOW server_version")[0][0].split()[0]
    show(f"Server, PostgreSQL {version}, {arguments.runs:,} runs", figures, as_json=arguments.json)


def multiply(url: str, run_id: str, count: int) -> None:
    """Copy a run and its first state `count` times, over states and starts."""
    given = {
        "id": "gen_random_uuid()::text",
        "name": "'run ' || n",
        "state": f"(ARRAY{list(STATES)})[1 + n % {len(STATES)}]",
        "scheduled_start_time": "to_char(timestamp '2026-01-01' + n * interval '1 minute', "
        """'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
        "change_seq": "(SELECT change_seq FROM store_clock) + n",
        "added_seq": "(SELECT change_seq FROM store_clock) + n",
        "state_id": "NULL",
    }
    with psycopg.connect(url) as connection:
        connection.execute(
            _copy(schema.flow_run, given, f"flow_run, generate_series(1, {count}) AS n WHERE id = '{run_id}'")
        )
        history = {"id": "gen_random_uuid()::text", "flow_run_id": "flow_run.id", "state": "flow_run.state"}
        connection.execute(
            _copy(
                schema.flow_run_state,
                history,
                f"flow_run_state, flow_run WHERE flow_run_state.flow_run_id = '{run_id}' AND flow_run.id <> '{run_id}'",
            )
        )
        connection.execute(
            "UPDATE flow_run SET state_id = flow_run_state.id FROM flow_run_state"
            " WHERE flow_run_state.flow_run_id = flow_run.id AND flow_run.state_id IS NULL"
        )
        connection.execute("UPDATE store_clock SET change_seq = (SELECT max(change_seq) FROM flow_run)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _copy(table: Table, given: dict[str, str], source: str) -> str:
    names = [name for name in table.columns if name != "seq"]
    values = [given.get(name, f"{table.name}.{name}") for name in names]
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} FROM {source}"


async def together(servers: list[ServerProcess], flow_id: str, seconds: float) -> list[Figure]:
    """Return what all servers do at once, `EACH` clients on each of them."""
    wire = servers[0].wire()
    kinds: dict[str, Callable[[], Ask]] = {
        "create, new key": lambda: lambda _: asked(CREATE, flow_id=flow_id, idempotency_key=str(uuid.uuid4())),
        "set state with version check": lambda: next_state([wire.create_run(flow_id) for _ in range(EACH)]),
        "page of 200": lambda: lambda _: Question("/graphql", {"query": PAGE}),
    }
    figures = []
    for name, ask in kinds.items():
        places = [(Place(server.url, server.headers), ask()) for server in servers]
        taken = await asyncio.gather(*(place.load(EACH, seconds, make) for place, make in places))
        figures.append(_sum(f"{name}, {len(servers)} × {EACH} clients", taken))
    return figures


def _sum(what: str, taken: list[Taken]) -> Figure:
    assert not any(each.errors for each in taken), [each.errors[:2] for each in taken]
    ms = [value for each in taken for value in each.ms]
    return Figure(f"{what} (p50 {median(ms):.2f} ms)", sum(each.per_s for each in taken), "/s")


if __name__ == "__main__":
    main()
