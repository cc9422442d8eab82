"""Bodies, paths, methods and error objects. Source: contract.md §1, reliability.md §3 and §6."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.conftest import one_error, raw
from tests.support.server import ServerProcess
from tests.support.wire import Wire

HELLO = "{ hello }"
BY_PK = "query($id: uuid!) { flow_run_by_pk(id: $id) { id } }"
PATHS = ["/", "/graphql", "/graphql/"]


def post(wire: Wire, body: Any, path: str = "/graphql") -> tuple[int, Any]:
    """Return status and JSON of one request whose body is `body` as JSON, or as it is if it is bytes."""
    if isinstance(body, bytes):
        response = wire.http.post(path, content=body, headers={"Content-Type": "application/json"})
    else:
        response = wire.http.post(path, json=body)
    return response.status_code, response.json()


@pytest.mark.parametrize("path", PATHS)
def test_three_paths_answer_alike(wire: Wire, path: str) -> None:
    status, body = post(wire, {"query": HELLO}, path)
    assert status == 200
    assert body["data"]["hello"]
    assert "errors" not in body


@pytest.mark.parametrize("variables", [{}, None, "null", "{}", "  null ", '{"unused": 1}'], ids=repr)
def test_all_forms_of_no_variables(wire: Wire, variables: Any) -> None:
    assert post(wire, {"query": HELLO, "variables": variables})[0] == 200


@pytest.mark.parametrize("variables", [[], 1, True, "[]", "1", "nonsense", "", '"null"', "{", [{}]], ids=repr)
def test_what_cannot_be_variables_is_bad_request(wire: Wire, variables: Any) -> None:
    status, body = post(wire, {"query": HELLO, "variables": variables})
    assert status == 400
    assert one_error(body)["extensions"]["code"] in ("BAD_REQUEST", "BAD_USER_INPUT")


NO_REQUESTS: dict[str, Any] = {
    "empty": b"",
    "text": b"hello",
    "cut": b'{"query": "{ hello }"',
    "list": [],
    "batch": [{"query": HELLO}, {"query": HELLO}],
    "number": 1,
    "null": None,
    "no query": {"variables": {}},
    "query null": {"query": None},
    "query a list": {"query": [HELLO]},
    "query a number": {"query": 5},
    "operationName a number": {"query": HELLO, "operationName": 5},
    "NaN": b'{"query": "{ hello }", "variables": {"x": NaN}}',
    "Infinity": b'{"query": "{ hello }", "variables": {"x": -Infinity}}',
    "deep": b'{"query": "{ hello }", "variables": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "not UTF-8": b'{"query": "{ hello }", "variables": {"x": "\xff\xfe"}}',
    "UTF-16": '{"query": "{ hello }"}'.encode("utf-16"),
    "NaN inside a string of variables": {"query": HELLO, "variables": '{"x": NaN}'},
    "deep inside a string of variables": {"query": HELLO, "variables": "[" * 100_000},
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_what_is_no_request_is_400(wire: Wire, name: str) -> None:
    status, body = post(wire, NO_REQUESTS[name])
    assert status == 400
    one_error(body)
    assert body.get("data") is None


def test_a_batch_runs_nothing(wire: Wire, flow_id: str) -> None:
    count = "query($id: uuid!) { flow_run_aggregate(where: {flow_id: {_eq: $id}}) { aggregate { count } } }"
    before = wire.data(count, {"id": flow_id})
    create = f'mutation {{ create_flow_run(input: {{flow_id: "{flow_id}"}}) {{ id }} }}'
    assert post(wire, [{"query": create}])[0] == 400
    assert wire.data(count, {"id": flow_id}) == before


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("}", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run { scheduledStartTime } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run(where: {name: {_regex: 1}}) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run(order_by: {name: up}) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ hello { x } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run_by_pk { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { create_flow_run { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { set_flow_run_state(input: null) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($x: nothing) { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run { ...lost } }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment a on flow_run { ...a } { flow_run { ...a } }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment a on flow_run { id }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ flow_run(limit: 2147483648) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query a { hello } query b { hello }", None),
        ("subscription { flow_run_changes { cursor } }", None),
    ],
)
def test_documents_that_are_refused(wire: Wire, document: str, code: str | None) -> None:
    status, body = post(wire, {"query": document})
    assert status == 400
    error = one_error(body)
    assert body.get("data") is None
    if code is not None:
        assert error["extensions"]["code"] == code


@pytest.mark.parametrize(
    "variables",
    [{}, {"id": None}, {"id": 5}, {"id": ["x"]}, {"id": {"a": 1}}],
    ids=repr,
)
def test_variables_that_do_not_fit_are_400(wire: Wire, variables: Any) -> None:
    status, body = post(wire, {"query": BY_PK, "variables": variables})
    assert status == 400
    assert one_error(body)["extensions"]["code"] == "BAD_USER_INPUT"


def test_an_operation_is_chosen_by_name(wire: Wire) -> None:
    query = "query a { hello } query b { mine: hello }"
    assert list(post(wire, {"query": query, "operationName": "b"})[1]["data"]) == ["mine"]
    assert post(wire, {"query": query, "operationName": "c"})[0] == 400
    assert post(wire, {"query": query, "operationName": None})[0] == 400


def test_errors_name_path_and_place(wire: Wire) -> None:
    status, body = post(wire, {"query": 'query {\n  mine: flow_run_by_pk(id: "no id") { id }\n}'})
    assert (status, body["data"]) == (200, {"mine": None})
    error = one_error(body)
    assert error["extensions"]["code"] == "data-exception"
    assert error["path"] == ["mine"]
    assert error["locations"] == [{"line": 2, "column": 3}]
    assert "no id" in error["message"]
    assert "uuid" in error["message"].lower()


def test_other_fields_are_answered_beside_a_failed_one(wire: Wire) -> None:
    document = '{ a: hello bad: flow_run(where: {created: {_gt: "soon"}}) { id } t: tenant { slug } }'
    _, body = post(wire, {"query": document})
    assert list(body["data"]) == ["a", "bad", "t"]
    assert body["data"]["bad"] is None
    assert body["data"]["t"][0] == {"slug": "default"}
    assert [error["path"][0] for error in body["errors"]] == ["bad"]


def test_a_conflict_is_the_first_error(wire: Wire, run_id: str) -> None:
    document = """mutation($r: UUID!) {
      a: delete_project(input: {project_id: "no id"}) { success }
      b: set_flow_run_state(input: {flow_run_id: $r, version: 9, state: {type: "Running"}}) { id }
    }"""
    body = post(wire, {"query": document, "variables": {"r": run_id}})[1]
    assert body["errors"][0]["extensions"]["code"] == "VERSION_LOCKING_ERROR"
    assert body["data"] == {"a": None, "b": None}


def test_mutations_of_one_document_run_in_order(wire: Wire, run_id: str) -> None:
    step = '%s: set_flow_run_state(input: {flow_run_id: "%s", version: %d, state: {type: "%s"}}) { version }'
    steps = [("one", 1, "Submitted"), ("two", 2, "Running"), ("lost", 2, "Failed"), ("three", 3, "Success")]
    document = "mutation {" + " ".join(step % (name, run_id, version, kind) for name, version, kind in steps) + "}"
    body = post(wire, {"query": document})[1]
    assert body["data"] == {"one": {"version": 2}, "two": {"version": 3}, "lost": None, "three": {"version": 4}}
    assert [error["path"] for error in body["errors"]] == [["lost"]]
    assert wire.states(run_id) == ["Scheduled", "Submitted", "Running", "Success"]


@pytest.mark.parametrize("word", ["API_ERROR", "UNAUTHENTICATED"])
def test_words_that_old_clients_react_to_are_never_echoed(wire: Wire, flow_id: str, word: str) -> None:
    run_id = wire.create_run(flow_id, flow_run_name=word)
    wire.set_state(run_id, 1, "Running", f"said {word}")
    requests: list[dict[str, Any]] = [
        {"query": BY_PK, "variables": {"id": word}},
        {"query": f'{{ flow_run(where: {{created: {{_gt: "{word}"}}}}) {{ id }} }}'},
        {"query": f"{{ {word} }}"},
        {"query": f"query {word}($x: {word}) {{ hello }}"},
        {"query": f'{{ flow_run_changes(since: "{word}") {{ cursor }} }}'},
        {"query": f'{{ flow_run(limit: "{word}") {{ id }} }}'},
        {"query": f'mutation {{ delete_project(input: {{project_id: "{word}"}}) {{ success }} }}'},
        {
            "query": f'mutation {{ {word}: set_flow_run_state(input: {{flow_run_id: "{run_id}", version: 1,'
            ' state: {type: "Success"}}) { id } }'
        },
        {
            "query": f'mutation {{ set_flow_run_state(input: {{flow_run_id: "{run_id}", version: 2,'
            f' state: {{type: "{word}"}}}}) {{ id }} }}'
        },
        {"query": "query($x: JSON, $y: Int) { hello }", "variables": {"y": word}},
        {"query": HELLO, "operationName": word},
        {"query": HELLO, "variables": word},
    ]
    for request in requests:
        _, body = post(wire, request)
        assert word not in json.dumps(body["errors"]), request


def test_an_empty_name_of_a_document_is_no_name(wire: Wire) -> None:
    assert post(wire, {"query": HELLO, "operationName": ""})[0] == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(shared_server: ServerProcess, path: str, method: str) -> None:
    reply = raw(shared_server, method, f"{path}?query=%7Bhello%7D")
    assert reply.status == 405
    assert reply.headers["allow"] == "POST"
    assert one_error(json.loads(reply.body))["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/nothing", "/graphql/x", "/.git/config", "/graphiql", "//", "/%2e%2e/etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths_are_404_json(shared_server: ServerProcess, path: str, method: str) -> None:
    reply = raw(shared_server, method, path)
    assert reply.status == 404
    assert one_error(json.loads(reply.body))["extensions"]["code"] == "NOT_FOUND"


def test_health(shared_server: ServerProcess) -> None:
    health = json.loads(raw(shared_server, "GET", "/health", authorised=False).body)
    assert health["status"] == "ok"
    assert isinstance(health["version"], str)
    apollo = raw(shared_server, "GET", "/.well-known/apollo/server-health", authorised=False)
    assert (apollo.status, json.loads(apollo.body)) == (200, {"status": "pass"})


@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"]
)
def test_json_is_taken_under_other_content_types_without_an_origin(
    shared_server: ServerProcess, kind: str | None
) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Content-Type": kind}, b'{"query": "{ hello }"}')
    assert reply.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP"])
def test_a_compressed_body_is_415(shared_server: ServerProcess, encoding: str) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Content-Encoding": encoding}, b'{"query": "{ hello }"}')
    assert reply.status == 415
    assert one_error(json.loads(reply.body))["extensions"]["code"] == "BAD_REQUEST"


def test_identity_is_no_compression(shared_server: ServerProcess) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Content-Encoding": "identity"}, b'{"query": "{ hello }"}')
    assert reply.status == 200


def test_a_byte_order_mark_does_not_matter_or_is_refused(shared_server: ServerProcess) -> None:
    assert raw(shared_server, "POST", "/graphql", body=b'\xef\xbb\xbf{"query": "{ hello }"}').status in (200, 400)


def test_numbers_beyond_python_s_limit_are_no_fault_of_ours(wire: Wire) -> None:
    status, _ = post(wire, b'{"query": "{ hello }", "variables": {"x": ' + b"9" * 5_000 + b"}}")
    assert status in (200, 400)
