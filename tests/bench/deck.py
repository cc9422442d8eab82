"""What an operator waits for, by number of runs: `python -m tests.bench.deck [--runs 10000 1000000] [--in DIR]`.

A real `flowlatch serve` on a filled database and the real dashboard in a pseudo-terminal, keys typed at it. What should
come is asked of the server beforehand, so that a figure ends with the right row on the screen, not with any repaint:
`rows` is from the key to that row, `all` to the last byte before the terminal rests (counts, side pane).
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.fill import fill
from tests.bench.report import Figure, median, show
from tests.bench.startup import COLUMNS, ROWS, resident_mib
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.wire import Wire

SIZES = (10_000, 1_000_000)
SAMPLES = 3
REST_S = 0.7
"""A terminal that wrote nothing for so long shows what it will show; longer than the rest before the side pane asks."""
AT_MOST_S = 30.0
NEWEST = "{scheduled_start_time: desc}, {id: desc}"
OLDEST = "{scheduled_start_time: asc}, {id: asc}"


@dataclass(frozen=True)
class Step:
    """Keys, and the run that has to be in the first row, or under the cursor, after them."""

    name: str
    keys: Sequence[str]
    run: str
    back: Sequence[str] = ()
    """Keys that bring the list back to what it was."""
    place: str = "first"


def first_name(wire: Wire, order: str = NEWEST, where: str = "") -> str:
    """Return the name of the first run of a list."""
    condition = f", where: {{{where}}}" if where else ""
    return str(wire.data(f"{{ flow_run(limit: 1, order_by: [{order}]{condition}) {{ name }} }}")["flow_run"][0]["name"])


def steps(wire: Wire) -> list[Step]:
    """Return what is done, one after the other, each from the whole list, newest first."""
    newest = first_name(wire)
    flow = 'flow: {name: {_ilike: "%train-forecast%"}}'
    rare = first_name(wire, OLDEST)
    message = 'state_message: {_ilike: "%refused%"}'
    found = [
        Step("to the end, `G`", ["G"], rare, ["k"], "cursor"),
        Step("to the start, `g`", ["G", "g"], newest, [], "cursor"),
        Step("tab Failed, `4`", ["4"], first_name(wire, where='state: {_eq: "Failed"}'), ["1"]),
        _filter("flow", "flow:train-forecast", first_name(wire, where=flow)),
        _filter("label", "label:gpu", first_name(wire, where='labels: {_contains: ["gpu"]}')),
        _filter("run name", f"name:{rare}", rare),
        _filter("text in many messages", "refused", first_name(wire, where=message)),
        _filter("text in one run", rare, rare),
    ]
    orders = {
        "u": ("updated", "{updated: desc}, {id: desc}"),
        "a": ("state", "{state: asc}, {id: asc}"),
        "f": ("flow", "{flow: {name: asc}}, {id: asc}"),
        "n": ("run name", "{name: asc}, {id: asc}"),
        "v": ("version", "{version: desc}, {id: desc}"),
        "d": ("duration", "{duration: desc_nulls_last}, {id: desc}"),
        "m": ("message", "{state_message: asc}, {id: asc}"),
    }
    for key, (word, order) in orders.items():
        found.append(Step(f"order by {word}", ["o", key], first_name(wire, order), ["o", "s"]))
    return found


def _filter(word: str, text: str, run: str) -> Step:
    return Step(f"filter by {word}", [*"/", *text, "enter"], run, ["escape"])


class Watched:
    """A dashboard in a terminal, with the moment of each of its outputs."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def until(self, is_there: Callable[[Terminal], bool], began: float) -> tuple[float, float]:
        """Return ms from `began` to the output that made it true, and to the last one before a rest."""
        last = time.perf_counter()
        while not is_there(self.terminal):
            assert time.perf_counter() - began < AT_MOST_S, f"not within {AT_MOST_S:g} s:\n{self.terminal.text}"
            if self.terminal.read_some(0.2):
                last = time.perf_counter()
        rows = last
        while self.terminal.read_some(REST_S):
            last = time.perf_counter()
        return (rows - began) * 1e3, (last - began) * 1e3

    def press(self, keys: Sequence[str], is_there: Callable[[Terminal], bool]) -> tuple[float, float]:
        """Type all keys but the last, let the terminal rest, and measure from the last."""
        for key in keys[:-1]:
            self.terminal.press(key)
            while self.terminal.read_some(0.05):
                pass
        began = time.perf_counter()
        self.terminal.press(keys[-1])
        return self.until(is_there, began)


