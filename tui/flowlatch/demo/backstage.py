"""The process behind the demo: `python -m flowlatch.demo.backstage HOME SPEED SEED`.

It starts the server and the actors, waits until its standard input ends, whatever ended it (a quit, a signal, a crash
of the dashboard), and then ends both and removes the directory. It stands in a session of its own, so that no key and
no hang-up of the terminal reaches it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from flowlatch.discovery import is_running, read_server_file

IDLE_EXIT = "30s"
"""Should this process be killed, the server ends by itself."""
START_S = 20.0
STOP_S = 6.0
LOOK_EVERY_S = 0.05


def data_of(home: Path) -> Path:
    """Return the server's data directory below the demo's home."""
    return home / "data"


class Troupe:
    """The server and the actors."""

    def __init__(self, home: Path, speed: str, seed: str) -> None:
        self._home = home
        self._data = data_of(home)
        self._scene = [speed, seed]
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server, then the actors as soon as it runs."""
        server = self._spawn(
            ["-m", "flowlatch", "serve", "--port", "0", "--data", str(self._data), "--exit-when-idle", IDLE_EXIT],
            "server.log",
            stdin=subprocess.DEVNULL,
        )
        ends_at = time.monotonic() + START_S
        while not (is_running(self._data) and read_server_file(self._data)):
            if server.poll() is not None or time.monotonic() > ends_at:
                return
            time.sleep(LOOK_EVERY_S)
        self._spawn(["-m", "flowlatch.demo.actors", str(self._data), *self._scene], "actors.log", stdin=subprocess.PIPE)

    def strike(self) -> None:
        """End the actors, then every server of the directory, and remove it."""
        for process in reversed(self._processes):
            if process.stdin:
                process.stdin.close()
            process.terminate()
        self._end_other_server()
        ends_at = time.monotonic() + STOP_S
        for process in self._processes:
            try:
                process.wait(max(ends_at - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _end_other_server(self) -> None:
        """End a server that the dashboard started when the first one had died."""
        info = read_server_file(self._data)
        if info and is_running(self._data) and info.pid not in {process.pid for process in self._processes}:
            try:
                os.kill(info.pid, signal.SIGTERM)
            except ProcessLookupError:
                return
            ends_at = time.monotonic() + STOP_S
            while is_running(self._data) and time.monotonic() < ends_at:
                time.sleep(LOOK_EVERY_S)

    def _spawn(self, words: list[str], log: str, *, stdin: int) -> subprocess.Popen[bytes]:
        with open(self._home / log, "ab") as file:
            process = subprocess.Popen(
                [sys.executable, *words], stdin=stdin, stdout=subprocess.DEVNULL, stderr=file, cwd=self._home
            )
        self._processes.append(process)
        return process


def main(arguments: list[str]) -> None:
    """Set the stage, wait for the end of standard input or a signal, strike."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    home, speed, seed = arguments
    troupe = Troupe(Path(home), speed, seed)
    try:
        troupe.start()
        while os.read(0, 4096):
            pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        troupe.strike()


if __name__ == "__main__":
    main(sys.argv[1:])
