"""What an operator waits for, by number of runs: `python -m tests.bench.deck [--runs 0 10000 1000000] [--in DIR]`.

A real server on a filled database and the real dashboard in a pseudo-terminal, keys typed at it. What should come is
asked of the server beforehand: a figure is from the last key to the output that puts the right run on the screen.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.place import filled_server
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import COLUMNS, ROWS, resident_mib
from tests.support.pty import KEYS, Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.wire import Wire

SIZES = (10_000, 1_000_000)
LIST_ROW = re.compile(r"^[> Δ]. [x!>.+~o?] \w")
REST_S = 0.4
"""A terminal that wrote nothing for so long shows what it will show; longer than the rest before the pane asks."""
REST_AT_MOST_S = 3.0
AT_MOST_S = 30.0
NEWEST, OLDEST = "[{scheduled_start_time: desc}, {id: desc}]", "[{scheduled_start_time: asc}, {id: asc}]"
ORDERS = {
    "n": "run name",
    "u": "updated",
    "f": "flow",
    "a": "state",
    "d": "duration",
}
"""Letter in the menu of orders → its name in the filter line."""
TYPED = 24
"""Keys typed into the filter line, each answered by the screen alone."""


@dataclass(frozen=True)
class Step:
    """Keys, what has to be there after the last of them, and the keys back."""

    name: str
    keys: Sequence[str]
    is_there: Callable[[Terminal], bool]
    back: Sequence[str]


@dataclass
class Taken:
    """Samples in ms by what was done."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, ms: float) -> None:
        """Keep one more sample."""
        self.samples.setdefault(name, []).append(ms)


