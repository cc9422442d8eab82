"""Requests a second of our server, by number of waiting clients: `python -m tests.bench.server [--runs N] [--json]`.

The load comes from one asyncio process over kept connections, so at 32 clients that process is measured too.
Writes are durable (WAL, synchronous=FULL); `fdatasync` of the same disk is measured beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.fill import fill
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

Body = Callable[[int], dict[str, Any]]
"""Makes the next request body of client number n."""


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
    wire = server.wire()
    flow_id = wire.data("{ flow(limit: 1) { id } }")["flow"][0]["id"]
    same_key = str(uuid.uuid4())
    figures = []
    for clients in CLIENTS:
        run_ids = [wire.create_run(flow_id) for _ in range(clients)]
        versions = [1] * clients
        kinds: dict[str, Body] = {
            "create": lambda _: body(CREATE, flow_id=flow_id),
            "create, new key": lambda _: body(CREATE, flow_id=flow_id, idempotency_key=str(uuid.uuid4())),
            "create, same key": lambda _: body(CREATE, flow_id=flow_id, idempotency_key=same_key),
            "set state with version check": _next_state(run_ids, versions),
            "page of 200": lambda _: {"query": PAGE},
            "counts by state": lambda _: {"query": COUNTS},
        }
        for name, make in kinds.items():
            taken, errors = await load(server, clients, seconds, make)
            rate = len(taken) / seconds
            figures.append(Figure(f"{name}, c={clients}", rate, "/s"))
            tail = f"p50 (p99 {quantile(taken, 0.99):.2f} ms)"
            figures.append(Figure(f"{name}, c={clients}, {tail}", median(taken), "ms"))
            assert not errors, f"{name} at {clients} clients: {errors[:3]}"
    return figures


def body(document: str, **inputs: Any) -> dict[str, Any]:
    """Return a request body with one variable `input`."""
    return {"query": document, "variables": {"input": inputs}}


def _next_state(run_ids: list[str], versions: list[int]) -> Body:
    """Return a maker of state changes: each client moves its own run from version to version."""

    def make(client: int) -> dict[str, Any]:
        version = versions[client]
        versions[client] += 1
        state = {"type": "Running", "message": f"step {version}"}
        return body(SET_STATE, flow_run_id=run_ids[client], version=version, state=state)

    return make


async def load(server: ServerProcess, clients: int, seconds: float, make: Body) -> tuple[list[float], list[str]]:
    """Let `clients` ask one request after the other for `seconds`; return latencies in ms and the failed answers."""
    taken: list[float] = []
    errors: list[str] = []
    ends_at = time.perf_counter() + seconds

    async def one(client: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while (started := time.perf_counter()) < ends_at:
            writer.write(request(server, make(client)))
            answer = await read_answer(reader)
            taken.append((time.perf_counter() - started) * 1e3)
            if b'"errors"' in answer[:200] or not answer.startswith(b"{"):
                errors.append(answer[:300].decode("utf-8", "replace"))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one(client) for client in range(clients)))
    return taken, errors


def request(server: ServerProcess, content: dict[str, Any]) -> bytes:
    """Return one HTTP request as bytes."""
    payload = json.dumps(content).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
    return (head + f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n").encode() + payload


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """Return the body of one answer, by its length or in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    if lengths:
        return await reader.readexactly(int(lengths[0]))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


if __name__ == "__main__":
    main()