def rows_of(terminal: Terminal) -> list[str]:
    """Return the lines of the list: a mark or a space, then a glyph and a state."""
    return [line[: COLUMNS // 2] for line in terminal.lines if re.match(r"^[> ]  [x!>.+~o?] \w", line)]


def is_shown(run: str, place: str) -> Callable[[Terminal], bool]:
    """Return whether a run is in the first row, or under the cursor."""

    def check(terminal: Terminal) -> bool:
        rows = rows_of(terminal)
        wanted = rows[:1] if place == "first" else [row for row in rows if row.startswith(">")]
        return any(f"/ {run}" in row for row in wanted)

    return check


def paged(deck: Watched) -> tuple[list[float], list[float]]:
    """Return the figures of moving down page by page."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(4 * SAMPLES):
        before = next((row for row in rows_of(deck.terminal) if row.startswith(">")), "")

        def has_moved(terminal: Terminal, before: str = before) -> bool:
            return any(row.startswith(">") and row != before for row in rows_of(terminal))

        for kept, value in zip(taken, deck.press(["pagedown"], has_moved), strict=True):
            kept.append(value)
    return taken


def edited(server: ServerProcess, deck: Watched) -> tuple[list[float], list[float]]:
    """Return the figures of setting the state of the newest run, from the last key to the list with the new state."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(SAMPLES):
        deck.press(["e"], lambda terminal: "will do" in terminal.text)
        name = ("Failed", "Success")[number % 2]
        deck.press([name[0].lower()], lambda terminal, name=name: f"(●) {name}" in terminal.text)  # type: ignore[misc]
        found = deck.press(["ctrl+s"], lambda terminal, name=name: name in (rows_of(terminal) or [""])[0])  # type: ignore[misc]
        for kept, value in zip(taken, found, strict=True):
            kept.append(value)
    return taken


def measured(server: ServerProcess) -> dict[str, tuple[float, float]]:
    """Return (rows, all) in ms by what was done, on a running server."""
    wire = server.wire()
    todo, found = steps(wire), dict[str, tuple[float, float]]()
    newest = first_name(wire)
    opened: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        began = time.perf_counter()
        with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
            for kept, value in zip(opened, Watched(terminal).until(is_shown(newest, "first"), began), strict=True):
                kept.append(value)
    found["open, exec → newest runs"] = median(opened[0]), median(opened[1])
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
        deck = Watched(terminal)
        deck.until(is_shown(newest, "first"), time.perf_counter())
        for step in todo:
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(SAMPLES):
                for kept, value in zip(taken, deck.press(step.keys, is_shown(step.run, step.place)), strict=True):
                    kept.append(value)
                if step.back:
                    deck.press(step.back, lambda _: True)  # the cursor stays on its run
                    deck.press(["g"], is_shown(newest, "cursor"))
            found[step.name] = median(taken[0]), median(taken[1])
        pages = paged(deck)
        found["page down"] = median(pages[0]), median(pages[1])
        deck.press(["g"], is_shown(newest, "cursor"))
        changes = edited(server, deck)
        found["edit a state, `ctrl+s` → the list"] = median(changes[0]), median(changes[1])
        found["MiB of the dashboard"] = (resident_mib(terminal.process.pid),) * 2
    found["MiB of the server"] = (resident_mib(server.pid),) * 2
    return found


def main() -> None:
    """Measure every size and print one table, the largest against the smallest."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.deck", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=SIZES, help="sizes (10000 1000000)")
    parser.add_argument("--in", dest="place", type=Path, help="keep the filled databases in this directory")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        figures: list[Figure] = []
        first: dict[str, tuple[float, float]] = {}
        for runs in arguments.runs:
            directory = (arguments.place or Path(name)) / str(runs)
            if not (directory / "data").exists():
                fill(directory / "data", runs, random.Random(1), datetime.now(UTC))
            with ServerProcess(directory, "--no-scheduler") as server:
                for what, (rows, rest) in measured(server).items():
                    base = first.setdefault(what, (rows, rest))
                    unit = "MiB" if what.startswith("MiB") else "ms"
                    tail = "" if unit == "MiB" else f" (all {rest:,.0f})"
                    figures.append(
                        Figure(f"{what}, {runs:,}{tail}", rows, unit, rows / base[0], f"{arguments.runs[0]:,}")
                    )
    show(f"Keys at the dashboard, {COLUMNS}×{ROWS}", figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
