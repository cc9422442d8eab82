"""What a list that moves ten times a second costs: `python -m tests.bench.moving [--seconds 20] [--in DIR] [--json]`.

Sixteen rows of the real dashboard, changed on a real server in one request each tenth of a second, against the table
of Textual with 200 rows, whose cells are changed in its own process. They take turns, both in a pseudo-terminal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.place import filled_server
from tests.bench.report import Figure, median, show
from tests.bench.startup import COLUMNS, ROWS, cpu_s
from tests.bench.table_app import CHANGING, EVERY_S
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess

TABLE = [sys.executable, "-m", "tests.bench.table_app"]
TURNS = 3
PANE = "i"
Turn = tuple[float, float, float]
"""Share of a core in percent, bytes per second, moves per second."""
NEWEST = (
    f"""{{ flow_run(order_by: [{{scheduled_start_time: desc}}, {{id: desc}}], limit: {CHANGING}) {{ id version }} }}"""
)
SET_STATES = "mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id } } }"


def main() -> None:
    """Measure both and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.moving", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the database (10000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of each, in all (20)")
    parser.add_argument("--in", dest="place", type=Path, help="keep the filled database in this directory")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    turn_s = arguments.seconds / TURNS
    whole: list[Turn] = []
    bare: list[Turn] = []
    table: list[Turn] = []
    with (
        filled_server(arguments.runs, arguments.place) as server,
        Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal,
    ):
        terminal.wait_for("● live", 30)
        terminal.read_for(3)
        mover = Mover(server)
        for _ in range(TURNS):
            whole.append(watched(terminal, turn_s, mover.move))
            terminal.press(PANE)
            terminal.read_for(1)
            bare.append(watched(terminal, turn_s, mover.move))
            terminal.press(PANE)
            terminal.read_for(1)
            with Terminal(TABLE, columns=COLUMNS, rows=ROWS, env=server.env()) as other:
                other.wait_for("run-000")
                other.read_for(2)
                table.append(watched(other, turn_s, lambda: None))
    show(f"Ten times a second, {CHANGING} rows, {COLUMNS}×{ROWS}", told(whole, bare, table), as_json=arguments.json)


class Mover:
    """Changes the newest runs, all at once."""

    def __init__(self, server: ServerProcess) -> None:
        self._wire = server.wire()
        self._rows = self._wire.data(NEWEST)["flow_run"]
        self._step = 0

    def move(self) -> None:
        """Set the next state of every row."""
        self._step += 1
        state = {"type": ("Running", "Failed")[self._step % 2], "message": f"step {self._step}"}
        states = [{"flow_run_id": row["id"], "version": row["version"], "state": state} for row in self._rows]
        self._wire.data(SET_STATES, {"input": {"states": states}})
        for row in self._rows:
            row["version"] += 1


def watched(terminal: Terminal, seconds: float, move: Callable[[], None]) -> Turn:
    """Watch a terminal while `move` is called at its rate."""
    before, burnt, moves = len(terminal.raw), cpu_s(terminal.process.pid), 0
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        move()
        moves += 1
        terminal.read_for(max(moves * EVERY_S - (time.monotonic() - started), 0.005))
    burnt = cpu_s(terminal.process.pid) - burnt
    return burnt / passed * 100, (len(terminal.raw) - before) / passed, moves / passed


def told(whole: list[Turn], bare: list[Turn], table: list[Turn]) -> list[Figure]:
    """Return medians of the turns, ours with and without the side pane against the table."""
    theirs = [median(values) for values in zip(*table, strict=True)]
    figures = [
        Figure("DataTable of 200 rows, CPU", theirs[0], "%"),
        Figure("the same, bytes a second", theirs[1], "B"),
    ]
    for name, turns in (("list alone", bare), ("list and the selected run beside it", whole)):
        cpu, written, moves = (median(values) for values in zip(*turns, strict=True))
        goal = "1/5" if turns is bare else ""
        figures += [
            Figure(f"dashboard, {name}, CPU, network and all", cpu, "%", cpu / theirs[0], "DataTable", goal),
            Figure("the same, bytes a second", written, "B", written / theirs[1], "DataTable"),
            Figure("the same, changes of all rows a second", moves, "/s"),
        ]
    return figures


if __name__ == "__main__":
    main()
