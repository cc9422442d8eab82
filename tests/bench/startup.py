"""What an operator waits for, through a real terminal: `python -m tests.bench.startup [--idle 60] [--json]`.

Start of a command, first frame against a minimal Textual application, first row from the server, key to repaint, and
what an idle list writes. Compared things take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.place import filled_server
from tests.bench.report import Figure, median, show
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess, clean_environment

COLUMNS, ROWS = 160, 50
MINIMAL = [sys.executable, "-m", "tests.bench.minimal_app"]
FIRST_FRAME = b"FLOW / RUN"
"""Words of the first frame, which is painted before there is a connection."""
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the database (10000)")
    parser.add_argument("--repeat", type=int, default=10, help="samples of each start (10)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of watching an idle list (60)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with filled_server(arguments.runs) as server:
        figures = [*commands(server.home, arguments.repeat), *frames(server, arguments.repeat)]
        figures += [*keys(server), *idle(server, arguments.idle)]
    show(f"Start, keys and rest, {arguments.runs:,} runs, {COLUMNS}×{ROWS}", figures, as_json=arguments.json)


def commands(home: Path, repeat: int) -> list[Figure]:
    """Return how long `--version` and `--help` take, against a bare interpreter."""
    env = clean_environment(home)
    kinds = {"bare interpreter": [sys.executable, "-c", "pass"]}
    kinds |= {f"flowlatch {option}": flowlatch(option) for option in ("--version", "--help")}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(repeat):
        for name, command in kinds.items():
            started = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
            taken[name].append((time.perf_counter() - started) * 1e3)
    bare = median(taken["bare interpreter"])
    return [
        Figure(
            f"`{name}`" if "flow" in name else name,
            median(samples),
            "ms",
            median(samples) / bare if "flow" in name else None,
            "bare interpreter",
            "under 150 ms" if "version" in name else "",
        )
        for name, samples in taken.items()
    ]


def newest_names(server: ServerProcess) -> list[bytes]:
    """Return the names of the runs that the list shows first."""
    query = "{ flow_run(order_by: {scheduled_start_time: desc}, limit: 20) { name } }"
    return [str(row["name"]).encode() for row in server.wire().data(query)["flow_run"]]


def frames(server: ServerProcess, repeat: int) -> list[Figure]:
    """Return exec → first frame and → first row of the server, against a minimal application."""
    env, names = server.env(), newest_names(server)
    minimal, first, row = [], [], []
    for _ in range(repeat):
        with Terminal(MINIMAL, columns=COLUMNS, rows=ROWS, env=env) as terminal:
            minimal.append(terminal.wait_raw(b"minimal-marker") * 1e3)
        with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=env) as terminal:
            first.append(terminal.wait_raw(FIRST_FRAME) * 1e3)
            row.append(wait_any(terminal, names) * 1e3)
    base, frame = median(minimal), median(first)
    return [
        Figure("minimal Textual application, exec → its text", base, "ms"),
        Figure("`flowlatch`, exec → first frame", frame, "ms", frame / base, "minimal", "2×"),
        Figure(
            "`flowlatch`, exec → first row", median(row), "ms", None, "", f"first frame + 150 = {frame + 150:.0f} ms"
        ),
    ]


def wait_any(terminal: Terminal, names: list[bytes]) -> float:
    """Read until one of `names` has come and return the seconds since the start."""
    while not any(name in terminal.raw for name in names):
        if not terminal.read_some(10):
            raise AssertionError(f"no row came:\n{terminal.text}")
    return time.monotonic() - terminal.started_at


def keys(server: ServerProcess, samples: int = 40) -> list[Figure]:
    """Return key → first repainted byte, moving down one row at a time."""
    taken, sizes = [], []
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
        wait_any(terminal, newest_names(server))
        terminal.read_for(2)
        for number in range(samples):
            started = time.perf_counter()
            terminal.press("j" if number % 30 < 25 else "k")
            chunk = terminal.read_some(5)
            taken.append((time.perf_counter() - started) * 1e3)
            sizes.append(len(chunk) + len(terminal.read_for(0.15)))
    return [Figure("key `j` → repaint", median(taken), "ms"), Figure("bytes of that repaint", median(sizes), "B")]


def idle(server: ServerProcess, seconds: float) -> list[Figure]:
    """Return what an open list writes and burns while nothing changes."""
    with Terminal(flowlatch(), columns=COLUMNS, rows=ROWS, env=server.env()) as terminal:
        wait_any(terminal, newest_names(server))
        terminal.read_for(12)
        before = cpu_s(terminal.process.pid)
        seen = terminal.read_for(seconds)
        burnt = cpu_s(terminal.process.pid) - before
        rss = resident_mib(terminal.process.pid)
    return [
        Figure(f"idle list, bytes in {seconds:.0f} s", len(seen), "B", goal="2 kB; the minute's tick only"),
        Figure("idle list, CPU", burnt / seconds * 100, "%"),
        Figure("dashboard, resident memory", rss, "MiB", goal="300 MiB"),
    ]


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
