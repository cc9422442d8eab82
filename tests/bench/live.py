"""How fast a change is seen elsewhere and what a moving list costs: `python -m tests.bench.live [--seconds 60]`.

From the sent change to its answer, to another client's websocket, to the repainted row of a dashboard in a terminal;
then bytes and CPU of that dashboard while five rows change each second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.bench.place import filled_server
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import COLUMNS, ROWS, cpu_s, newest_names, resident_mib, wait_any
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess

SUBSCRIBE = "subscription { flow_run_changes { cursor resync changes { id kind flow_run { id version state } } } }"
NEWEST = """{ flow_run(order_by: [{scheduled_start_time: desc}, {id: desc}], limit: 40) { id version } }"""
SAMPLES = 60


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the database (10000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of a moving list (60)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with filled_server(arguments.runs) as server:
        figures = asyncio.run(pushed(server))
        with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
            wait_any(terminal, newest_names(server))
            terminal.read_for(3)
            figures += [*repainted(server, terminal), *moving(server, terminal, arguments.seconds)]
    show(f"Changes seen elsewhere, {arguments.runs:,} runs, {COLUMNS}×{ROWS}", figures, as_json=arguments.json)


class Mover:
    """Changes the newest runs, each from version to version."""

    def __init__(self, server: ServerProcess) -> None:
        self._wire = server.wire()
        self._rows = self._wire.data(NEWEST)["flow_run"]
        self._next = 0

    def move(self, message: str) -> str:
        """Set the next run's state, with `message`, and return its id."""
        row = self._rows[self._next % len(self._rows)]
        self._next += 1
        row["version"] = self._wire.set_state(row["id"], row["version"], "Running", message)
        return str(row["id"])


async def pushed(server: ServerProcess) -> list[Figure]:
    """Return change sent → answered, and answered → on another client's websocket."""
    mover = Mover(server)
    answered, received = [], []
    url = server.url.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {server.token}"}})
        )
        await until(socket, lambda message: message["type"] == "connection_ack")
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIBE}}))
        await until(socket, lambda message: message["type"] == "next")
        for number in range(SAMPLES):
            started = time.perf_counter()
            times = await asyncio.gather(
                timed(asyncio.to_thread(mover.move, f"step {number}")),
                timed(until(socket, lambda message: message["type"] == "next")),
            )
            answered.append((times[0] - started) * 1e3)
            received.append((times[1] - started) * 1e3)
    return [
        Figure("change sent → answered (through httpx)", median(answered), "ms"),
        Figure(f"change sent → on another websocket (p99 {quantile(received, 0.99):.1f} ms)", median(received), "ms"),
        Figure("answered → on another websocket", median(received) - median(answered), "ms", goal="5 ms"),
    ]


async def timed(work: Coroutine[Any, Any, Any]) -> float:
    """Wait for some work and return when it was done."""
    await work
    return time.perf_counter()


async def until(socket: ClientConnection, wanted: Any) -> dict[str, Any]:
    """Read messages, answering pings, until one is `wanted`."""
    while True:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if message["type"] == "ping":
            await socket.send(json.dumps({"type": "pong"}))
        elif wanted(message):
            return message


def repainted(server: ServerProcess, terminal: Terminal) -> list[Figure]:
    """Return change answered → its message on the screen of a dashboard."""
    mover, taken = Mover(server), []
    for number in range(SAMPLES // 2):
        # no cell as it was before: only those that differ are written
        marker = f"MARK{chr(65 + number // 26)}{chr(65 + number % 26)}"
        mover.move(marker)
        started = time.perf_counter()
        while marker.encode() not in terminal.raw:
            assert terminal.read_some(10), f"{marker} was not painted:\n{terminal.text}"
        taken.append((time.perf_counter() - started) * 1e3)
    return [Figure(f"answered → repainted row (p99 {quantile(taken, 0.99):.0f} ms)", median(taken), "ms", goal="60 ms")]


def moving(server: ServerProcess, terminal: Terminal, seconds: float) -> list[Figure]:
    """Return bytes and CPU of the dashboard while five rows change each second."""
    mover = Mover(server)
    before, burnt = len(terminal.raw), cpu_s(terminal.process.pid)
    started, step = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        for _ in range(5):
            mover.move(f"step {step}")
        step += 1
        terminal.read_for(max(step - passed, 0.01))
    burnt = cpu_s(terminal.process.pid) - burnt
    per_minute = (len(terminal.raw) - before) * 60 / seconds
    return [
        Figure("5 rows change each second, bytes a minute", per_minute, "B", goal="150 kB"),
        Figure("the same, CPU of the dashboard", burnt / seconds * 100, "%"),
        Figure("dashboard, resident memory", resident_mib(terminal.process.pid), "MiB", goal="300 MiB"),
    ]


if __name__ == "__main__":
    main()
