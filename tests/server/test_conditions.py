"""What a filter means, compared with answers worked out by hand. Source: contract.md §3.4 and §3.6."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.conftest import one_error
from tests.support.wire import Wire

ROWS: dict[str, dict[str, Any]] = {
    "alpha": {
        "labels": ["x"],
        "parameters": {"n": 1, "deep": {"a": [1, 2, {"b": None}]}},
        "scheduled_start_time": "2030-01-01T00:00:00Z",
    },
    "Alphabet": {
        "labels": ["x", "y"],
        "parameters": {"n": 2, "s": "text"},
        "scheduled_start_time": "2030-01-02T12:00:00+02:00",
    },
    "100%_sure*[?]": {
        "labels": [],
        "parameters": {"n": 1.5, "flag": True},
        "scheduled_start_time": "2030-01-03 10:00:00.123456789",
        "idempotency_key": "KEY",
    },
    "Ünïcode\\": {
        "labels": ["z", 'quoted "x"'],
        "parameters": {},
        "context": {"k": [1]},
        "scheduled_start_time": "2031-01-01T00:00:00",
    },
}
A, B, C, D = ROWS
ALL = [A, B, C, D]


@pytest.fixture(scope="module")
def runs(wire: Wire, flow_id: str) -> dict[str, str]:
    """Return the ids of four runs by name: Success, Running, and twice Scheduled."""
    made = {name: wire.create_run(flow_id, flow_run_name=name, **inputs) for name, inputs in ROWS.items()}
    wire.set_state(made[A], 1, "Running", "busy")
    wire.set_state(made[A], 2, "Success", "done")
    wire.set_state(made[B], 1, "Running")
    wire.log(made[A], "first", "second")
    return made


@pytest.fixture
def found(wire: Wire, flow_id: str, runs: dict[str, str]) -> Any:
    """Return a function: a filter → the names that it finds among the four, oldest first."""

    def names(where: Any) -> list[str]:
        document = "query($w: [flow_run_bool_exp]) { flow_run(where: {_and: $w}) { name } }"
        data = wire.data(document, {"w": [{"flow_id": {"_eq": flow_id}}, where]})
        return [row["name"] for row in data["flow_run"]]

    return names


TABLE: list[tuple[Any, list[str]]] = [
    # nothing, everything, null
    ({}, ALL),
    (None, ALL),
    ({"_and": []}, ALL),
    ({"_and": [{}]}, ALL),
    ({"_or": []}, []),
    ({"_or": [{}]}, ALL),
    ({"_not": {}}, []),
    ({"_not": {"_or": []}}, ALL),
    ({"name": {}}, ALL),
    ({"name": None}, ALL),
    ({"_and": None, "_or": None, "_not": None}, ALL),
    *(({"name": {operator: None}}, ALL) for operator in ("_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_in", "_nin")),
    *(({"name": {operator: None}}, ALL) for operator in ("_like", "_nlike", "_ilike", "_nilike", "_is_null")),
    *(({"labels": {operator: None}}, ALL) for operator in ("_contains", "_contained_in", "_has_key", "_has_keys_any")),
    ({"version": {"_eq": None}, "flow": {"name": {"_eq": None}}}, ALL),
    ({"_or": [{"name": {"_eq": None}}, {"name": {"_eq": A}}]}, ALL),
    # comparisons
    ({"name": {"_eq": A}}, [A]),
    ({"name": {"_eq": A.upper()}}, []),
    ({"name": {"_neq": A}}, [B, C, D]),
    ({"name": {"_in": [A, D, "nobody"]}}, [A, D]),
    ({"name": {"_in": []}}, []),
    ({"name": {"_nin": []}}, ALL),
    ({"name": {"_nin": [A, B]}}, [C, D]),
    ({"name": {"_in": A}}, [A]),
    ({"version": {"_gt": 1}}, [A, B]),
    ({"version": {"_gte": 2, "_lt": 3}}, [B]),
    ({"version": {"_in": [3, 7]}}, [A]),
    ({"state": {"_in": ["Success", "Running"]}}, [A, B]),
    ({"state": {"_eq": "Scheduled"}}, [C, D]),
    ({"state": {"_nin": ["Scheduled"]}}, [A, B]),
    ({"auto_scheduled": {"_eq": False}}, ALL),
    ({"auto_scheduled": {"_eq": True}}, []),
    ({"auto_scheduled": {"_in": [False]}}, ALL),
    # null columns
    ({"idempotency_key": {"_is_null": True}}, [A, B, D]),
    ({"idempotency_key": {"_is_null": False}}, [C]),
    ({"idempotency_key": {"_eq": "KEY"}}, [C]),
    ({"idempotency_key": {"_neq": "other"}}, [C]),
    ({"idempotency_key": {"_nin": ["other"]}}, [C]),
    ({"idempotency_key": {"_nlike": "other%"}}, [C]),
    ({"_not": {"idempotency_key": {"_eq": "other"}}}, [C]),
    ({"_not": {"_not": {"idempotency_key": {"_eq": "KEY"}}}}, [C]),
    ({"_not": {"idempotency_key": {"_is_null": True}}}, [C]),
    ({"start_time": {"_is_null": True}}, [C, D]),
    ({"end_time": {"_is_null": False}}, [A]),
    # times
    ({"scheduled_start_time": {"_gte": "2030-01-02"}}, [B, C, D]),
    ({"scheduled_start_time": {"_lt": "2030-01-02"}}, [A]),
    ({"scheduled_start_time": {"_eq": "2030-01-02T10:00:00+00:00"}}, [B]),
    ({"scheduled_start_time": {"_eq": "2030-01-02 05:00:00-0500"}}, [B]),
    ({"scheduled_start_time": {"_eq": "2030-01-03T10:00:00.123456Z"}}, [C]),
    ({"scheduled_start_time": {"_in": ["2031-01-01", "2030-01-01"]}}, [A, D]),
    # patterns
    ({"name": {"_like": "alpha%"}}, [A]),
    ({"name": {"_like": "Alpha%"}}, [B]),
    ({"name": {"_like": "_lpha"}}, [A]),
    ({"name": {"_like": "%"}}, ALL),
    ({"name": {"_like": ""}}, []),
    ({"name": {"_nlike": "%lpha%"}}, [C, D]),
    ({"name": {"_ilike": "ALPHA%"}}, [A, B]),
    ({"name": {"_ilike": "%pha%"}}, [A, B]),
    ({"name": {"_ilike": "%PHAB%"}}, [B]),
    ({"name": {"_ilike": "%nïcode%"}}, [D]),
    ({"name": {"_ilike": "ünÏcode%"}}, [D]),
    ({"name": {"_nilike": "%ALPHA%"}}, [C, D]),
    ({"name": {"_like": "100\\%%"}}, [C]),
    ({"name": {"_like": "100\\_%"}}, []),
    ({"name": {"_like": "%*[?]"}}, [C]),
    ({"name": {"_like": "*"}}, []),
    ({"name": {"_ilike": "100\\%\\_SURE*[?]"}}, [C]),
    ({"name": {"_ilike": "%\\%\\_s%"}}, [C]),
    ({"name": {"_like": "%\\\\"}}, [D]),
    ({"name": {"_ilike": '%"%'}}, []),
    # jsonb
    ({"labels": {"_contains": ["x"]}}, [A, B]),
    ({"labels": {"_contains": "x"}}, [A, B]),
    ({"labels": {"_contains": ["x", "y"]}}, [B]),
    ({"labels": {"_contains": ["y", "x"]}}, [B]),
    ({"labels": {"_contains": ["x", "x"]}}, [A, B]),
    ({"labels": {"_contains": []}}, ALL),
    ({"labels": {"_contains": ["X"]}}, []),
    ({"labels": {"_contains": ['quoted "x"']}}, [D]),
    ({"labels": {"_contains": [1]}}, []),
    ({"labels": {"_contains": {"x": 1}}}, []),
    ({"_not": {"labels": {"_contains": ["x"]}}}, [C, D]),
    ({"labels": {"_contained_in": ["x", "y"]}}, [A, B, C]),
    ({"labels": {"_has_key": "z"}}, [D]),
    ({"labels": {"_has_keys_any": ["z", "y"]}}, [B, D]),
    ({"labels": {"_has_keys_all": ["x", "y"]}}, [B]),
    ({"labels": {"_has_keys_any": []}}, []),
    ({"labels": {"_has_keys_all": []}}, ALL),
    ({"labels": {"_eq": []}}, [C]),
    ({"labels": {"_eq": ["x", "y"]}}, [B]),
    ({"labels": {"_neq": []}}, [A, B, D]),
    ({"labels": {"_in": [[], ["x"]]}}, [A, C]),
    ({"parameters": {"_contains": {"n": 1}}}, [A]),
    ({"parameters": {"_contains": {"deep": {"a": [2]}}}}, [A]),
    ({"parameters": {"_contains": {"deep": {"a": [{"b": None}]}}}}, [A]),
    ({"parameters": {"_contains": {"deep": {"a": 2}}}}, []),
    ({"parameters": {"_contains": {}}}, ALL),
    ({"parameters": {"_contains": {"flag": True}}}, [C]),
    ({"parameters": {"_contains": {"flag": 1}}}, []),
    ({"parameters": {"_has_key": "s"}}, [B]),
    ({"parameters": {"_has_keys_any": ["s", "flag"]}}, [B, C]),
    ({"parameters": {"_eq": {}}}, [D]),
    ({"parameters": {"_eq": {"s": "text", "n": 2}}}, [B]),
    ({"parameters": {"_contained_in": {"n": 2, "s": "text", "more": 1}}}, [B, D]),
    ({"context": {"_contains": {"k": [1]}}}, [D]),
    ({"serialized_state": {"_contains": {"message": "done"}}}, [A]),
    # logic
    ({"_or": [{"name": {"_eq": A}}, {"name": {"_eq": C}}]}, [A, C]),
    ({"_or": {"name": {"_eq": A}}}, [A]),
    ({"_and": {"name": {"_eq": A}}}, [A]),
    ({"_and": [{"name": {"_like": "%lpha%"}}, {"state": {"_eq": "Running"}}]}, [B]),
    ({"name": {"_like": "%lpha%"}, "state": {"_neq": "Running"}}, [A]),
    ({"_not": {"name": {"_eq": A}}}, [B, C, D]),
    ({"_not": {"_not": {"name": {"_eq": A}}}}, [A]),
    ({"_not": {"_or": [{"name": {"_eq": A}}, {"name": {"_eq": B}}]}}, [C, D]),
    ({"_not": {"version": {"_gt": 1}, "name": {"_eq": A}}}, [B, C, D]),
    # relations
    ({"flow": {"name": {"_eq": "flow of tests.server.test_conditions"}}}, ALL),
    ({"flow": {"name": {"_eq": "another"}}}, []),
    ({"flow": {}}, ALL),
    ({"flow": {"project": {"name": {"_eq": "tests"}}}}, ALL),
    ({"flow": {"_and": {"name": {"_eq": None}, "project": {"name": {"_eq": "tests"}}}}}, ALL),
    ({"flow": {"_not": {"archived": {"_eq": True}}}}, ALL),
    ({"states": {"state": {"_eq": "Running"}}}, [A, B]),
    ({"states": {"state": {"_eq": "Running"}, "message": {"_eq": "busy"}}}, [A]),
    ({"_not": {"states": {"state": {"_eq": "Running"}}}}, [C, D]),
    ({"logs": {}}, [A]),
    ({"_not": {"logs": {}}}, [B, C, D]),
    ({"agent": {"name": {"_eq": "x"}}}, []),
    ({"_not": {"agent": {"name": {"_eq": "x"}}}}, ALL),
    ({"task_runs": {}}, []),
]


@pytest.mark.parametrize(("where", "expected"), TABLE, ids=[json.dumps(row[0])[:90] for row in TABLE])
def test_a_filter_finds_what_it_means(found: Any, where: Any, expected: list[str]) -> None:
    assert found(where) == expected


def literal(value: Any) -> str:
    """Return a value as a GraphQL literal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(("where", "expected"), TABLE, ids=[json.dumps(row[0])[:90] for row in TABLE])
