"""Keys at random while all around them moves: `python -m tests.bench.storm [--minutes 5] [--seed 1]`.

One dashboard in a terminal gets keys, words, pastes, clicks and window sizes by chance while its runs change, and its
server is killed, stopped, paused and started again. It must go on: ends with 1, and says which inputs came last, when
the dashboard ends by an error or answers no new window size within 15 s. The same seed sends the same inputs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx

from tests.support.pty import Terminal, flowlatch, key_bytes
from tests.support.server import ServerProcess
from tests.support.wire import Wire

RUNS = 60
SHOWN_BYTES = 8_000_000
"""A dashboard that has written so much starts anew: all of it is kept here."""
ANSWER_S = 15.0
PROBE_EVERY = 25
"""So many inputs from one look whether it goes on to the next."""
LETTERS = "jkgGnNfoOZ123456789:?stemxRz *vUlhJwiyEprTWCD![]<>-/XkadycFLVAS"
NAMED = (
    *["enter"] * 10,
    *["escape"] * 8,
    *("up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "tab", "shift+tab", "backspace"),
    *("space", "delete", "f1", "f2", "f2", "f3", "f4", "f5"),
    *("ctrl+s", "ctrl+s", "ctrl+d", "ctrl+u", "ctrl+p", "ctrl+r", "ctrl+e"),
)
"""Keys with names; those that send or leave come more often."""
WORDS = (
    *(":flows\r", ":journal\r", ":drafts\r", ":agents\r", ":connections\r", ":related\r", ":tasks\r", ":logs\r"),
    *(":raw\r", ":delete\r", ":theme light\r", ":screenshot\r", ":export\r", ":undo\r", ":runs\r", ":mark-all\r"),
    *("/failed\r", "/-state:Success etl\r", "/re:run-.*\r", "/flow:etl-1 since:1h\r", "/\x1b", ":zzz\r"),
    *("in 20m", "tomorrow 9:00", "etl-1"),
)
PASTES = ("a\nb\nc", "\0\a evil \x1b]52;c;aaaa\a", "x" * 5000, "\u202eabc \u05d0", '{"day": 1}', "é" * 100)
SIZES = ((80, 24), (120, 40), (100, 30), (60, 15), (200, 60), (59, 14), (20, 5))
STATES = ("Running", "Failed", "Success", "Scheduled", "Cancelling")
PATHS = (("Running", "Failed"), ("Running", "Success"), ("Running",), (), ("Submitted", "Running", "Failed"))
CONFIG = """[profiles.one]
url = "{one.url}"
token = "file:{one.data}/token"
[profiles.two]
url = "{two.url}"
token = "file:{two.data}/token"
production = true
[profiles.dead]
url = "http://127.0.0.1:9"
"""
VERSION = "query($id: uuid!) { flow_run_by_pk(id: $id) { version } }"


def some_bytes(chance: random.Random) -> bytes:
    """Return what a terminal sends for one input: mostly a key, now and then a burst, a paste, a click, the focus."""
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(LETTERS).encode()
    if kind < 0.86:
        return key_bytes(chance.choice(NAMED))
    if kind < 0.94:
        return chance.choice(WORDS).encode()
    if kind < 0.96:
        return chance.choice("jkGgx").encode() * chance.randint(5, 60)
    if kind < 0.97:
        return f"\x1b[200~{chance.choice(PASTES)}\x1b[201~".encode()
    if kind < 0.985:
        return chance.choice((b"\x1b[I", b"\x1b[O"))
    button, place = chance.choice((0, 0, 0, 64, 65)), f"{chance.randint(1, 80)};{chance.randint(1, 24)}"
    return f"\x1b[<{button};{place}M\x1b[<{button};{place}m".encode()


def filled(wire: Wire, count: int, chance: random.Random) -> list[str]:
    """Make runs in several states and return their ids."""
    flows = [wire.create_flow(f"etl-{number}", [{"name": "day", "required": number > 1}]) for number in range(4)]
    made = []
    for number in range(count):
        parameters = {"day": "2026-01-01", "password": "s3"}
        run_id = wire.create_run(chance.choice(flows), flow_run_name=f"run-{number}", parameters=parameters)
        for version, state in enumerate(chance.choice(PATHS), start=1):
            wire.set_state(run_id, version, state, f"it is {state}")
        made.append(run_id)
    return made


def keep_moving(server: ServerProcess, runs: list[str], chance: random.Random, over: Event) -> None:
    """Set states of runs until it is over; a server that is away, or a version that is old, is no fault here."""
    while not over.is_set():
        with suppress(AssertionError, httpx.HTTPError, OSError, ValueError):
            run_id = chance.choice(runs)
            wire = Wire(server.url, server.token, {})
            try:
                found = wire.data(VERSION, {"id": run_id})["flow_run_by_pk"]
                if found:
                    wire.set_state(run_id, found["version"], chance.choice(STATES), f"moved \x1b[31m{chance.random()}")
            finally:
                wire.close()
        over.wait(chance.choice((0.02, 0.1, 0.5)))


@dataclass
class Storm:
    """A dashboard, what is sent to it, and what was seen."""

    server: ServerProcess
    other: ServerProcess
    home: Path
    chance: random.Random
    terminal: Terminal = field(init=False)
    last: deque[bytes] = field(default_factory=lambda: deque(maxlen=60))
    """The last inputs of this start."""
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _steps: int = 0
    _repair: tuple[int, Callable[[], object]] | None = None
    """The step at which the server comes back, and how."""

    def start(self) -> None:
        """Start a dashboard and wait for its list."""
        if not self.server.is_alive:
            self.server.start()
        self.server.resume()
        self._repair = None
        env = self.server.env(FLOWLATCH_HOME=str(self.home), HOME=str(self.home), EDITOR="true", BROWSER="true")
        del env["FLOWLATCH_SERVER"], env["FLOWLATCH_TOKEN_FILE"]
        self.terminal = Terminal(flowlatch("--profile", "one"), columns=80, rows=24, env={**env, "LC_ALL": "C.UTF-8"})
        self.terminal.wait_raw(b"run-", 30)
        self.last.clear()

    def step(self) -> None:
        """Send one input or disturb the server; look now and then whether the dashboard goes on."""
        self._steps += 1
        kind = self.chance.random()
        if kind < 0.003:
            self._disturb()
        elif kind < 0.015:
            self.terminal.resize(*self.chance.choice(SIZES))
        else:
            self.last.append(some_bytes(self.chance))
            with suppress(OSError):  # it has ended: seen below
                os.write(self.terminal._fd, self.last[-1])
        if self._repair and self._steps >= self._repair[0]:
            self._repair[1]()
            self._repair = None
        self.terminal.read_some(self.chance.choice((0, 0, 0.02, 0.05, 0.15)))
        if self._steps % PROBE_EVERY == 0 and self.terminal.process.poll() is None and not self._answers():
            self.terminal.signal(signal.SIGABRT)
            self._failed(f"no answer to a new window size within {ANSWER_S:g} s")
        if self.terminal.process.poll() is not None or len(self.terminal.raw) > SHOWN_BYTES:
            self._start_anew()

    def _disturb(self) -> None:
        what = self.chance.choice(("kill", "stop", "pause", "other"))
        if what == "other":
            self.other.restart()
        elif self._repair is None:
            acts: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
                "kill": (self.server.kill, self.server.start),
                "stop": (self.server.stop, self.server.start),
                "pause": (self.server.pause, self.server.resume),
            }
            act, back = acts[what]
            act()
            self._repair = (self._steps + self.chance.randint(5, 60), back)
        else:
            return
        self.happened[what] += 1

    def _answers(self) -> bool:
        """True when a new size is painted; the old one is given back."""
        while self.terminal.read_some(0.1):
            pass
        before, ends_at = len(self.terminal.raw), time.monotonic() + ANSWER_S
        self.terminal.resize(81, 24)
        while len(self.terminal.raw) < before + 200 and time.monotonic() < ends_at:
            self.terminal.read_some(0.1)
            if self.terminal.process.poll() is not None:
                return True
        self.terminal.resize(80, 24)
        return len(self.terminal.raw) >= before + 200

    def _start_anew(self) -> None:
        self.terminal.close()
        code = self.terminal.process.returncode
        if b"Traceback" in self.terminal.raw or code not in (0, 128 + signal.SIGTERM):
            self._failed(f"ended with {code}")
        self.happened["started anew"] += 1
        self.start()

    def _failed(self, what: str) -> None:
        sent = " ".join(repr(each)[2:-1] for each in self.last)
        self.problems.append(f"step {self._steps}: {what}; sent last: {sent}\n{self.terminal.text}")


def storm(directory: Path, seed: int, seconds: float) -> Storm:
    """Let it storm for so long."""
    chance, over = random.Random(seed), Event()
    with ServerProcess(directory / "one") as server, ServerProcess(directory / "two") as other:
        runs = filled(server.wire(), RUNS, chance)
        filled(other.wire(), 5, chance)
        home = directory / "dashboard"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(CONFIG.format(one=server, two=other))
        mover = Thread(target=keep_moving, args=(server, runs, random.Random(seed + 1), over), daemon=True)
        blown = Storm(server, other, home, chance)
        blown.start()
        mover.start()
        try:
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at:
                blown.step()
        finally:
            over.set()
            blown.terminal.close()
            server.resume() if server.is_alive else server.start()
            mover.join(10)
        blown.happened["inputs"] = blown._steps
        if "Traceback" in server.log:
            blown.problems.append(f"the server's log has a traceback:\n{server.log[-3000:]}")
        return blown


def main() -> None:
    """Storm, and say what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-storm-") as directory:
        blown = storm(Path(directory), arguments.seed, arguments.minutes * 60)
    print(f"seed {arguments.seed}: " + ", ".join(f"{number} {what}" for what, number in blown.happened.items()))
    if blown.problems:
        sys.exit("\n".join(blown.problems))


if __name__ == "__main__":
    main()
