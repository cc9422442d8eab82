"""Documents and bodies bent at random: answered or refused, never a 5xx, never a fault of ours. reliability.md P10."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.server.conftest import one_error
from tests.support.hostile import HOSTILE
from tests.support.server import ServerProcess
from tests.support.wire import Wire

SEEDS = range(12)
ROUNDS = 60
DOCUMENTS = (
    "query($i: uuid!, $w: flow_run_bool_exp, $n: Int) { flow_run(where: {_and: [{id: {_neq: $i}}, $w]}, limit: $n,"
    " order_by: {name: asc, flow: {name: desc}}, distinct_on: [name]) { id name ...f states(limit: 1) { state } } }"
    ' fragment f on flow_run { version parameters(path: "a.b") labels flow { name project { name } } }',
    '{ flow_run_aggregate(where: {name: {_ilike: "%abc%"}, labels: {_contains: ["x"]}}, limit: 5)'
    " { aggregate { count(columns: name, distinct: true) min { created } avg { version } } nodes { id } } }",
    '{ flow(where: {flow_runs: {state: {_in: ["Failed", "Success"]}}, _not: {archived: {_eq: true}}})'
    " { id flow_runs_aggregate { aggregate { count } } } flow_run_changes(limit: 3) { cursor changes { kind } } }",
    'mutation($s: JSON!) { a: setFlowRunState(input: {flowRunId: "00000000-0000-0000-0000-000000000001", version: 1,'
    ' state: $s}) { id } b: create_flow_run(input: {flow_id: "x", parameters: {a: [1, {b: null}]}})'
    " { id flow_run { name } } }",
    "{ __schema { types { name fields { name type { name ofType { name } } } } } __typename hello @include(if: true) }",
)
PIECES = [
    *'{}()[]:!$@,&|=#"\\.\n',
    "...",
    '"""',
    "null",
    "true",
    "-0",
    "1e999",
    "99999999999999999999",
    "{_and: {}}",
    "{}",
    "[]",
    '""',
    "\ufeff",
    "\u2028",
    "é",
    "😀",
    "__typename",
    "on",
    "fragment",
    "flow_run",
    "$i",
    "$unknown",
    "@skip(if: $n)",
    "limit: -1",
    "(",
    "\\u0000",
    '"\\uD800"',
    "input: {}",
    "_or",
    "count",
]
VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, -(2**63), 10**30, 1.5, 1e308, "", "x", "0" * 36, [], [[]], [None], {}, {"": None},
    {"_and": [{}]}, {"_or": {}}, {"name": {"_like": "%\\"}}, {"type": "Success"}, *HOSTILE.values(),
]  # fmt: skip


def bent(chance: random.Random, text: str) -> str:
    """Return a text with a few pieces cut, doubled, swapped or put in."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[min(to, at + 12) :]
            case 1:
                text = text[:at] + text[at : at + 30] * chance.randint(2, 5) + text[at + 30 :]
            case 2:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 3:
                text = text[:at] + chance.choice(PIECES) + text[at + chance.randint(1, 8) :]
            case _:
                text = text[:to] + text[at:to] + text[to:]
    return text


@pytest.mark.parametrize("seed", SEEDS)
def test_bent_documents_and_variables(shared_server: ServerProcess, wire: Wire, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        document = chance.choice(DOCUMENTS)
        document = bent(chance, document) if chance.random() < 0.8 else document
        names = chance.sample(["i", "w", "n", "s", "x"], chance.randint(0, 4))
        body = json.dumps({"query": document, "variables": {name: chance.choice(VALUES) for name in names}})
        body = bent(chance, body) if chance.random() < 0.15 else body
        content = body.encode("utf-8", "surrogatepass")
        response = wire.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 400), body
        answer = response.json()
        assert set(answer) <= {"data", "errors", "extensions"}, body
        if "errors" in answer:
            one_error(answer)
            codes = {error["extensions"]["code"] for error in answer["errors"]}
            assert "INTERNAL_SERVER_ERROR" not in codes, (body, shared_server.log[-3_000:])
            assert not [error for error in answer["errors"] if "sqlite" in error["message"].lower()], body
        else:
            assert response.status_code == 200
            assert answer["data"] is not None


@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_comes_back_exactly_or_is_refused(wire: Wire, flow_id: str, name: str) -> None:
    text = HOSTILE[name]
    document = "mutation($i: create_flow_run_input!) { create_flow_run(input: $i) { id flow_run { name parameters } } }"
    sent = {"flow_id": flow_id, "flow_run_name": text[:1_000], "parameters": {"p": text}, "idempotency_key": f"{name}"}
    body = json.dumps({"query": document, "variables": {"i": sent}})
    answer = wire.http.post("/graphql", content=body, headers={"Content-Type": "application/json"}).json()
    if "errors" in answer:
        assert one_error(answer)["extensions"]["code"] in ("BAD_USER_INPUT", "BAD_REQUEST")
        assert "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)
        return
    made = answer["data"]["create_flow_run"]["flow_run"]
    assert made["parameters"] == {"p": text}
    assert made["name"] == text[:1_000] or not text
    found = wire.data("query($n: String) { flow_run(where: {name: {_eq: $n}}) { name } }", {"n": made["name"]})
    assert {"name": made["name"]} in found["flow_run"]