def test_literals_count_and_lists_agree(
    wire: Wire, flow_id: str, runs: dict[str, str], where: Any, expected: list[str]
) -> None:
    written = f'{{_and: [{{flow_id: {{_eq: "{flow_id}"}}}}, {literal(where)}]}}'
    data = wire.data(
        f"{{ flow_run(where: {written}) {{ name }} one: flow_run(where: {written}, limit: 1) {{ name }}"
        f" flow_run_aggregate(where: {written}) {{ aggregate {{ count }} nodes {{ name }} }} }}"
    )
    names = [{"name": name} for name in expected]
    assert data["flow_run"] == names
    assert data["one"] == names[:1]
    assert data["flow_run_aggregate"] == {"aggregate": {"count": len(expected)}, "nodes": names}


def test_ids_are_taken_in_any_case_and_without_hyphens(found: Any, runs: dict[str, str]) -> None:
    run_id = runs[B]
    for form in (run_id, run_id.upper(), run_id.replace("-", ""), run_id.replace("-", "").upper()):
        assert found({"id": {"_eq": form}}) == [B]
    assert found({"id": {"_in": [runs[A].upper(), runs[D]]}}) == [A, D]


@pytest.mark.parametrize(
    "where",
    [
        {"id": {"_eq": "x"}},
        {"id": {"_in": ["00000000-0000-0000-0000-000000000000", ""]}},
        {"id": {"_eq": "{00000000-0000-0000-0000-000000000000}"}},
        {"created": {"_gt": "yesterday"}},
        {"created": {"_gt": "2030-02-30"}},
        {"created": {"_gt": ""}},
        {"created": {"_gt": "10000-01-01"}},
        {"created": {"_gt": "９９９９-01-01"}},
        {"created": {"_gt": "9999-12-31T23:59:59-14:00"}},
        {"duration": {"_gt": "an hour"}},
        {"name": {"_eq": "a\0b"}},
        {"name": {"_like": "a\0b"}},
    ],
    ids=json.dumps,
)
def test_operands_that_cannot_be_are_data_exceptions(wire: Wire, where: Any) -> None:
    response = wire.post("query($w: flow_run_bool_exp) { flow_run(where: $w) { id } }", {"w": where})
    assert response.status_code == 200
    assert one_error(response.json())["extensions"]["code"] == "data-exception"


