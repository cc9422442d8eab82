"""What is refused before any work, and that nothing a client sends hurts the server. Source: reliability.md §6, P10."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.server.conftest import one_error, raw
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def still_well(wire: Wire) -> Any:
    """After every test here the server answers as before."""
    yield
    assert wire.data("{ hello }")["hello"]


def nested(levels: int) -> str:
    """Return a query with that many levels of fields."""
    inner = "id"
    for level in range(levels - 1):
        inner = ("flow { " if level % 2 else "flow_runs { ") + inner + " }"
    return ("{ flow { " if levels % 2 == 0 else "{ flow_run { ") + inner.split("{ ", 1)[1] + " }"


def deep(levels: int) -> str:
    """Return `{ flow_run { flow { flow_runs { … id } } } }` with that many levels."""
    names = ["flow_run(limit: 0)", *(("flow", "flow_runs")[level % 2] for level in range(levels - 2)), "id"]
    return "{ " + " { ".join(names) + " }" * len(names)


def test_depth_ten_passes_and_eleven_is_refused(wire: Wire, run_id: str) -> None:
    assert wire.data(deep(7))
    ten = wire.post(deep(10).replace("limit: 0", "limit: 1")).json()
    if PostgresProcess.current is None:  # SQLite reads fewer lists within lists
        assert one_error(ten)["extensions"]["code"] == "LIMIT"
    else:
        assert ten["data"]["flow_run"]
    response = wire.post(deep(11))
    assert response.status_code == 400
    assert one_error(response.json())["extensions"]["code"] == "LIMIT"


def test_depth_is_counted_through_fragments(wire: Wire) -> None:
    parts = [f"fragment f{n} on flow_run {{ flow {{ flow_runs {{ ...f{n + 1} }} }} }}" for n in range(6)]
    document = " ".join([*parts, "fragment f6 on flow_run { id }", "{ flow_run(limit: 0) { ...f0 } }"])
    assert one_error(wire.post(document).json())["extensions"]["code"] == "LIMIT"


def test_fragments_that_double_are_counted_without_being_unfolded(wire: Wire) -> None:
    parts = [f"fragment f{n} on flow_run {{ ...f{n + 1} ...f{n + 1} }}" for n in range(40)]
    document = " ".join([*parts, "fragment f40 on flow_run { id }", "{ flow_run(limit: 0) { ...f0 } }"])
    response = wire.post(document)
    assert response.status_code == 400
    assert one_error(response.json())["extensions"]["code"] == "LIMIT"


DELETE = 'delete_project(input: {project_id: "x"}) { success }'
REFUSED = {
    "fields": ("{ " + "hello " * 5_001 + "}", "5000 fields"),
    "tokens": ("{ " + " ".join(f"a{n}: hello" for n in range(100_000)) + " }", "15000 tokens"),
    "mutations": ("mutation { " + " ".join(f"a{n}: {DELETE}" for n in range(51)) + " }", "50 mutations"),
    "directives": ("{ hello " + "@include(if: true) " * 51 + "}", "50 directives"),
    "brackets": ("{ flow_run(where: {_and: " + "[" * 5_000 + "]" * 5_000 + "}) { id } }", "nested too deeply"),
    "braces": ("{ a " * 7_000, "nested too deeply"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_documents_too_large_are_refused(wire: Wire, name: str) -> None:
    document, limit = REFUSED[name]
    response = wire.post(document)
    assert response.status_code == 400
    error = one_error(response.json())
    assert limit in error["message"]
    assert error["extensions"]["code"] == "LIMIT"


def test_mutations_hidden_in_a_fragment_are_counted(wire: Wire) -> None:
    fields = " ".join(f'a{n}: delete_project(input: {{project_id: "x"}}) {{ success }}' for n in range(51))
    response = wire.post(f"mutation {{ ...all }} fragment all on Mutation {{ {fields} }}")
    assert response.status_code == 400
    assert one_error(response.json())["extensions"]["code"] == "LIMIT"


def test_fifty_mutations_and_many_fields_pass(wire: Wire) -> None:
    fields = " ".join(f'a{n}: delete_project(input: {{project_id: "x"}}) {{ success }}' for n in range(50))
    response = wire.post(f"mutation {{ {fields} }}")
    assert response.status_code == 200
    assert len(response.json()["data"]) == 50
    assert len(response.json()["errors"]) == 10
    wide = "{ " + " ".join(f"a{n}: hello" for n in range(4_000)) + " }"
    assert len(wire.data(wide)) == 4_000


def test_at_most_ten_short_errors(wire: Wire) -> None:
    response = wire.post("{ " + " ".join(f"{'x' * 300}{n}" for n in range(100)) + " }")
    assert response.status_code == 400
    assert len(response.json()["errors"]) <= 10
    assert len(response.content) < 10_000
    one_error(response.json())


def test_a_filter_may_have_fifty_conditions(wire: Wire) -> None:
    document = "query($w: flow_run_bool_exp) { flow_run(where: $w, limit: 0) { id } }"
    many = {"_and": [{"name": {"_eq": "x"}}] * 40}
    assert wire.post(document, {"w": many}).json()["data"] == {"flow_run": []}
    more = {"_and": [{"name": {"_eq": "x"}}] * 60}
    body = wire.post(document, {"w": more}).json()
    assert one_error(body)["extensions"]["code"] in ("LIMIT", "data-exception")
    bottomless: dict[str, Any] = {"name": {"_eq": "x"}}
    for _ in range(400):
        bottomless = {"_not": bottomless}
    response = wire.post(document, {"w": bottomless})
    assert response.status_code in (200, 400)
    one_error(response.json())


def test_a_pattern_may_have_a_thousand_characters(wire: Wire) -> None:
    document = "query($p: String) { flow_run(where: {name: {_like: $p}}, limit: 1) { id } }"
    assert "errors" not in wire.post(document, {"p": "%" + "x" * 998 + "%"}).json()
    one_error(wire.post(document, {"p": "x" * 1_001}).json())


def test_a_body_of_ten_mebibytes_passes_and_seventeen_do_not(shared_server: ServerProcess) -> None:
    def body(size: int) -> bytes:
        return json.dumps({"query": "query($x: JSON) { hello }", "variables": {"x": "y" * size}}).encode()

    unused = raw(shared_server, "POST", "/graphql", body=body(10 * MIB))
    assert unused.status in (200, 400)
    assert b"LIMIT" not in unused.body
    refused = raw(shared_server, "POST", "/graphql", body=body(17 * MIB))
    assert refused.status == 413
    assert one_error(json.loads(refused.body))["extensions"]["code"] == "LIMIT"


def test_ten_mebibytes_of_logs_pass(wire: Wire, run_id: str) -> None:
    wire.log(run_id, *("x" * 1_000 for _ in range(10_000)))
    found = wire.data(
        "query($id: uuid!) { log_aggregate(where: {flow_run_id: {_eq: $id}}) { aggregate { count } } }", {"id": run_id}
    )
    assert found["log_aggregate"]["aggregate"]["count"] == 10_000


def test_a_body_that_lies_about_its_length_is_not_read(shared_server: ServerProcess) -> None:
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{shared_server.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {shared_server.token}\r\nContent-Length: 99999999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_headers_over_sixteen_kilobytes_are_431(shared_server: ServerProcess) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"X-Large": "x" * 20_000}, b'{"query": "{ hello }"}')
    assert reply.status == 431


def test_one_state_may_have_a_million_characters(wire: Wire, run_id: str) -> None:
    wire.set_state(run_id, 1, {"type": "Failed", "message": "x" * 999_000})
    document = "mutation($i: set_flow_run_state_input!) { set_flow_run_state(input: $i) { id } }"
    large = {"type": "Failed", "message": "x" * 1_000_001}
    body = wire.post(document, {"i": {"flow_run_id": run_id, "version": 2, "state": large}}).json()
    assert one_error(body)["extensions"]["code"] == "BAD_USER_INPUT"
    assert wire.run(run_id)["version"] == 2


def test_more_than_a_thousand_states_are_refused(wire: Wire, run_id: str) -> None:
    document = "mutation($i: set_flow_run_states_input!) { set_flow_run_states(input: $i) { states { id } } }"
    states = [{"flow_run_id": run_id, "version": None, "state": {"type": "Running"}}] * 1_001
    body = wire.post(document, {"i": {"states": states}}).json()
    assert one_error(body)["extensions"]["code"] == "BAD_USER_INPUT"
    assert wire.states(run_id) == ["Scheduled"]


def test_an_answer_over_the_limit_says_how_to_page(wire: Wire, flow_id: str) -> None:
    run_id = wire.create_run(flow_id)
    for version in range(1, 76):
        wire.set_state(run_id, version, "Failed", "x" * 900_000)
    document = "query($id: uuid!) { flow_run_state(where: {flow_run_id: {_eq: $id}}) { message } }"
    response = wire.post(document, {"id": run_id})
    assert response.status_code == 200
    error = one_error(response.json())
    assert error["extensions"]["code"] == "LIMIT"
    assert "limit" in error["message"]
    assert len(response.content) < 10_000


def test_odd_requests_are_answered_or_closed_and_never_5xx(shared_server: ServerProcess) -> None:
    port, token = shared_server.port, shared_server.token
    host = f"Host: 127.0.0.1:{port}\r\n"
    heads = [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        f"POST /graphql HTTP/9.9\r\n{host}\r\n".encode(),
        f"POST /graphql HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n".encode(),
        f"POST /graphql HTTP/1.1\r\n{host}Content-Length: x\r\n\r\n".encode(),
        f"POST /graphql HTTP/1.1\r\n{host}{host}Content-Length: 0\r\nConnection: close\r\n\r\n".encode(),
        f"POST /graphql HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n".encode(),
        f"POST http://evil.example/graphql HTTP/1.1\r\n{host}Content-Length: 0\r\nConnection: close\r\n\r\n".encode(),
        f"GET /graphql HTTP/1.1\r\n{host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode(),
        f"GET /\udcff HTTP/1.1\r\n{host}\r\n".encode("utf-8", "surrogateescape"),
        f"POST /graphql HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\nAuthorization: Bearer x\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n".encode(),
    ]
    for head in heads:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        assert not answer or answer.split(b" ")[1][:1] in (b"2", b"4"), (head, answer)


def test_a_head_that_never_ends_is_cut_off(shared_server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=5) as connection:
        connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Endless: ")
        try:
            for _ in range(1_000):
                connection.sendall(b"x" * 10_000)
            answer = connection.recv(4096)
        except ConnectionError:
            return  # the server closed while more was sent
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431")


def test_requests_one_after_the_other_on_one_connection(shared_server: ServerProcess) -> None:
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost:{shared_server.port}\r\nContent-Type: application/json\r\n"
    request = (
        f"{head}Authorization: Bearer {shared_server.token}\r\nContent-Length: 21\r\n\r\n" + '{"query":"{ hello }"}'
    )
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=10) as connection:
        for _ in range(50):
            for part in (request[:40], request[40:-3], request[-3:]):
                connection.sendall(part.encode())
            answer = b""
            while not answer.endswith(b"}}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b'"hello"' in answer


def test_the_statement_of_a_client_that_went_away_is_interrupted(shared_server: ServerProcess, wire: Wire) -> None:
    """An operator who types on leaves many of them behind; they must not hold the threads that read."""
    flow_id = wire.create_flow("wide")
    for _ in range(110):
        wire.create_run(flow_id)
    below = "flow { flow_runs { flow { flow_runs { version } } } }"
    query = f'{{ flow_run(where: {{flow_id: {{_eq: "{flow_id}"}}}}) {{ {below} }} }}'
    body = json.dumps({"query": query}).encode()
    head = {"Host": f"127.0.0.1:{shared_server.port}", "Content-Length": str(len(body)), **shared_server.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())

    def at_work() -> bool:
        return b"flowlatch_requests_at_work 0.0" not in wire.http.get("/metrics").content

    with socket.create_connection(("127.0.0.1", shared_server.port)) as client:
        client.sendall(f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body)
        eventually(at_work, what="the request at work")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)  # it takes seconds
    eventually(lambda: not at_work(), 1.0, "the request given up")
