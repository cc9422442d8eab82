"""A real `flowlatch serve` process that a test starts, stops, kills, pauses and starts again."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar
from urllib.parse import urlsplit

from tests.support.nursery import Child, Nursery
from tests.support.postgres import PostgresProcess
from tests.support.wire import Wire

START_S = 20.0
STOP_S = 10.0


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return this process's environment with FLOWLATCH_HOME in `home` and no other setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWLATCH_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "FLOWLATCH_HOME": str(home), **more}


class ServerProcess:
    """One server on one data directory. `restart` keeps directory and port; as a context manager it ends by itself."""

    nursery: ClassVar[Nursery | None] = None
    """What forks the servers that need no environment of their own; None: each is a command executed anew."""

    def __init__(self, directory: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        """Lay everything under `directory`: `data` (token, database, lock) and `home`. `options` go to every start."""
        self.data = directory / "data"
        self.home = directory / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.options = options
        self.url = ""
        self.port = 0
        self._log_path = directory / "serve.log"
        self._env = clean_environment(self.home, **(env or {}))
        self._is_forked = not env
        self._process: subprocess.Popen[bytes] | Child | None = None
        self._wires: list[Wire] = []

    def start(self, *extra: str, port: int | None = None) -> ServerProcess:
        """Start the process and wait for its `ready URL` line. Raises AssertionError with its log if it ends first."""
        self._spawn(*extra, port=self.port if port is None else port)
        line = self._ready_line()
        if not line.startswith("ready "):
            self.kill()
            raise AssertionError(f"the server did not get ready: {line!r}\n{self.log}")
        self.url = line.removeprefix("ready ").strip()
        self.port = urlsplit(self.url).port or 0
        return self

    def start_and_kill(self, after_s: float) -> None:
        """Start the process and kill it after so many seconds, ready or not."""
        self._spawn(port=self.port)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(after_s)
        self.kill()

    def _spawn(self, *extra: str, port: int) -> None:
        assert self._process is None, "it runs already"
        arguments = ["serve", "--port", str(port), "--data", str(self.data), *self._database(), *self.options, *extra]
        with self._log_path.open("ab") as log:
            if self.nursery is not None and self._is_forked:
                self._process = self.nursery.start(arguments, self._env, log.fileno())
            else:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "flowlatch", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=self._env,
                )

    def _database(self) -> list[str]:
        current = PostgresProcess.current
        return [] if current is None else ["--database", current.database_of(self.data)]

    def _ready_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        fd, ends_at, line = self._process.stdout.fileno(), time.monotonic() + START_S, b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([fd], [], [], max(ends_at - time.monotonic(), 0))
            byte = os.read(fd, 1) if readable else b""
            if not byte:
                break
            line += byte
        return line.decode()

    @property
    def process(self) -> subprocess.Popen[bytes] | Child:
        """The running process; fails when there is none."""
        assert self._process is not None, "the server is not running"
        return self._process

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs (paused counts)."""
        return self._process is not None and self._process.poll() is None

    @property
    def token(self) -> str | None:
        """The token of the data directory; None with `--no-auth`."""
        path = self.data / "token"
        return None if "--no-auth" in self.options or not path.exists() else path.read_text("utf-8").strip()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that an authorised request needs."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    @property
    def log(self) -> str:
        """All that the server wrote to stderr, over all starts."""
        return self._log_path.read_text("utf-8", "replace") if self._log_path.exists() else ""

    def env(self, **more: str) -> dict[str, str]:
        """Return an environment for a command that shall use this server by default."""
        named = {"FLOWLATCH_SERVER": self.url, "FLOWLATCH_TOKEN_FILE": str(self.data / "token")}
        if self.token is None:
            del named["FLOWLATCH_TOKEN_FILE"]
        return {**self._env, **named, **more}

    def wire(self, **headers: str) -> Wire:
        """Return a plain GraphQL connection with the token; it is closed when the server object is closed."""
        wire = Wire(self.url, self.token, headers)
        self._wires.append(wire)
        return wire

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit code. Raises AssertionError when it does not within 10 s."""
        process = self.process
        process.send_signal(signal.SIGCONT)
        process.send_signal(with_signal)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not end within {STOP_S:g} s\n{self.log}") from None
        finally:
            self._forget()

    def kill(self) -> None:
        """End the process at once, as `kill -9` or a power cut does."""
        self.process.kill()
        self.process.wait()
        self._forget()

    def wait_ended(self, deadline_s: float = STOP_S) -> int:
        """Wait until the process ends by itself and return its exit code."""
        code = self.process.wait(deadline_s)
        self._forget()
        return code

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdout is not None:
            process.stdout.close()

    def restart(self, *extra: str) -> ServerProcess:
        """Start again on the same directory and port, stopping it first when it runs."""
        if self.is_alive:
            self.stop()
        elif self._process is not None:
            self._forget()
        return self.start(*extra)

    def pause(self) -> None:
        """Stop the process as SIGSTOP does: connections stay open, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process if it still runs, and close all connections made by `wire`."""
        for wire in self._wires:
            wire.close()
        self._wires.clear()
        if self._process is not None:
            if self.is_alive:
                self.stop()
            else:
                self._forget()

    def __enter__(self) -> ServerProcess:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
