"""The whole demo in a terminal: rows soon, a conflict on demand, and nothing left behind, however it ends."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowlatch.demo.stage import PREFIX
from tests.support.pty import Terminal, flowlatch
from tests.support.server import clean_environment
from tests.support.waiting import eventually


class Demo:
    """A running demo whose throw-away home lies in a directory of this test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        env = clean_environment(directory / "user", TMPDIR=str(directory / "tmp"))
        (directory / "tmp").mkdir()
        self.terminal = Terminal(flowlatch("demo", "--speed", "5", "--seed", "3"), env=env)

    @property
    def homes(self) -> list[Path]:
        """The demo's homes that exist."""
        return list((self.directory / "tmp").glob(PREFIX + "*"))

    def processes(self) -> set[int]:
        """The pids of server, actors and stage: all that name the home on their command line."""
        pids = set()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(self.directory / "tmp").encode() in words:
                pids.add(int(entry.name))
        return pids

    def wait_rows(self) -> None:
        """Wait until runs are on the screen and the actors act."""
        self.terminal.wait_for(lambda text: "etl-orders" in text, 30)
        eventually(lambda: len(self.processes()) >= 3, 20, "server, actors and stage")

    def wait_gone(self) -> None:
        """Wait until nothing of the demo is left."""
        eventually(lambda: not self.processes() and not self.homes, 20, "the end of processes and directory")


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A demo that has just been started."""
    with tempfile.TemporaryDirectory() as name:
        running = Demo(Path(name))
        yield running
        running.terminal.close()
        running.wait_gone()


def test_rows_appear_a_colleague_interferes_and_quit_leaves_nothing(demo: Demo) -> None:
    demo.wait_rows()
    (home,) = demo.homes
    assert home.stat().st_mode & 0o777 == 0o700
    demo.terminal.press("e")
    demo.terminal.wait_for("choose a state")
    demo.terminal.press("ctrl+p")
    demo.terminal.wait_for("type on")
    demo.terminal.write("conflict")
    demo.terminal.wait_for("A colleague changes")
    demo.terminal.press("enter")
    demo.terminal.wait_for("mira@ops-2 set")
    demo.terminal.wait_for("Changed meanwhile")
    demo.terminal.press("escape")
    demo.terminal.wait_for("n New")
    demo.terminal.press("q")
    assert demo.terminal.wait_ended() == 0
    assert demo.terminal.is_restored()
    demo.wait_gone()
    assert not (demo.directory / "user" / "state").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(number: signal.Signals, demo: Demo) -> None:
    demo.wait_rows()
    demo.terminal.signal(number)
    assert demo.terminal.wait_ended() in (128 + number, -number)
    demo.wait_gone()


def test_even_a_killed_dashboard_leaves_nothing(demo: Demo) -> None:
    demo.wait_rows()
    started_at = time.monotonic()
    os.kill(demo.terminal.process.pid, signal.SIGKILL)
    demo.wait_gone()
    assert time.monotonic() - started_at < 20