def main() -> None:
    """Measure every size and print one table, each against the first."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.deck", description=__doc__)
    parser.add_argument(
        "--runs", type=int, nargs="+", default=SIZES, help="sizes (10000 1000000); 0 for the keys alone"
    )
    parser.add_argument("--samples", type=int, default=3, help="how often each is done (3)")
    parser.add_argument("--in", dest="place", type=Path, help="keep the filled databases in this directory")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    first: dict[str, float] = {}
    for runs in arguments.runs:
        with filled_server(runs, arguments.place) as server:
            for what, value, unit in measured(server, arguments.samples if runs else 0):
                ratio = value / first.setdefault(what, value)
                figures.append(Figure(f"{what}, {runs:,}", value, unit, ratio, f"{arguments.runs[0]:,}"))
    show(f"Keys at the dashboard, {COLUMNS}×{ROWS}", figures, as_json=arguments.json)


def measured(server: ServerProcess, samples: int) -> list[tuple[str, float, str]]:
    """Return (what, figure, unit) on a running server; without `samples` only what an empty list can do."""
    taken, wire = Taken(), server.wire()
    if samples:
        opened(server, run_name(wire, NEWEST), samples, taken)
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
        terminal.wait_for("● live", AT_MOST_S)
        rest(terminal)
        typed(terminal, taken)
        for step in steps(wire) if samples else []:
            for _ in range(samples):
                taken.add(step.name, pressed(terminal, step.keys, step.is_there))
                home(terminal, step.back, run_name(wire, NEWEST))
        if samples:
            paged(terminal, 4 * samples, taken)
            home(terminal, [], run_name(wire, NEWEST))
            edited(terminal, samples, taken)
        memory = resident_mib(terminal.process.pid)
    found = [(f"{name} (p50 of {len(ms)})", median(ms), "ms") for name, ms in taken.samples.items()]
    found.append(("the longest of all", max(quantile(ms, 1) for ms in taken.samples.values()), "ms"))
    return [*found, ("dashboard, resident memory", memory, "MiB"), ("server", resident_mib(server.pid), "MiB")]


def run_name(wire: Wire, order: str, where: str = "") -> str:
    """Return the name of the first run of a list."""
    condition = f", where: {{{where}}}" if where else ""
    return str(wire.data(f"{{ flow_run(limit: 1, order_by: {order}{condition}) {{ name }} }}")["flow_run"][0]["name"])


def steps(wire: Wire) -> list[Step]:
    """Return what is done one after the other, each from the whole list with the newest run first."""
    oldest = run_name(wire, OLDEST)
    filters = {
        "flow": ("flow:train-forecast", 'flow: {name: {_ilike: "%train-forecast%"}}'),
        "label": ("label:gpu", 'labels: {_contains: ["gpu"]}'),
        "run name": (f"name:{oldest}", f'name: {{_ilike: "%{oldest}%"}}'),
        "text of many messages": ("refused", 'state_message: {_ilike: "%refused%"}'),
        "text of a few names": (oldest, f'name: {{_ilike: "%{oldest}%"}}'),
    }
    found = [
        Step("`G` → the oldest run", ["G"], is_shown(oldest, is_cursor=True), []),
        Step("`4` → failed runs", ["4"], is_shown(run_name(wire, NEWEST, 'state: {_eq: "Failed"}')), ["1"]),
    ]
    for word, (text, where) in filters.items():
        is_there = is_shown(run_name(wire, NEWEST, where))
        keys = ["/", text, "enter"] if ":" in text else ["/", text]  # free text is looked for without enter
        found.append(Step(f"filter by {word} → its runs", keys, is_there, ["escape"]))
    for letter, word in ORDERS.items():
        found.append(Step(f"order by {word} → its rows", ["o", letter], is_ordered(word), ["o", "s"]))
    return found


def rest(terminal: Terminal) -> None:
    """Read until nothing comes for a while."""
    ends_at = time.monotonic() + REST_AT_MOST_S
    while time.monotonic() < ends_at and terminal.read_some(REST_S):
        pass


def until(terminal: Terminal, is_there: Callable[[Terminal], bool], began: float) -> float:
    """Return the ms from `began` to the output that made it true."""
    last = time.perf_counter()
    while not is_there(terminal):
        assert time.perf_counter() - began < AT_MOST_S, f"not within {AT_MOST_S:g} s:\n{terminal.text}"
        if terminal.read_some(0.2):
            last = time.perf_counter()
    return (last - began) * 1e3


def pressed(terminal: Terminal, keys: Sequence[str], is_there: Callable[[Terminal], bool]) -> float:
    """Type all keys but the last, let the terminal rest, and measure from the last."""
    for key in keys[:-1]:
        send(terminal, key)
        rest(terminal)
    began = time.perf_counter()
    send(terminal, keys[-1])
    taken = until(terminal, is_there, began)
    rest(terminal)
    return taken


def send(terminal: Terminal, key: str) -> None:
    """Press a key, or type a text."""
    is_key = len(key) == 1 or key in KEYS or key.startswith("ctrl+")
    terminal.press(key) if is_key else terminal.write(key)


def home(terminal: Terminal, back: Sequence[str], newest: str) -> None:
    """Bring the list back to what it was: the newest run first and under the cursor."""
    if back:
        for key in back:
            terminal.press(key)
            rest(terminal)
    for _ in range(3):  # the run that was selected stays at its line until the cursor leaves it
        if is_shown(newest, is_cursor=True)(terminal) and is_shown(newest)(terminal):
            return
        terminal.press("g")
        rest(terminal)
    raise AssertionError(f"{newest} does not stand first:\n{terminal.text}")


def rows_of(terminal: Terminal) -> list[str]:
    """Return the lines of the list, without the pane beside them."""
    return [line[: COLUMNS // 2] for line in terminal.lines if LIST_ROW.match(line)]


def is_shown(run: str, *, is_cursor: bool = False) -> Callable[[Terminal], bool]:
    """Return the check that a run is under the cursor, or first; only the selected one may be above it."""

    def check(terminal: Terminal) -> bool:
        rows = rows_of(terminal)
        wanted = [row for row in rows if row.startswith(">")] if is_cursor else rows[:2]
        return any(f"/ {run} " in row for row in wanted)

    return check


def is_ordered(word: str) -> Callable[[Terminal], bool]:
    """Return the check that rows in this order are there: until then no number of runs stands before its name."""
    return lambda terminal: re.search(rf"[0-9Mk+] · {word} [↓↑]", terminal.text) is not None


def opened(server: ServerProcess, newest: str, samples: int, taken: Taken) -> None:
    """Measure from the start of the program to the newest run."""
    for _ in range(samples):
        began = time.perf_counter()
        with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
            taken.add("open → the newest runs", until(terminal, is_shown(newest), began))


def typed(terminal: Terminal, taken: Taken) -> None:
    """Measure letters typed into the filter line: from a key to the first byte of its repaint."""
    terminal.press("/")
    rest(terminal)
    for number in range(TYPED):
        began = time.perf_counter()
        terminal.press("backspace" if number % 2 else "a")
        assert terminal.read_some(10), terminal.text
        taken.add("key in the filter line → repaint", (time.perf_counter() - began) * 1e3)
        terminal.read_for(0.1)
    terminal.press("escape")
    rest(terminal)


def paged(terminal: Terminal, samples: int, taken: Taken) -> None:
    """Measure page after page, rows that are loaded and rows that are not, until the cursor is on another run."""
    for _ in range(samples):
        before = next((row for row in rows_of(terminal) if row.startswith(">")), "")

        def has_moved(terminal: Terminal, before: str = before) -> bool:
            return any(row.startswith(">") and row != before for row in rows_of(terminal))

        taken.add("page down → its rows", pressed(terminal, ["pagedown"], has_moved))


def edited(terminal: Terminal, samples: int, taken: Taken) -> None:
    """Measure setting the state of the newest run: from the last key to the list with the new state."""
    for _ in range(samples):
        name = "Failed" if "Success" in rows_of(terminal)[0] else "Success"

        def is_set(terminal: Terminal, name: str = name) -> bool:
            return name in (rows_of(terminal) or [""])[0]

        taken.add("`e` → the form", pressed(terminal, ["e"], lambda terminal: "will do" in terminal.text))
        while f"(•) {name}" not in terminal.text:
            before = terminal.text
            pressed(terminal, ["right"], lambda terminal, before=before: terminal.text != before)  # type: ignore[misc]
        taken.add("`ctrl+s` → the list with the new state", pressed(terminal, ["ctrl+s"], is_set))


if __name__ == "__main__":
    main()
