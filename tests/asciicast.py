"""Record the walkthrough of the README: the real dashboard in a pseudo-terminal, keys only, as an asciicast.

`python -m tests.asciicast [FILE]` writes `screenshots/walkthrough.cast` (asciicast v2, docs.asciinema.org). The server,
its runs and the colleague are real; only the pace is set: keys take as long as hands do, waiting is cut short.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.wire import Wire

CAST = Path(__file__).parent.parent / "screenshots" / "walkthrough.cast"
COLUMNS, ROWS = 80, 24
KEY_S, LETTER_S = 0.5, 0.07
"""How long a key and a letter of a text take."""
QUIET_S = 0.25
"""The screen is drawn when nothing more has come for so long."""
LONGEST_WAIT_S = 0.4
COLLEAGUE = {"X-Flowlatch-Actor": "mira@ops-2"}
YOU = "you@ops-1"
FLOW = "nightly-billing"
FAILURES = (
    ("amber-lynx", "Connection to billing-db timed out after 30 s"),
    ("brisk-heron", "Connection to billing-db timed out after 30 s"),
    ("calm-otter", "Connection to billing-db timed out after 30 s"),
    ("dusty-seal", "Invoice 4711 has no currency"),
)


@dataclass
class Past:
    """The runs the walkthrough meets, by name."""

    ids: dict[str, str]

    @classmethod
    def made_on(cls, wire: Wire, now: datetime) -> Past:
        """Make yesterday's failed runs, two that wait, and what stands around them."""
        billing = wire.create_flow(FLOW, [{"name": "region", "type": "<class 'str'>", "default": "eu"}])
        other = wire.create_flow("etl-orders")
        yesterday = now.replace(hour=2, minute=30, second=0, microsecond=0) - timedelta(days=1)
        ids: dict[str, str] = {}

        def run(flow: str, name: str, start: datetime, *states: tuple[str, str], **inputs: object) -> None:
            ids[name] = wire.create_run(flow, flow_run_name=name, scheduled_start_time=start.isoformat(), **inputs)
            for version, (state, message) in enumerate(states, 1):
                wire.set_state(ids[name], version, state, message)

        for place, (name, message) in enumerate(FAILURES):
            start = yesterday + timedelta(hours=3 * place)
            run(billing, name, start, ("Running", "Sending invoices"), ("Failed", message), labels=["finance"])
        for place, name in enumerate(("eager-crow", "fancy-mole", "gentle-ibex", "happy-wren", "ivory-deer")):
            start = now - timedelta(minutes=20 * place + 9)
            run(other, name, start, ("Running", "Loading orders"), ("Success", "All rows are there"))
        for place, name in enumerate(("jolly-finch", "kind-yak")):
            run(billing, name, now + timedelta(hours=6 + 24 * place), labels=["finance"])
        return cls(ids)


def backdate(database: Path) -> None:
    """Let the finished runs have run when they were due: a server stamps states itself, and ours has just started."""
    with closing(sqlite3.connect(database)) as connection, connection:
        due = connection.execute("SELECT id, scheduled_start_time FROM flow_run WHERE end_time IS NOT NULL").fetchall()
        for place, (run_id, text) in enumerate(due):
            start = datetime.fromisoformat(text)
            end = start + timedelta(seconds=31 + 17 * place % 90)
            for column, moment in (("start_time", start), ("end_time", end), ("state_timestamp", end)):
                connection.execute(f"UPDATE flow_run SET {column} = ? WHERE id = ?", (_stored(moment), run_id))
            for version, moment in ((1, start - timedelta(hours=1)), (2, start), (3, end)):
                sent = (_stored(moment), run_id, version)
                connection.execute(
                    "UPDATE flow_run_state SET timestamp = ? WHERE flow_run_id = ? AND version = ?", sent
                )


