"""Requests a second of our server, by number of waiting clients: `python -m tests.bench.server [--runs N] [--json]`.

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

from tests.bench.fill import fill
from tests.bench.load import Ask, Place, Question
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import resident_mib
from tests.support.server import ServerProcess

CLIENTS = (1, 8, 32)
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
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        directory = Path(name)
        fill(directory / "data", arguments.runs, random.Random(1), datetime.now(UTC))
        started = time.perf_counter()
        with ServerProcess(directory, "--no-scheduler") as server:
            figures = [Figure("start → ready", (time.perf_counter() - started) * 1e3, "ms")]
            figures.append(Figure("fdatasync of 4 kB on this disk", syncs_per_s(directory), "/s"))
            figures += asyncio.run(loads(server, arguments.seconds))
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