@pytest.mark.parametrize(
    "where",
    [
        "{nothing: {_eq: 1}}",
        "{name: {_eq: 1}}",
        '{name: {_is: "x"}}',
        '{version: {_eq: "1"}}',
        "{version: {_eq: 2147483648}}",
        '{version: {_like: "1"}}',
        "{auto_scheduled: {_eq: 1}}",
        '{name: "x"}',
        '{_and: "x"}',
        "{name: {_in: [null]}}",
        "{flow: {nothing: {_eq: 1}}}",
        "{id: {_eq: 5}}",
        '"x"',
    ],
)
def test_filters_that_are_none_are_400(wire: Wire, where: str) -> None:
    response = wire.post(f"{{ flow_run(where: {where}) {{ id }} }}")
    assert response.status_code == 400
    assert one_error(response.json())["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        (kind, where)
        for kinds, where in (
            (("uuid", "UUID", "String"), "{id: {_eq: $x}}"),
            (("[uuid!]", "[UUID!]", "[String!]"), "{id: {_in: $x}}"),
            (("uuid", "UUID", "String"), "{_and: [{_or: [{flow_run_id: {_eq: $x}}]}]}"),
        )
        for kind in kinds
    ],
)
def test_variables_may_be_declared_with_either_name(
    wire: Wire, runs: dict[str, str], declared: str, where: str
) -> None:
    table = "flow_run_state" if "flow_run_id" in where else "flow_run"
    value: Any = [runs[A]] if declared.startswith("[") else runs[A]
    for kind in (declared, declared + "!"):
        data = wire.data(f"query($x: {kind}) {{ {table}(where: {where}) {{ state }} }}", {"x": value})
        assert {"state": "Success"} in data[table]


