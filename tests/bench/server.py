"""Requests a second of our server, by number of waiting clients.

`python -m tests.bench.server [--runs N] [--long --seconds 60] [--json]`.

The load comes from one asyncio process over kept connections, so at 32 clients that process is measured too.
Writes are durable (WAL, synchronous=FULL); `fdatasync` of the same disk is measured beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowlatch.server.compile import NOW, compile_plan
from flowlatch.server.execute import prepare
from flowlatch.server.plan import Values
from flowlatch.server.selection import root_plan
from flowlatch.store.spelling import SQLITE
from flowlatch.store.sqlite.connection import connect_reader
from flowlatch.store.sqlite.store import FILE_NAME
from tests.bench.fill import fill
from tests.bench.load import Ask, Place, Question
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import resident_mib
from tests.support.server import ServerProcess

CLIENTS = (1, 8, 32)
MANY = (32, 128)
TURNS, TURN_S = 6, 0.4
CREATE = "mutation($input: create_flow_run_input!) { create_flow_run(input: $input) { id } }"
SET_STATE = "mutation($input: set_flow_run_state_input!) { set_flow_run_state(input: $input) { version } }"
PAGE = """query { flow_run(order_by: [{scheduled_start_time: desc}, {id: desc}], limit: 200)
  { id name version state state_message scheduled_start_time start_time end_time flow { id name } } }"""
STATES = ("Scheduled", "Running", "Success", "Failed", "Cancelled")
COUNT = '{0}: flow_run_aggregate(where: {{state: {{_eq: "{0}"}}}}) {{ aggregate {{ count }} }}'
COUNTS = f"query {{ {' '.join(COUNT.format(state) for state in STATES)} }}"


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="runs in the database (100000)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement (3)")
    parser.add_argument("--long", action="store_true", help="only writers, 32 and 128 of them, for that long each")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        directory = Path(name)
        fill(directory / "data", arguments.runs, random.Random(1), datetime.now(UTC))
        started = time.perf_counter()
        with ServerProcess(directory, "--no-scheduler") as server:
            figures = [Figure("start → ready", (time.perf_counter() - started) * 1e3, "ms")]
            figures.append(Figure("fdatasync of 4 kB on this disk", syncs_per_s(directory), "/s"))
            figures += [] if arguments.long else asyncio.run(loads(server, arguments.seconds))
            figures += asyncio.run(many_writers(server, arguments.seconds)) if arguments.long else []
            figures += [] if arguments.long else against_statement(server)
            figures.append(Figure("server, resident memory after the load", resident_mib(server.pid), "MiB"))
            figures.append(Figure("bytes of a page of 200", len(server.wire().post(PAGE).content), "B"))
    show(f"Server, SQLite, {arguments.runs:,} runs", figures, as_json=arguments.json)


def syncs_per_s(directory: Path, count: int = 200) -> float:
    """Return how often this disk makes 4 kB durable in a second."""
    with (directory / "sync").open("wb") as file:
        started = time.perf_counter()
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return count / (time.perf_counter() - started)


async def loads(server: ServerProcess, seconds: float) -> list[Figure]:
    """Return the figures of every kind of request at every number of clients."""
    wire, place = server.wire(), Place(server.url, server.headers)
    flow_id = wire.data("{ flow(limit: 1) { id } }")["flow"][0]["id"]
    same_key = str(uuid.uuid4())
    figures = []
    for clients in CLIENTS:
        run_ids = [wire.create_run(flow_id) for _ in range(clients)]
        kinds: dict[str, Ask] = {
            "create": lambda _: asked(CREATE, flow_id=flow_id),
            "create, new key": lambda _: asked(CREATE, flow_id=flow_id, idempotency_key=str(uuid.uuid4())),
            "create, same key": lambda _: asked(CREATE, flow_id=flow_id, idempotency_key=same_key),
            "set state with version check": next_state(run_ids),
            "page of 200": lambda _: Question("/graphql", {"query": PAGE}),
            "counts by state": lambda _: Question("/graphql", {"query": COUNTS}),
        }
        for name, ask in kinds.items():
            taken = await place.load(clients, seconds, ask)
            figures.append(Figure(f"{name}, c={clients}", taken.per_s, "/s"))
            tail = f"p50 (p99 {quantile(taken.ms, 0.99):.2f} ms)"
            figures.append(Figure(f"{name}, c={clients}, {tail}", median(taken.ms), "ms"))
            assert not taken.errors, f"{name} at {clients} clients: {taken.errors[:3]}"
    return figures


async def many_writers(server: ServerProcess, seconds: float) -> list[Figure]:
    """Return what creates cost many writers at once for longer; every answer is a good one."""
    place = Place(server.url, server.headers)
    flow_id = server.wire().data("{ flow(limit: 1) { id } }")["flow"][0]["id"]
    figures = []
    for clients in MANY:
        taken = await place.load(
            clients, seconds, lambda _: asked(CREATE, flow_id=flow_id, idempotency_key=str(uuid.uuid4()))
        )
        p50, p99 = median(taken.ms), quantile(taken.ms, 0.99)
        figures += [
            Figure(f"{clients} writers for {seconds:.0f} s: created", taken.per_s, "/s"),
            Figure(f"{clients} writers: errors of {len(taken.ms):,}", len(taken.errors), "", None, "", "0"),
            Figure(
                f"{clients} writers: p99 (p50 {p50:.1f} ms, longest {max(taken.ms):.0f} ms)",
                p99,
                "ms",
                p99 / p50,
                "p50",
                "8×",
            ),
        ]
    return figures


def against_statement(server: ServerProcess) -> list[Figure]:
    """Return the time of a page over HTTP against its bare statement, in turns on the same file."""
    asked_once = prepare(PAGE, {}, None)
    values = Values()
    statement = compile_plan(root_plan(asked_once.request, asked_once.fields[0], values), SQLITE).sql
    parameters = {**values.parameters(), NOW: datetime.now(UTC).isoformat()}
    place, connection = Place(server.url, server.headers), connect_reader(server.data / FILE_NAME)
    over_http: list[float] = []
    bare: list[float] = []
    for _ in range(TURNS):
        over_http += asyncio.run(place.load(1, TURN_S, lambda _: Question("/graphql", {"query": PAGE}))).ms
        ends_at = time.perf_counter() + TURN_S
        while (started := time.perf_counter()) < ends_at:
            connection.execute(statement, parameters).fetchall()
            bare.append((time.perf_counter() - started) * 1e3)
    connection.close()
    ratio = median(over_http) / median(bare)
    what = f"page of 200 over HTTP (its bare statement {median(bare):.3g} ms)"
    return [Figure(what, median(over_http), "ms", ratio, "the statement", "2.5×")]


def asked(document: str, **inputs: Any) -> Question:
    """Return a question with one variable `input`."""
    return Question("/graphql", {"query": document, "variables": {"input": inputs}})


def next_state(run_ids: list[str]) -> Ask:
    """Return a maker of state changes: each client moves its own run from version to version."""
    versions = [1] * len(run_ids)

    def make(client: int) -> Question:
        version = versions[client]
        versions[client] += 1
        state = {"type": "Running", "message": f"step {version}"}
        return asked(SET_STATE, flow_run_id=run_ids[client], version=version, state=state)

    return make


if __name__ == "__main__":
    main()
