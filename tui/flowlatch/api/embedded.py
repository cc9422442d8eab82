"""Find, start and restart the embedded server: a process of its own, never an import (design.md §9 "Starting").

The kernel lock in the data directory says whether one runs; `server.json` says where. Of several clients that start
one at the same time only one server gets the lock; the others end at once and everybody joins the winner.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from flowlatch.config import Secret
from flowlatch.discovery import SERVER_LOG, ServerInfo, is_running, prepare_directory, read_server_file
from flowlatch.errors import Unreachable
from flowlatch.secret import secret_from_file
from flowlatch.text import one_line

START_S = 10.0
"""How long a start may take until `server.json` is there."""
LOOK_EVERY_S = 0.05
IDLE_EXIT = "60s"
LOG_LIMIT_BYTES = 5 * 1024 * 1024
"""A larger log is moved to `server.log.1` before a start."""

Sleep = Callable[[float], Awaitable[None]]

_started: list[subprocess.Popen[bytes]] = []
"""Servers this process started. Kept, because they outlive it: a collected `Popen` would warn about that."""


def token_of(info: ServerInfo) -> Secret | None:
    """Return the token that a server on this machine wants; None when it runs without authentication."""
    return secret_from_file(Path(info.token_file), "token of the embedded server") if info.token_file else None


async def find_or_start(data: Path, *, sleep: Sleep = asyncio.sleep) -> ServerInfo:
    """Return the running server of a data directory, started if there is none.

    Raises `ConfigError` for a directory that cannot be used and `Unreachable` when no server comes up, or when one
    that a person started is gone: only that hand starts it again.
    """
    directory = prepare_directory(data)
    left_over = read_server_file(directory)
    if is_running(directory):
        return await _wait(directory, None, sleep)
    if left_over is not None and not left_over.auto:
        raise Unreachable(
            f"the server of {one_line(directory)}, started by hand at {one_line(left_over.url, 60)}, has died;"
            f" start it again with: flowlatch serve --data {one_line(directory)}"
        )
    return await start(directory, left_over, sleep=sleep)


async def start(directory: Path, left_over: ServerInfo | None = None, *, sleep: Sleep = asyncio.sleep) -> ServerInfo:
    """Start a server, on the port of the one that died if it is free, and return who answers in the end."""
    port = urlsplit(left_over.url).port if left_over else None
    process = _spawn(directory, port or 0)
    try:
        return await _wait(directory, process, sleep, not_this=left_over)
    except _Ended:
        if not port:
            raise
    return await _wait(directory, _spawn(directory, 0), sleep, not_this=left_over)


class _Ended(Unreachable):
    """The process ended and no server holds the lock."""


async def _wait(
    directory: Path, process: subprocess.Popen[bytes] | None, sleep: Sleep, *, not_this: ServerInfo | None = None
) -> ServerInfo:
    """Wait until a server holds the lock and has written where it is; `not_this` is what a dead one left behind."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        ended = process is not None and process.poll() is not None
        if is_running(directory):
            info = read_server_file(directory)
            if info is not None and info != not_this and _is_alive(info.pid):
                return info
        elif ended or process is None:
            raise _Ended(f"the embedded server did not start: {_last_words(directory)}")
        await sleep(LOOK_EVERY_S)
    raise Unreachable(f"the embedded server did not answer within {START_S:.0f} s: {_last_words(directory)}")


def _is_alive(pid: int) -> bool:
    """False for the pid in a file that a dead server left behind while the next one is still starting."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _spawn(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """Start `flowlatch serve` in a session of its own, so that it outlives us and gets none of our signals."""
    command = [sys.executable, "-m", "flowlatch", "serve", "--port", str(port)]
    command += ["--exit-when-idle", IDLE_EXIT, "--data", str(directory)]
    path = directory / SERVER_LOG
    try:
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unreachable(f"{one_line(path)}: {error.strerror or error}") from error
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=directory,
            start_new_session=True,
        )
    finally:
        os.close(log)
    _started[:] = [child for child in _started if child.poll() is None] + [process]
    return process


def _last_words(directory: Path) -> str:
    """Return the last line of the server's log."""
    path = directory / SERVER_LOG
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 4096, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    last = next((line for line in reversed(lines) if line.strip()), "no reason in its log")
    return f"{one_line(last, 160)} ({one_line(path)})"
