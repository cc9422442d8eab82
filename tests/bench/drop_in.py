"""Large flows through the real Prefect 1 client and agent, and what the dashboard makes of them.

`python -m tests.bench.drop_in [wide | mapped | lines]`: 600 tasks in one flow; a mapped task of 1,000 children;
50,000 log lines. The client's environment is the one of the compat suite. Most of the time is the Prefect 1 runner's,
so the server's CPU is told beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowlatch.live.detail import Part
from flowlatch.live.log_tail import KEPT_LINES
from flowlatch.model.run import RunId
from flowlatch.ui.screens.run import RunScreen
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import COLUMNS, ROWS, cpu_s, resident_mib
from tests.compat.prefect1 import Prefect1, install
from tests.support.dashboard import dashboard
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire

RUN_S = 220.0
TASKS, CHILDREN, LINES = 600, 1_000, 50_000
READS = 10
TICK_S = 0.005
FOLD_ALL = "c"
LINE_COUNT = "query($id: uuid!) { log_aggregate(where: {flow_run_id: {_eq: $id}}) { aggregate { count } } }"
OWN_LINES = 4
"""Lines that agent and runner write before the last line of the task."""
COUNT_EVERY_S = 0.1
TASK_RUNS = """query($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}},
  order_by: [{created: asc}, {map_index: asc}]) { id name map_index state start_time end_time task { slug name } } }"""


@dataclass
class Place:
    """A server, a user of it with the real client, and an agent that takes runs."""

    server: ServerProcess
    user: Prefect1
    wire: Wire

    def register(self, name: str) -> tuple[str, list[Figure]]:
        """Register a flow of `programs/large.py` and return its id with the figures."""
        burnt = cpu_s(self.server.pid)
        made = self.user.program("large", name)
        burnt = cpu_s(self.server.pid) - burnt
        return made["flow_id"], [
            Figure(f"registered by `Client.register`, {made['requests']} requests", made["seconds"], "s"),
            Figure("the same, CPU of the server", burnt, "s"),
        ]

    def state(self, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.wire.run(run_id)["state"])

    def execute(self, flow_id: str, tasks: int, **parameters: int) -> tuple[str, list[Figure]]:
        """Let the agent execute a run to its Success and return its id with the figures."""
        burnt, run_id = cpu_s(self.server.pid), self.wire.create_run(flow_id, parameters=parameters)
        eventually(lambda: self.state(run_id) == "Success", RUN_S, "the run succeeds")
        burnt = cpu_s(self.server.pid) - burnt
        document = "query($id: uuid!) { flow_run_by_pk(id: $id) { duration start_time end_time } }"
        run = self.wire.data(document, {"id": run_id})["flow_run_by_pk"]
        seconds = _seconds(run["duration"])
        return run_id, [
            Figure("executed by the local agent, Running → Success", seconds, "s"),
            Figure("a task run, of the runner's time", seconds / tasks * 1e3, "ms"),
            Figure("a task run, of the server's CPU (agent's polls included)", burnt / tasks * 1e3, "ms"),
        ]


def main() -> None:
    """Measure the parts that are asked for and print a table for each."""
    parts: dict[str, tuple[str, Callable[[Place], list[Figure]]]] = {
        "wide": (f"{TASKS} tasks in one flow", wide),
        "mapped": (f"A mapped task of {CHILDREN:,} children", mapped),
        "lines": (f"{LINES:,} log lines", lines),
    }
    parser = argparse.ArgumentParser(prog="python -m tests.bench.drop_in", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="all of them when none is named")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.parts or parts:
        title, measure = parts[name]
        with place() as here:
            show(f"{title}, prefect 1.4.1", measure(here), as_json=arguments.json)


@contextmanager
def place() -> Iterator[Place]:
    """Start a server and an agent on it."""
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        directory, home = Path(name), Path(name) / "prefect"
        home.mkdir()
        with ServerProcess(directory, "--no-auth", "--no-scheduler") as server:
            user = Prefect1(install(), server, home)
            with user.agent():
                yield Place(server, user, server.wire())


def wide(here: Place) -> list[Figure]:
    """Measure a flow with many tasks."""
    flow_id, registered = here.register("wide")
    run_id, executed = here.execute(flow_id, TASKS)
    return [*registered, *executed, *tasks_tab(here, run_id, TASKS, f"{TASKS} tasks")]


def mapped(here: Place) -> list[Figure]:
    """Measure a task with many mapped children."""
    flow_id, registered = here.register("mapped")
    run_id, executed = here.execute(flow_id, CHILDREN, count=CHILDREN)
    return [*registered, *executed, *tasks_tab(here, run_id, CHILDREN + 3, f"{CHILDREN} mapped")]


def tasks_tab(here: Place, run_id: str, count: int, shown: str) -> list[Figure]:
    """Return what a look at the tasks costs the server, and how soon a dashboard shows them."""
    taken, size = [], 0
    for _ in range(READS):
        started = time.perf_counter()
        answer = here.wire.post(TASK_RUNS, {"id": run_id})
        taken.append((time.perf_counter() - started) * 1e3)
        size = len(answer.content)
    assert len(answer.json()["data"]["task_run"]) == count
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=here.server.env()) as terminal:
        terminal.wait_for("+ Success")
        terminal.press("enter")
        terminal.wait_for("Overview")
        terminal.press("]", "]", "]")
        opened = time.perf_counter()
        terminal.wait_for(shown)
        opened = (time.perf_counter() - opened) * 1e3
        terminal.read_for(1)
        unfolded = key_ms(terminal, FOLD_ALL) if "mapped" in shown else None
        terminal.press("G")
        terminal.read_for(1)
        moves = [key_ms(terminal, "k") for _ in range(20)]
        memory = resident_mib(terminal.process.pid)
    figures = [
        Figure(f"all {count:,} task runs, one request (p50)", median(taken), "ms"),
        Figure("the same, bytes", size, "B"),
        Figure("dashboard: tasks tab → tree and Gantt on the screen", opened, "ms"),
        Figure("dashboard: key → repaint in the tasks (p50)", median(moves), "ms", goal="100 ms"),
    ]
    if unfolded is not None:
        figures.append(Figure(f"dashboard: {count:,} rows unfolded → repaint", unfolded, "ms", goal="100 ms"))
    return [*figures, Figure("dashboard, resident memory", memory, "MiB", goal="300 MiB")]


def lines(here: Place) -> list[Figure]:
    """Measure a long log: written by the runner, followed and searched by dashboards."""
    flow_id, _ = here.register("lines")
    run_id, followed = asyncio.run(follow(here, flow_id))
    return [*followed, *log_tab(here, run_id)]


async def follow(here: Place, flow_id: str) -> tuple[str, list[Figure]]:
    """Follow the log of a run in a dashboard while the runner writes it."""
    async with dashboard(here.server, size=(COLUMNS, ROWS)) as deck:
        gc.freeze()  # as `ui.launch.settling` does
        before, burnt = resident_mib(os.getpid()), cpu_s(here.server.pid)
        run_id = await asyncio.to_thread(here.wire.create_run, flow_id, parameters={"count": LINES})
        screen = RunScreen(deck.app.session, RunId(run_id), "logs")
        await deck.app.push_screen(screen)
        meter = StallMeter()
        ticking = asyncio.create_task(meter.run())
        arrived = asyncio.create_task(all_arrived(here.wire, run_id))
        shown_at, last = 0.0, f"line {LINES - 1:05d}"
        started = time.monotonic()
        while not shown_at:
            await asyncio.sleep(TICK_S)
            if len(screen.detail.tail) >= min(LINES, screen.detail.tail.dropped + LINES) and last in deck.text:
                shown_at = time.monotonic()
            assert time.monotonic() < started + RUN_S, deck.text
        arrived_at, seconds = await arrived
        ticking.cancel()
        assert Part.LOGS not in screen.detail.problems
        held = [line.message for line in screen.detail.tail.lines if line.message.startswith("line ")]
        assert held == sorted(held), "the lines are shown in their order"
        return run_id, [
            Figure(f"first line arrived → {LINES:,} lines arrived", seconds, "s"),
            Figure("the same, CPU of the server (dashboard's polls included)", cpu_s(here.server.pid) - burnt, "s"),
            Figure("last line arrived → on the screen that follows (looked for every 2 s)", shown_at - arrived_at, "s"),
            Figure("longest stall of that dashboard meanwhile", max(meter.stalls) * 1e3, "ms", goal="100 ms"),
            Figure("the same, p99 of 5 ms ticks", quantile(meter.stalls, 0.99) * 1e3, "ms"),
            Figure(f"memory for {len(screen.detail.tail):,} lines held", resident_mib(os.getpid()) - before, "MiB"),
        ]


class StallMeter:
    """Measures for how long the event loop could not serve a key, tick by tick."""

    def __init__(self) -> None:
        self.stalls: list[float] = [0.0]

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            started = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.stalls.append(time.perf_counter() - started - TICK_S)


async def all_arrived(wire: Wire, run_id: str) -> tuple[float, float]:
    """Wait until all lines are on the server; return when that was, and the seconds since the first ones came."""
    first: float | None = None
    while True:
        answer = await asyncio.to_thread(wire.data, LINE_COUNT, {"id": run_id})
        found, now = answer["log_aggregate"]["aggregate"]["count"], time.monotonic()
        first = now if first is None and found > OWN_LINES else first
        if first is not None and found >= LINES + OWN_LINES:
            return now, now - first
        await asyncio.sleep(COUNT_EVERY_S)


def log_tab(here: Place, run_id: str) -> list[Figure]:
    """Return how soon a dashboard shows the end, the beginning and a hit of a long log."""
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=here.server.env()) as terminal:
        terminal.wait_for("+ Success")
        terminal.read_for(2)
        terminal.press("l")
        opened = waited_ms(terminal, f"line {LINES - 1:05d}")
        whole = 0.0
        while f"newest {KEPT_LINES:,} lines" not in terminal.text:  # asks for 10,000, then for all that are kept
            terminal.press("g")
            terminal.read_for(0.5)
            whole += 0.5
            assert whole < 30, terminal.text
        terminal.press("/")
        terminal.read_for(0.5)
        terminal.write("line 25000")
        terminal.press("enter")
        found = waited_ms(terminal, "line 25000 of")
        terminal.press("escape")
        terminal.read_for(1)
        moves = [key_ms(terminal, "k") for _ in range(20)]
        memory = resident_mib(terminal.process.pid)
    return [
        Figure("dashboard: `l` → the newest lines on the screen", opened, "ms"),
        Figure(f"dashboard: `g` until all {LINES:,} lines are there (steps of 0.5 s)", whole, "s"),
        Figure(f"dashboard: search in {LINES:,} lines → its hit on the screen", found, "ms"),
        Figure("dashboard: key → repaint in that log (p50)", median(moves), "ms", goal="100 ms"),
        Figure("dashboard, resident memory", memory, "MiB", goal="300 MiB"),
    ]


def waited_ms(terminal: Terminal, text: str) -> float:
    """Return the milliseconds until `text` is on the screen."""
    started = time.perf_counter()
    terminal.wait_for(text, 30)
    return (time.perf_counter() - started) * 1e3


def key_ms(terminal: Terminal, key: str) -> float:
    """Return the milliseconds from a key to the first byte of the repaint."""
    started = time.perf_counter()
    terminal.press(key)
    assert terminal.read_some(10), terminal.text
    taken = (time.perf_counter() - started) * 1e3
    terminal.read_for(0.15)
    return taken


def _seconds(interval: Any) -> float:
    hours, minutes, seconds = str(interval).split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


if __name__ == "__main__":
    main()