def _stored(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Recorder:
    """A terminal whose output is written down at the times at which a viewer shall see it."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.events: list[tuple[float, str, str]] = []
        self._at_s = 0.0
        self._written = 0

    def wait(self, wanted: str, *, look_s: float = 0.0) -> None:
        """Wait for what comes by itself, and give the viewer `look_s` to read."""
        self._settle(wanted)
        self._at_s += look_s

    def press(self, *keys: str, shows: str = "", look_s: float = 0.0) -> None:
        """Press keys one by one, wait for `shows`, and give the viewer `look_s` to read."""
        for left, key in enumerate(keys, 1 - len(keys)):
            self._at_s += KEY_S
            self.terminal.press(key)
            self._settle("" if left else shows)
        self._at_s += look_s

    def type(self, text: str, *, look_s: float = 0.0) -> None:
        """Type a text."""
        for letter in text:
            self._at_s += LETTER_S
            self.terminal.write(letter)
            self._settle("", quiet_s=0.05)
        self._at_s += look_s

    def mark(self, chapter: str) -> None:
        """Name what comes now."""
        self.events.append((self._at_s, "m", chapter))

    def _settle(self, wanted: str, quiet_s: float = QUIET_S) -> None:
        began = time.monotonic()
        if wanted:
            self.terminal.wait_for(wanted, 20)
        while self.terminal.read_some(quiet_s):
            pass
        self._at_s += min(time.monotonic() - began, LONGEST_WAIT_S)
        new = bytes(self.terminal.raw[self._written :])
        # A character may come in two reads: what is incomplete waits for the next event.
        text = new.decode(errors="ignore")
        self._written += len(text.encode())
        if text:
            self.events.append((self._at_s, "o", text))

    def save(self, path: Path, title: str) -> None:
        """Write it in the format of asciicast v2."""
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title, "env": {"TERM": "xterm-256color"}}
        lines = [json.dumps(header), *(json.dumps([round(at, 3), kind, text]) for at, kind, text in self.events)]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")


def walk(screen: Recorder, colleague: Wire, past: Past) -> None:
    """Do what the README's walkthrough does, in its order."""
    screen.wait("● live", look_s=1.5)
    screen.mark("Find yesterday's failed runs of one flow")
    screen.press("/")
    screen.type(f"state:failed since:yesterday until:today flow:{FLOW}")
    screen.press("enter", shows="4 of 11", look_s=1.5)

    screen.mark("Read why")
    screen.press("j", "j", "enter", shows="Connection to billing-db", look_s=1.5)
    screen.press("h", shows="[History]", look_s=2)
    screen.press("escape", shows="4 of 11")

    screen.mark("Retry three as new runs")
    screen.press("g", "j", "space", "space", "space", look_s=0.5)
    screen.press("R", shows="ctrl+s", look_s=2)
    screen.press("ctrl+s", shows="3 done", look_s=2)
    screen.press("escape", shows="4 of 14")
    screen.press("U")

    screen.mark("Cancel two that wait")
    screen.press("/", "ctrl+u")
    screen.type(f"state:=Scheduled since:+1h flow:{FLOW}")
    screen.press("enter", shows="2 of 14", look_s=1)
    screen.press("*", "x", shows="ctrl+s", look_s=1.5)
    screen.press("ctrl+s", shows="2 done", look_s=1.5)
    screen.press("escape")
    screen.press("U")

    screen.mark("Set one to Success, meet a conflict")
    screen.press("/", "ctrl+u")
    screen.type("name:dusty-seal")
    screen.press("enter", shows="1 of 14", look_s=0.5)
    screen.press("e", shows="based on v3")
    screen.press("right", "tab")
    screen.type("invoice 4711 sent by hand")
    colleague.set_state(past.ids["dusty-seal"], 3, "Failed", "Reported to finance, do not touch")
    screen.wait("Changed meanwhile", look_s=2)
    screen.press("ctrl+s", shows="Changed while you were editing", look_s=4)

    screen.mark("Resolve it: apply mine on the new version, after a question")
    screen.press("a", shows="Apply mine?", look_s=1.5)
    screen.type("dusty-seal", look_s=0.3)
    screen.press("enter", "enter", shows="v5 Success", look_s=2)

    screen.mark("Undo it")
    screen.press("z", shows="Undo", look_s=2.5)
    screen.press("ctrl+s", shows="v6", look_s=1.5)
    screen.press("h", shows="v6", look_s=3)
    screen.press("escape")

    screen.mark("Export the list")
    screen.press("escape", shows="14 · start")
    screen.press("E", shows="Write 14 runs", look_s=1.5)
    screen.press("enter", shows="wrote", look_s=2)
    screen.press("q")


def main(path: Path = CAST) -> None:
    """Record and write the cast."""
    with tempfile.TemporaryDirectory(prefix="ops-") as home, ServerProcess(Path(home)) as server:
        past = Past.made_on(server.wire(**{"X-Flowlatch-Actor": YOU}), datetime.now(UTC))
        server.stop()
        backdate(server.data / "flowlatch.db")
        server.start()
        env = server.env(FLOWLATCH_ACTOR=YOU, COLORTERM="truecolor", TZ="UTC", HOME=home)
        with Terminal(flowlatch("--server", server.url), columns=COLUMNS, rows=ROWS, env=env) as terminal:
            screen = Recorder(terminal)
            walk(screen, server.wire(**COLLEAGUE), past)
            terminal.wait_ended()
        screen.save(path, "flowlatch: a morning at 80×24")
    print(f"{path}: {len(screen.events)} events, {screen.events[-1][0]:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
