"""The server as a process: start, discovery, refusals to start, end. Source: design.md §3 and §9, reliability.md §2."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowlatch.discovery import is_running, read_server_file
from flowlatch.server import logs
from tests.support.server import ServerProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("as_a_command")
Start = Callable[..., ServerProcess]
WAIT_S = 20.0


def refused(home: Path, *options: str, stderr_has: str = "") -> str:
    """Run `flowlatch serve` that must not start; return its one line on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "flowlatch", "serve", *options],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env={**os.environ, "FLOWLATCH_HOME": str(home)},
    )
    assert (done.returncode, done.stdout) == (2, ""), done
    lines = [line for line in done.stderr.splitlines() if line]
    assert "Traceback" not in done.stderr
    assert stderr_has in done.stderr
    return lines[-1]


@pytest.mark.sqlite
def test_it_says_ready_once_and_leaves_files_for_clients(server: ServerProcess) -> None:
    info = read_server_file(server.data)
    assert info is not None
    assert (info.url, info.pid, info.auto) == (server.url, server.pid, False)
    assert (
        info.server_id
        == server.wire().data("{ api { capabilities { server_id } } }")["api"]["capabilities"]["server_id"]
    )
    assert info.token_file == str(server.data / "token")
    assert is_running(server.data)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.data.iterdir()}
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert {modes[name] for name in ("token", "server.json", "flowlatch.db", "lock")} == {0o600}
    assert set(modes.values()) == {0o600}
    assert len(server.token or "") >= 43


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_cleanly_and_soon(server: ServerProcess, number: int) -> None:
    wire = server.wire()
    run_id = wire.create_run(wire.create_flow("kept"))
    began = time.monotonic()
    assert server.stop(number) == 0
    assert time.monotonic() - began < 5
    assert read_server_file(server.data) is None
    assert not is_running(server.data)
    assert not (server.data / "flowlatch.db-wal").exists()
    server.start()
    assert server.wire().run(run_id)["version"] == 1


def test_a_signal_during_requests_ends_it_within_five_seconds(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5


def test_after_kill_it_starts_at_once_on_the_same_place(server: ServerProcess) -> None:
    wire, port, token = server.wire(), server.port, server.token
    run_id = wire.create_run(wire.create_flow("kept"))
    server.kill()
    assert read_server_file(server.data) is not None  # left over; the lock says that nothing runs
    assert not is_running(server.data)
    server.start()
    assert (server.port, server.token) == (port, token)
    assert server.wire().run(run_id)["version"] == 1
    info = read_server_file(server.data)
    assert info is not None
    assert info.pid == server.pid


def test_a_second_server_on_the_directory_names_the_first(server: ServerProcess, home: Path) -> None:
    line = refused(home, "--port", "0", "--data", str(server.data))
    assert server.url in line
    assert server.wire().data("{ hello }")


def test_a_port_that_is_taken(server: ServerProcess, home: Path, tmp_path: Path) -> None:
    line = refused(home, "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert str(server.port) in line


@pytest.mark.sqlite
def test_a_foreign_file_is_left_alone(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    path = data / "flowlatch.db"
    path.write_bytes(b"this is no database" * 500)
    before = path.read_bytes()
    assert "flowlatch.db" in refused(home, "--port", "0", "--data", str(data))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--database", "postgresql://127.0.0.1:1/runs"], "postgresql runs on 127.0.0.1:1 cannot be used"),
        (["--database", "postgresql://me:secret@127.0.0.1:1/runs"], "PGPASSWORD"),
        (["--database", "postgresql://127.0.0.1:x/runs"], "invalid integer value"),
        (["--database", "mysql://localhost/x"], "--database"),
        (["--host", "0.0.0.0"], "--public"),
        (["--host", "0.0.0.0", "--public", "--no-auth"], "--no-auth"),
        (["--host", "no such host", "--public"], "no such host"),
        (["--port", "70000"], "port"),
        (["--port", "-1"], "port"),
        (["--port", "x"], "port"),
        (["--exit-when-idle", "soon"], "--exit-when-idle"),
        (["--idempotency-window", "0s"], "--idempotency-window"),
        (["--idempotency-window", "nans"], "--idempotency-window"),
        (["--idempotency-window", "24"], "--idempotency-window"),
        (["--token-file", "/nonexistent/token"], "/nonexistent/token"),
        (["--nonsense"], "--nonsense"),
        (["--data", "/dev/null/x"], "/dev/null/x"),
        (["--data", "/dev/null"], "/dev/null"),
    ],
)
def test_what_cannot_start_is_one_line_and_exit_2(home: Path, tmp_path: Path, options: list[str], word: str) -> None:
    more = [] if "--data" in options else ["--data", str(tmp_path / "data")]
    port = [] if "--port" in options else ["--port", "0"]
    assert word in refused(home, *port, *more, *options, stderr_has=word) or word.startswith("--")


def test_a_directory_that_others_can_write_is_refused(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "shared"
    data.mkdir()
    data.chmod(0o777)
    assert str(data) in refused(home, "--port", "0", "--data", str(data))


def test_an_idle_server_ends_by_itself(start_server: Start) -> None:
    server = start_server("--exit-when-idle", "0.3s")
    info = read_server_file(server.data)
    assert info is None or info.auto
    assert server.wait_ended() == 0
    assert read_server_file(server.data) is None


def test_requests_keep_an_idle_server_alive(start_server: Start) -> None:
    server = start_server("--exit-when-idle", "1s")
    wire = server.wire()
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert wire.data("{ hello }")
    assert server.is_alive
    assert server.wait_ended() == 0


def test_the_window_of_keys_can_be_seen_from_outside(start_server: Start) -> None:
    server = start_server("--idempotency-window", "1s")
    wire = server.wire()
    flow_id = wire.create_flow("keys")
    first = wire.create_run(flow_id, idempotency_key="k")
    assert wire.create_run(flow_id, idempotency_key="k") == first
    live = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { idempotency { expires_at uses } } }", {"id": first})
    assert live["flow_run_by_pk"]["idempotency"]["uses"] == 2

    def is_over() -> bool:
        row = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { idempotency { uses } } }", {"id": first})
        return row["flow_run_by_pk"]["idempotency"] is None

    eventually(is_over, what="the end of the window")
    later = wire.create_run(flow_id, idempotency_key="k")
    assert later != first
    assert wire.run(first)["idempotency_key"] == wire.run(later)["idempotency_key"] == "k"


