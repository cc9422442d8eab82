"""Everything at once for some minutes: `python -m tests.bench.soak [--minutes 3] [--json]`.

Dashboards in terminals and writers over HTTP stay while their server is killed, stopped and paused at random; in the
last third it is left alone. At the end: every acknowledged write is there, no key made two runs, versions have no gap,
each dashboard is live again and counts what the server counts, none showed an error that was not true, memory is flat.
Ends with 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.report import Figure, median, show
from tests.bench.startup import resident_mib
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.writers import Writers, check

BACK_S = 45.0
"""The longest wait between two tries of a dashboard is 30 s, with jitter."""
GROWTH = 1.25
UNTRUE = re.compile(r"internal error|Traceback|unreadable|not a GraphQL answer|another database|no longer exists")
LIVE = re.compile(r"● live|\blive ·")


@dataclass
class Soak:
    """What happens and what was seen."""

    server: ServerProcess
    terminals: list[Terminal]
    chance: random.Random
    problems: list[str] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)
    """Seconds from the server being ready again until all dashboards were live."""
    ends: int = 0

    def look(self, for_s: float) -> None:
        """Read all terminals for so long and note what must not be on them."""
        ends_at = time.monotonic() + for_s
        while (left := ends_at - time.monotonic()) > 0:
            for terminal in self.terminals:
                terminal.read_some(min(left, 0.05))
            for terminal in self.terminals:
                if found := UNTRUE.search(terminal.text):
                    self.problems.append(f"a dashboard says {found.group()!r}:\n{terminal.text}")
                if terminal.process.poll() is not None:
                    self.problems.append(f"a dashboard ended with {terminal.process.returncode}:\n{terminal.text}")
            if self.problems:
                return

    def wait_all(self, wanted: Callable[[str], object], deadline_s: float, what: str) -> float:
        """Read until every terminal shows it; return the seconds that took."""
        began = time.monotonic()
        while not all(wanted(terminal.text) for terminal in self.terminals):
            self.look(0.2)
            if time.monotonic() - began > deadline_s:
                waiting = next(terminal.text for terminal in self.terminals if not wanted(terminal.text))
                self.problems.append(f"{what}: not within {deadline_s:g} s:\n{waiting}")
            if self.problems:
                break
        return time.monotonic() - began

    def disturb(self) -> None:
        """End or pause the server in one of the ways it may, and wait until all are back."""
        how = self.chance.choice(("kill", "kill", "stop", "pause"))
        if how == "pause":
            self.server.pause()
            self.look(self.chance.uniform(1, 8))
            self.server.resume()
        else:
            (self.server.kill if how == "kill" else self.server.stop)()
            self.look(self.chance.uniform(0, 4))
            self.server.start()
        self.ends += 1
        self.back_s.append(self.wait_all(LIVE.search, BACK_S, f"live again after {how}"))


def soak(soaked: Soak, writers: Writers, seconds: float) -> list[Figure]:
    """Disturb for two thirds of the time, watch memory in the last; return the figures."""
    began = time.monotonic()
    soaked.look(min(seconds / 10, 15))
    screens_before = median([resident_mib(terminal.process.pid) for terminal in soaked.terminals])
    while time.monotonic() - began < seconds * 2 / 3 and not soaked.problems:
        soaked.disturb()
        soaked.look(soaked.chance.uniform(1, 8))
    while time.monotonic() - began < seconds * 5 / 6 and not soaked.problems:
        soaked.look(1)  # a server that has just started fills its page caches: that is no growth
    server_before = resident_mib(soaked.server.pid)
    while time.monotonic() - began < seconds and not soaked.problems:
        soaked.look(1)
    server_after = resident_mib(soaked.server.pid)
    screens_after = median([resident_mib(terminal.process.pid) for terminal in soaked.terminals])
    records = writers.finish()
    wire = soaked.server.wire()
    compared = check(wire, records)
    total = wire.data("{ flow_run_aggregate { aggregate { count } } }")["flow_run_aggregate"]["aggregate"]["count"]
    counted = re.compile(rf"\bAll ({total}|{total:,}|{total:_})\b|\bAll {total / 1000:.1f}k")
    soaked.wait_all(counted.search, BACK_S, f"all {total} runs counted")
    for what, before, after in (("server", server_before, server_after), ("dashboard", screens_before, screens_after)):
        if after > before * GROWTH + 10:
            soaked.problems.append(f"the {what} grew from {before:.0f} to {after:.0f} MiB")
    back = soaked.back_s or [0.0]
    return [
        Figure("server killed, stopped or paused", soaked.ends, "times"),
        Figure("runs made and compared", compared, ""),
        Figure("changes acknowledged", writers.acknowledged, ""),
        Figure("requests of writers without an answer", records.lost, ""),
        Figure("acknowledged changes lost", 0, "", goal="0"),
        Figure("all dashboards live again, p50", median(back), "s"),
        Figure("all dashboards live again, longest", max(back), "s", goal="45"),
        Figure("server, resident memory", server_after, "MiB", server_after / server_before, "the middle of the calm"),
        Figure("dashboard, resident memory", screens_after, "MiB", screens_after / screens_before, "the start"),
    ]


def main() -> None:
    """Soak, print one table, end with 1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--dashboards", type=int, default=3)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--pace", type=float, default=0.5, help="seconds a writer rests between two runs (0.5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-soak-") as name, ExitStack() as stack:
        server = stack.enter_context(ServerProcess(Path(name)))
        flow_id = server.wire().create_flow("soaked")
        terminals = [
            stack.enter_context(Terminal(flowlatch(), env=server.env(LC_ALL="C.UTF-8"), columns=100, rows=30))
            for _ in range(arguments.dashboards)
        ]
        soaked = Soak(server, terminals, random.Random(arguments.seed))
        soaked.wait_all(LIVE.search, 90, "live at first")
        writers = Writers(server, flow_id, arguments.writers, pace_s=arguments.pace).start()
        figures = soak(soaked, writers, arguments.minutes * 60)
        if "Traceback" in server.log:
            soaked.problems.append(server.log[-2000:])
    words = f"{arguments.dashboards} dashboards, {arguments.writers} writers, {arguments.minutes:g} minutes"
    show(f"Soak: {words}", figures, as_json=arguments.json)
    for problem in soaked.problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if soaked.problems else 0)


if __name__ == "__main__":
    main()