@pytest.mark.parametrize("kind", ["timestamptz", "DateTime", "String"])
def test_times_stand_in_for_each_other(wire: Wire, flow_id: str, runs: dict[str, str], kind: str) -> None:
    document = (
        f"query($t: {kind}!, $f: uuid) {{ flow_run(where: {{scheduled_start_time: {{_gte: $t}}, flow_id: {{_eq: $f}}}})"
        " { name } }"
    )
    assert wire.data(document, {"t": "2031-01-01", "f": flow_id}) == {"flow_run": [{"name": D}]}


@pytest.mark.parametrize("kind", ["jsonb", "JSON"])
def test_json_stands_in_for_each_other(wire: Wire, flow_id: str, runs: dict[str, str], kind: str) -> None:
    document = (
        f"query($j: {kind}, $n: Int, $f: UUID!) {{ flow_run(where: {{flow_id: {{_eq: $f}}, labels: {{_contains: $j}},"
        " parameters: {_contains: {n: $n}}}) { name } }"
    )
    assert wire.data(document, {"j": ["x"], "n": 2, "f": flow_id}) == {"flow_run": [{"name": B}]}


def test_variables_are_not_mixed_up_between_equal_documents(wire: Wire, flow_id: str, runs: dict[str, str]) -> None:
    document = "query($n: String, $f: uuid) { flow_run(where: {name: {_eq: $n}, flow_id: {_eq: $f}}) { name } }"
    for name in (*ALL, None, *ALL):
        found = wire.data(document, {"n": name, "f": flow_id})["flow_run"]
        assert [row["name"] for row in found] == (ALL if name is None else [name])