def test_the_scheduler_makes_runs_unless_it_is_off(start_server: Start) -> None:
    def runs_of(server: ServerProcess) -> Callable[[], int]:
        wire = server.wire()
        flow_id = wire.create_flow("scheduled")
        group = wire.data("query($id: uuid!) { flow_by_pk(id: $id) { flow_group_id } }", {"id": flow_id})
        sent = {
            "flow_group_id": group["flow_by_pk"]["flow_group_id"],
            "cron_clocks": [{"type": "CronClock", "cron": "0 5 * * *"}],
            "timezone": "Europe/Berlin",
        }
        wire.data(
            "mutation($i: set_flow_group_schedule_input!) { set_flow_group_schedule(input: $i) { success } }",
            {"i": sent},
        )
        wire.data(f'mutation {{ set_schedule_active(input: {{flow_id: "{flow_id}"}}) {{ success }} }}')
        document = "{ flow_run_aggregate(where: {auto_scheduled: {_eq: true}}) { aggregate { count } } }"
        return lambda: int(wire.data(document)["flow_run_aggregate"]["aggregate"]["count"])

    server = start_server()
    runs_of(server)
    count = runs_of(server.restart())
    assert eventually(lambda: count() >= 10, what="runs made by the schedule")


def log_lines(server: ServerProcess) -> list[str]:
    """Return what it wrote to stderr, line by line."""
    server.stop()
    return server.log.splitlines()


def test_log_lines_are_json_when_asked(start_server: Start) -> None:
    lines = [json.loads(line) for line in log_lines(start_server("--log-json"))]
    assert lines
    assert all({"time", "level", "message"} <= set(line) for line in lines)


def test_a_request_that_a_stop_cuts_off_is_one_plain_line() -> None:
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application", None, None)
    error = asyncio.CancelledError("Task cancelled, timeout graceful shutdown exceeded")
    record.exc_info = (type(error), error, None)
    said = logs._Line().format(record)
    assert "cut off: Task cancelled" in said
    assert "Error" not in said
    error_of_ours = RuntimeError("seen")
    record.exc_info = (type(error_of_ours), error_of_ours, None)
    assert "RuntimeError: seen" in logs._Line().format(record)


def test_nothing_but_ready_is_on_stdout(server: ServerProcess) -> None:
    server.wire().data("{ hello }")
    process: Any = server.process
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=WAIT_S)
    assert rest == b""
    assert server.wait_ended() == 0


LEFT_OUT = ("textual", "rich", "httpx", "gql", "alembic", "whenever", "sqlalchemy", "pydantic", "croniter")
"""Libraries of other rooms, or of rare moments: each costs every start time and memory."""


def test_it_starts_without_the_libraries_of_others() -> None:
    code = (
        "import sys; import flowlatch.cli.serve, flowlatch.server.process;"
        f"print([name for name in {LEFT_OUT} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert done.stdout.strip() == "[]"


def test_many_connections_at_once(server: ServerProcess) -> None:
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    try:
        assert server.wire().data("{ hello }")["hello"]
    finally:
        for connection in sockets:
            connection.close()
