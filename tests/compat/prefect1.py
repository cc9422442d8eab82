"""The real Prefect 1 client, command line and local agent as subprocesses in their own environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import foreign_env
from tests.support.foreign_env import CannotInstall
from tests.support.server import ServerProcess

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
LOCK = HERE / "requirements.lock"
CALL_S = 60.0


def install() -> Path:
    """Make `.compat-venv` unless it is there, and return its Python. Raises `CannotInstall`."""
    base = shutil.which("python3.11")
    if base is None:
        raise CannotInstall("prefect 1.4.1 needs Python 3.11 and there is no python3.11 on the path")
    return foreign_env.install(".compat-venv", LOCK, base, "prefect")


class Prefect1:
    """One user of one server: calls the client, the command line and agents with that server's settings."""

    def __init__(self, python: Path, server: ServerProcess, home: Path) -> None:
        self.python = python
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "FLOWLATCH_"))}
        self.env = {
            **kept,
            "PREFECT__BACKEND": "server",
            "PREFECT__SERVER__HOST": "http://127.0.0.1",
            "PREFECT__SERVER__PORT": str(server.port),
            "PREFECT__SERVER__ENDPOINT": server.url,
            "PREFECT__SERVER__TELEMETRY__ENABLED": "false",
            "PREFECT__HOME_DIR": str(home),
            "PREFECT__USER_CONFIG_PATH": str(home / "none.toml"),
            "PREFECT__CLOUD__CHECK_CANCELLATION_INTERVAL": "1",
            "PREFECT__CLOUD__LOGGING_HEARTBEAT": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def program(self, name: str, *arguments: str) -> Any:
        """Run a program of `programs/` and return the JSON that it printed as its result."""
        done = self._run([str(self.python), str(PROGRAMS / f"{name}.py"), *arguments])
        results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert done.returncode == 0, f"{name} {arguments}:\n{done.stdout}\n{done.stderr}"
        assert results, f"{name} {arguments}:\n{done.stdout}\n{done.stderr}"
        return json.loads(results[-1].removeprefix("RESULT "))

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of `programs/calls.py`."""
        return self.program("calls", function, json.dumps(arguments))

    def register(self, *names: str) -> dict[str, str]:
        """Register flows of `programs/flows.py` and return their ids by name."""
        registered: dict[str, str] = self.program("flows", *names)
        return registered

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `prefect ARGUMENTS`."""
        return self._run([str(self.python), "-m", "prefect", *arguments])

    @contextmanager
    def background(self, *arguments: str) -> Iterator[None]:
        """Let `prefect ARGUMENTS` run, and end it."""
        command = [str(self.python), "-m", "prefect", *arguments]
        process = subprocess.Popen(
            command, env=self.env, cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def agent(self, *labels: str) -> Agent:
        """Return a local agent, not started yet."""
        return Agent(self, labels)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.env, cwd=self.home, capture_output=True, text=True, timeout=CALL_S, check=False
        )


class Agent:
    """A real `prefect agent local start` process; a context manager that ends it and the runs it started."""

    def __init__(self, user: Prefect1, labels: tuple[str, ...], env: Mapping[str, str] | None = None) -> None:
        named = [part for label in labels for part in ("--label", label)]
        self._command = [str(user.python), "-m", "prefect", "agent", "local", "start", "--no-hostname-label"]
        self._command += ["--show-flow-logs", *named]
        self._env = {**user.env, **(env or {})}
        self._home = user.home
        self._log_path = user.home / "agent.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the agent and its runs printed."""
        return self._log_path.read_text("utf-8", "replace")

    @property
    def is_alive(self) -> bool:
        """True while the agent runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Agent:
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._env, cwd=self._home, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
