"""Commands as a user or a script runs them: in a process of their own, or in this one where only words matter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from flowlatch.cli.main import run
from tests.support.server import ServerProcess

Command = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The only JSON line of stdout."""
        (row,) = self.rows
        return row

    @property
    def error(self) -> dict[str, str]:
        """The one error of stderr, as `--json` writes it."""
        (line,) = self.err.splitlines()
        error: dict[str, str] = json.loads(line)["error"]
        return error


def execute(words: tuple[str, ...], env: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run `flowlatch WORDS` as a process with pipes."""
    command = [sys.executable, "-m", "flowlatch", *words]
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def plain() -> Command:
    """Return `plain(*words)`: a process of its own, without any server named."""
    return lambda *words, env=None, stdin="": execute(words, env, stdin)


@pytest.fixture
def shell(shared_server: ServerProcess) -> Command:
    """Return `shell(*words)`: a process of its own that uses the shared server."""
    return lambda *words, stdin="", **more: execute(words, shared_server.env(**more), stdin)


@pytest.fixture
def inside(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return `inside(*words)`: the command line in this process, on the shared server. Quick, for tables."""
    monkeypatch.setenv("FLOWLATCH_SERVER", shared_server.url)
    monkeypatch.setenv("FLOWLATCH_TOKEN", shared_server.token or "")

    def command(*words: str, **env: str) -> Done:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = run(words)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return command
