"""Everything at once for some minutes: `python -m tests.bench.soak [--minutes 3] [--json]`.

Dashboards in terminals and writers over HTTP, each dashboard and each group of writers behind a piece of network of its
own, stay while their server is killed, stopped and paused, and their networks are reset, shut and swallowed, at random;
in the last third all is left alone. At the end: every acknowledged write is there, no key made two runs, versions have
no gap, each dashboard is live again and counts what the server counts, none showed an error that was not true, none
whose network was whole was offline, none called `live` what had not been heard of for long, memory is flat. Ends with 1
when one of these does not hold.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.report import Figure, median, show
from tests.bench.startup import resident_mib
from tests.support.pty import Terminal, flowlatch
from tests.support.relay import Relay
from tests.support.server import ServerProcess
from tests.support.writers import Writers, check

BACK_S = 45.0
"""The longest wait between two tries of a dashboard is 30 s, with jitter."""
GROWTH = 1.25
STALE_S = 20.0
"""A dashboard that has heard nothing for so long must not call its data live (10 s by itself, and its next look)."""
WRITERS_OF_A_NETWORK = 8
UNTRUE = re.compile(r"internal error|Traceback|unreadable|not a GraphQL answer|another database|no longer exists")
LIVE = re.compile(r"● live|\blive ·")
STEADY_S = 1.5
"""Dashboards that are live for so long have heard of what happened: the news of it may still be on its way."""


def is_live(text: str) -> bool:
    """True when a screen says that it is live, and nothing else."""
    return LIVE.search(text) is not None and "OFFLINE" not in text


@dataclass
class Soak:
    """What happens and what was seen."""

    server: ServerProcess
    terminals: list[Terminal]
    networks: list[Relay]
    """Those of the terminals, in their order, then those of the writers."""
    chance: random.Random
    problems: list[str] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)
    """Seconds from the server being ready again until all dashboards were live."""
    """… or from the network being whole again."""
    happened: Counter[str] = field(default_factory=Counter)

    def look(self, for_s: float, *, whole: Sequence[Terminal] = ()) -> None:
        """Read all terminals for so long and note what must not be there; those in `whole` have no reason to be off."""
        ends_at = time.monotonic() + for_s
        while (left := ends_at - time.monotonic()) > 0:
            for terminal in self.terminals:
                terminal.read_some(min(left, 0.05))
            for terminal in self.terminals:
                if found := UNTRUE.search(terminal.text):
                    self.problems.append(f"a dashboard says {found.group()!r}:\n{terminal.text}")
                if terminal in whole and "OFFLINE" in terminal.text:
                    self.problems.append(f"a dashboard whose network is whole is offline:\n{terminal.text}")
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

    def wait_back(self, what: str) -> float:
        """Read until every terminal is live and stays so; return the seconds until then."""
        began = time.monotonic()
        while True:
            self.wait_all(is_live, BACK_S, what)
            took_s = time.monotonic() - began
            self.look(STEADY_S)
            if self.problems or all(is_live(terminal.text) for terminal in self.terminals):
                return took_s

    def disturb(self) -> None:
        """Hurt the server or the network in one of the ways that happen, and wait until all are back."""
        how = self.chance.choice(("kill", "kill", "stop", "pause", "reset", "shut", "hole", "hole"))
        if how == "pause":
            self.server.pause()
            self.look(self.chance.uniform(1, 8))
            self.server.resume()
        elif how in ("kill", "stop"):
            (self.server.kill if how == "kill" else self.server.stop)()
            self.look(self.chance.uniform(0, 4))
            self.server.start()
        else:
            self._cut(how, self.chance.sample(self.networks, self.chance.randint(1, len(self.networks))))
        self.happened[how] += 1
        self.back_s.append(self.wait_back(f"live again after {how}"))

    def _cut(self, how: str, networks: list[Relay]) -> None:
        """Reset all connections of these networks, reset and shut them for a while, or let nothing arrive."""
        for network in networks:
            if how == "hole":
                network.hole(is_open=True)
            else:
                network.is_down = how == "shut"
                network.cut()
        hurt = {place for place, network in enumerate(self.networks) if network in networks}
        for_s = self.chance.choice((self.chance.uniform(1, 8), STALE_S)) if how == "hole" else self.chance.uniform(0, 8)
        self.look(for_s, whole=[each for place, each in enumerate(self.terminals) if place not in hurt])
        for place, terminal in enumerate(self.terminals):
            if how == "hole" and for_s >= STALE_S and place in hurt and LIVE.search(terminal.text):
                self.problems.append(f"a dashboard calls live what is {for_s:g} s old:\n{terminal.text}")
        for network in networks:
            network.is_down = False
            network.hole(is_open=False)
            if how == "hole" and self.chance.random() < 0.5:
                network.cut()


def soak(soaked: Soak, groups: Sequence[Writers], seconds: float) -> list[Figure]:
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
    wire = soaked.server.wire()
    records = [writers.finish() for writers in groups]
    compared = sum(check(wire, each) for each in records)
    total = wire.data("{ flow_run_aggregate { aggregate { count } } }")["flow_run_aggregate"]["aggregate"]["count"]
    counted = re.compile(rf"\bAll ({total}|{total:,}|{total:_})\b|\bAll {total / 1000:.1f}k")
    soaked.wait_all(counted.search, BACK_S, f"all {total} runs counted")
    for what, before, after in (("server", server_before, server_after), ("dashboard", screens_before, screens_after)):
        if after > before * GROWTH + 10:
            soaked.problems.append(f"the {what} grew from {before:.0f} to {after:.0f} MiB")
    back = soaked.back_s or [0.0]
    words = {
        how: f"server: {how}" if how in ("kill", "stop", "pause") else f"network: {how}" for how in soaked.happened
    }
    return [
        *(Figure(words[how], count, "times") for how, count in sorted(soaked.happened.items())),
        Figure("runs made and compared", compared, ""),
        Figure("changes acknowledged", sum(writers.acknowledged for writers in groups), ""),
        Figure("requests of writers without an answer", sum(each.lost for each in records), ""),
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
        sizes = [WRITERS_OF_A_NETWORK] * (arguments.writers // WRITERS_OF_A_NETWORK)
        sizes += [arguments.writers % WRITERS_OF_A_NETWORK] if arguments.writers % WRITERS_OF_A_NETWORK else []
        networks = [stack.enter_context(Relay()) for _ in range(arguments.dashboards + len(sizes))]
        names = [option for network in networks for option in ("--allow-host", f"127.0.0.1:{network.port}")]
        server = stack.enter_context(ServerProcess(Path(name), *names))
        for network in networks:
            network.to = server.port
        flow_id = server.wire().create_flow("soaked")
        terminals = [
            stack.enter_context(
                Terminal(flowlatch(), env=server.env(LC_ALL="C.UTF-8", FLOWLATCH_SERVER=each.url), columns=100, rows=30)
            )
            for each in networks[: arguments.dashboards]
        ]
        soaked = Soak(server, terminals, networks, random.Random(arguments.seed))
        soaked.wait_all(is_live, 90, "live at first")
        groups = [
            Writers(server, flow_id, size, f"w{place}", pace_s=arguments.pace, url=network.url).start()
            for place, (size, network) in enumerate(zip(sizes, networks[arguments.dashboards :], strict=True))
        ]
        figures = soak(soaked, groups, arguments.minutes * 60)
        if "Traceback" in server.log:
            soaked.problems.append(server.log[-2000:])
    words = f"{arguments.dashboards} dashboards, {arguments.writers} writers, {arguments.minutes:g} minutes"
    show(f"Soak: {words}", figures, as_json=arguments.json)
    for problem in soaked.problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if soaked.problems else 0)


if __name__ == "__main__":
    main()
