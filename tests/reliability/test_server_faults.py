"""Faults around a running server, seen by its clients. Source: reliability.md §2."""

from __future__ import annotations

import json
import resource
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing

import pytest

from tests.support.pty import flowlatch
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import CREATE_RUN, GraphQLErrors, Wire

BUSY_S = 20.0
ROOM = 200_000


def refused(wire: Wire, flow_id: str, text: str) -> str | None:
    """Create a run of that size; return the code of the refusal, None when it was made."""
    try:
        wire.create_run(flow_id, parameters={"text": text}, idempotency_key=text[:64])
    except GraphQLErrors as error:
        return error.code
    return None


def test_a_full_disk_is_told_reads_go_on_and_it_recovers(server: ServerProcess) -> None:
    wire = server.wire()
    flow_id = wire.create_flow("full")
    kept = wire.create_run(flow_id)
    largest = max(path.stat().st_size for path in server.data.iterdir())
    unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + ROOM, unlimited[1]))
    codes = [refused(wire, flow_id, f"{n}" + "x" * 30_000) for n in range(20)]
    made = codes.count(None)
    assert set(codes) == {None, "STORAGE_FULL"}
    assert wire.run(kept)["version"] == 1
    with pytest.raises(GraphQLErrors) as told:
        wire.set_state(kept, 1, {"type": "Running", "message": "y" * 300_000})
    assert told.value.code == "STORAGE_FULL"
    assert wire.http.get("/health").status_code == 200
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
    assert wire.set_state(kept, 1, "Running") == 2
    assert [refused(wire, flow_id, f"{n}" + "x" * 30_000) for n in range(20)] == [None] * 20
    runs = wire.data("query($f: uuid!) { flow_run(where: {flow_id: {_eq: $f}}) { id } }", {"f": flow_id})
    assert len(runs["flow_run"]) == 1 + 20, f"{made} were made before"
    assert "Traceback" not in server.log
    server.restart()
    assert server.wire().run(kept)["version"] == 2


def test_a_lock_of_another_process_is_busy_and_then_over(server: ServerProcess) -> None:
    wire = server.wire()
    run_id = wire.create_run(wire.create_flow("locked"))
    with closing(sqlite3.connect(server.data / "flowlatch.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GraphQLErrors) as told:
            wire.set_state(run_id, 1, "Running")
        assert told.value.code == "BUSY"
        assert wire.run(run_id)["version"] == 1
        other.execute("ROLLBACK")
    assert wire.set_state(run_id, 1, "Running") == 2


def test_a_second_server_is_refused_also_right_after_kill_9(server: ServerProcess) -> None:
    command = flowlatch("serve", "--port", "0", "--data", str(server.data))
    for _ in range(2):
        done = subprocess.run(command, env=server.env(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert server.url in done.stderr
        assert "Traceback" not in done.stderr
        assert server.wire().data("{ hello }")
        server.kill()
        server.start()


def test_a_paused_server_answers_everything_when_it_goes_on(server: ServerProcess) -> None:
    wire = server.wire()
    run_id = wire.create_run(wire.create_flow("paused"))
    server.pause()
    late = subprocess.Popen(
        flowlatch("runs", "set-state", run_id, "Running", "--expect-version", "1", "--json"),
        env=server.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert eventually(lambda: _is_connecting(server.port), BUSY_S, "a waiting connection")
        server.resume()
        out, err = late.communicate(timeout=60)
    finally:
        late.kill()
    assert (late.returncode, wire.run(run_id)["version"]) == (0, 2), (out, err)


def test_a_request_under_way_is_answered_before_a_stop_ends_the_server(server: ServerProcess) -> None:
    flow_id = server.wire().create_flow("last one")
    body = json.dumps({"query": CREATE_RUN, "variables": {"input": {"flow_id": flow_id}}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as under_way:
        under_way.sendall(head.encode() + body[:20])
        server.wire().data("{ hello }")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: not _takes_connections(server.port), what="the end of listening")
        under_way.sendall(body[20:])
        answer = b"".join(iter(lambda: under_way.recv(65536), b""))
        assert server.wait_ended() == 0
    assert answer.startswith(b"HTTP/1.1 200"), answer
    run_id = json.loads(answer.split(b"\r\n\r\n", 1)[1])["data"]["create_flow_run"]["id"]
    server.start()
    assert server.wire().run(run_id)["version"] == 1


def _takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_connecting(port: int) -> bool:
    """True when more than the kept connection of the test is open towards the port."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows) > 1
