"""Order, pages, distinct, aggregates, relations and the form of values. Source: contract.md §3.3, §3.5, §3.6."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query

from flowlatch.server.relations import TABLES
from tests.server.conftest import one_error
from tests.support.wire import Wire

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
# name, expected start, states set one after the other
RUNS: tuple[tuple[str, str, list[str]], ...] = (
    ("b", "2030-01-02T00:00:00Z", ["Running", "Success"]),
    ("a", "2030-01-02T00:00:00Z", []),
    ("c", "2030-01-01T00:00:00Z", ["Running"]),
    ("a", "2030-01-03T00:00:00Z", ["Failed"]),
    ("B", "2029-12-31T00:00:00Z", []),
)


@pytest.fixture(scope="module")
def runs(wire: Wire, flow_id: str) -> list[str]:
    """Return the ids of five runs, in the order of `RUNS`."""
    made = [wire.create_run(flow_id, flow_run_name=name, scheduled_start_time=at) for name, at, _ in RUNS]
    for run_id, (_, _, states) in zip(made, RUNS, strict=True):
        for version, state in enumerate(states, 1):
            wire.set_state(run_id, version, state)
    return made


@pytest.fixture
def listed(wire: Wire, flow_id: str, runs: list[str]) -> Any:
    """Return a function: arguments → indexes into `RUNS` of the rows found, in the order of the answer."""

    def indexes(arguments: str) -> list[int]:
        document = f'{{ flow_run(where: {{flow_id: {{_eq: "{flow_id}"}}}} {arguments}) {{ id }} }}'
        return [runs.index(row["id"]) for row in wire.data(document)["flow_run"]]

    return indexes


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("order_by: {}", [0, 1, 2, 3, 4]),
        ("order_by: []", [0, 1, 2, 3, 4]),
        ("order_by: null", [0, 1, 2, 3, 4]),
        ("order_by: {name: null}", [0, 1, 2, 3, 4]),
        ("order_by: {name: asc}", [4, 1, 3, 0, 2]),
        ("order_by: {name: desc}", [2, 0, 1, 3, 4]),
        ("order_by: {scheduled_start_time: desc}", [3, 0, 1, 2, 4]),
        ("order_by: {name: asc, scheduled_start_time: desc}", [4, 3, 1, 0, 2]),
        ("order_by: {scheduled_start_time: desc, name: asc}", [3, 1, 0, 2, 4]),
        ("order_by: [{scheduled_start_time: desc}, {name: asc}]", [3, 1, 0, 2, 4]),
        # null start times: last in asc, first in desc
        ("order_by: {start_time: asc}", [0, 2, 1, 3, 4]),
        ("order_by: {start_time: desc}", [1, 3, 4, 2, 0]),
        ("order_by: {start_time: asc_nulls_first}", [1, 3, 4, 0, 2]),
        ("order_by: {start_time: asc_nulls_last}", [0, 2, 1, 3, 4]),
        ("order_by: {start_time: desc_nulls_last}", [2, 0, 1, 3, 4]),
        ("order_by: {start_time: desc_nulls_first}", [1, 3, 4, 2, 0]),
        ("order_by: {flow: {name: asc}}", [0, 1, 2, 3, 4]),
        ("order_by: [{flow: {project: {name: desc}}}, {version: desc}]", [0, 2, 3, 1, 4]),
        ("order_by: {states_aggregate: {count: desc}}", [0, 2, 3, 1, 4]),
        ("order_by: {agent: {name: asc}}", [0, 1, 2, 3, 4]),
        ("limit: 2", [0, 1]),
        ("limit: 0", []),
        ("limit: null, offset: null", [0, 1, 2, 3, 4]),
        ("offset: 3", [3, 4]),
        ("offset: 30", []),
        ("limit: 2, offset: 1, order_by: {name: asc}", [1, 3]),
        ("limit: 2147483647", [0, 1, 2, 3, 4]),
        ("distinct_on: name", [0, 1, 2, 4]),
        ("distinct_on: [name]", [0, 1, 2, 4]),
        ("distinct_on: null", [0, 1, 2, 3, 4]),
        ("distinct_on: [], limit: 1", [0]),
        ("distinct_on: name, order_by: {name: asc, scheduled_start_time: desc}", [4, 3, 0, 2]),
        ("distinct_on: name, order_by: [{name: asc}, {scheduled_start_time: desc}], limit: 2, offset: 1", [3, 0]),
        ("distinct_on: scheduled_start_time, order_by: {scheduled_start_time: asc}", [4, 2, 0, 3]),
        ("distinct_on: [state, name], order_by: {state: asc}", [3, 2, 1, 4, 0]),
        ("distinct_on: agent_id", [0]),
    ],
)
def test_order_and_page(listed: Any, arguments: str, expected: list[int]) -> None:
    assert listed(arguments) == expected


@pytest.mark.parametrize("argument", ["limit", "offset"])
def test_negative_pages_are_errors(wire: Wire, argument: str) -> None:
    for document, variables in (
        (f"{{ flow_run({argument}: -1) {{ id }} }}", None),
        (f"query($n: Int) {{ flow_run({argument}: $n) {{ id }} }}", {"n": -2147483648}),
        (f"{{ flow {{ flow_runs({argument}: -1) {{ id }} }} }}", None),
        (f"{{ flow_run_aggregate({argument}: -1) {{ aggregate {{ count }} }} }}", None),
    ):
        body = wire.post(document, variables).json()
        assert one_error(body)["message"]
        assert not any((body.get("data") or {}).values())


def aggregate(wire: Wire, flow_id: str, fields: str, arguments: str = "") -> Any:
    """Return `flow_run_aggregate` of the flow's runs."""
    document = f'{{ flow_run_aggregate(where: {{flow_id: {{_eq: "{flow_id}"}}}} {arguments}) {{ {fields} }} }}'
    return wire.data(document)["flow_run_aggregate"]


@pytest.mark.parametrize(
    ("fields", "arguments", "expected"),
    [
        ("count", "", {"count": 5}),
        ("count", "limit: 3", {"count": 3}),
        ("count", "limit: 0", {"count": 0}),
        ("count", "offset: 4", {"count": 1}),
        ("count", "distinct_on: name", {"count": 4}),
        ("n: count(columns: name)", "", {"n": 5}),
        ("n: count(columns: [name], distinct: true)", "", {"n": 4}),
        ("n: count(columns: [name, state], distinct: true)", "", {"n": 5}),
        ("n: count(columns: start_time)", "", {"n": 2}),
        (
            "min { name version } max { name scheduled_start_time } sum { version } avg { version }",
            "",
            {
                "min": {"name": "B", "version": 1},
                "max": {"name": "c", "scheduled_start_time": "2030-01-03T00:00:00.000000+00:00"},
                "sum": {"version": 9},
                "avg": {"version": 1.8},
            },
        ),
        (
            "count min { name } sum { version } avg { version } max { duration }",
            "limit: 0",
            {
                "count": 0,
                "min": {"name": None},
                "sum": {"version": None},
                "avg": {"version": None},
                "max": {"duration": None},
            },
        ),
        (
            "__typename max { __typename }",
            "",
            {"__typename": "flow_run_aggregate_fields", "max": {"__typename": "flow_run_max_fields"}},
        ),
    ],
)
def test_aggregates(wire: Wire, flow_id: str, runs: list[str], fields: str, arguments: str, expected: Any) -> None:
    assert aggregate(wire, flow_id, f"aggregate {{ {fields} }}", arguments) == {"aggregate": expected}


def test_an_aggregate_shows_its_nodes(wire: Wire, flow_id: str, runs: list[str]) -> None:
    found = aggregate(wire, flow_id, "nodes { id } aggregate { count }", "order_by: {name: asc}, limit: 2")
    assert found == {"nodes": [{"id": runs[4]}, {"id": runs[1]}], "aggregate": {"count": 2}}


@pytest.mark.parametrize(
    "where",
    [
        "{}",
        '{state: {_eq: "Scheduled"}}',
        '{state: {_in: ["Running", "Failed"]}}',
        "{state: {_in: []}}",
        "{state: {_in: null}}",
    ],
)
def test_the_counters_agree_with_counting(wire: Wire, runs: list[str], where: str) -> None:
    document = f"""{{
      quick: flow_run_aggregate(where: {where}) {{ aggregate {{ count }} }}
      slow: flow_run_aggregate(where: {{_and: [{where}, {{version: {{_gte: 0}}}}]}}) {{ aggregate {{ count }} }}
      bounded: flow_run_aggregate(where: {where}, limit: 2) {{ aggregate {{ count }} }}
    }}"""
    data = wire.data(document)
    assert data["quick"] == data["slow"]
    assert data["bounded"]["aggregate"]["count"] == min(2, data["quick"]["aggregate"]["count"])


def test_relations_at_any_depth(wire: Wire, flow_id: str, runs: list[str]) -> None:
    document = f"""{{ flow_by_pk(id: "{flow_id}") {{
      name
      project {{ name flows_aggregate(where: {{id: {{_eq: "{flow_id}"}}}}) {{ aggregate {{ count }} }} }}
      newest: flow_runs(order_by: {{scheduled_start_time: desc}}, limit: 1) {{
        id states(order_by: {{version: desc}}) {{ state version flow_run {{ id flow {{ name }} }} }}
        states_aggregate(where: {{state: {{_neq: "Scheduled"}}}}) {{ aggregate {{ count max {{ version }} }}
          nodes {{ state }} }}
        agent {{ name }}
        logs {{ id }}
      }}
      flow_runs_aggregate(distinct_on: state) {{ aggregate {{ count }} }}
      tasks {{ id }}
    }} }}"""
    name = "flow of tests.server.test_lists"
    inner = {"id": runs[3], "flow": {"name": name}}
    assert wire.data(document)["flow_by_pk"] == {
        "name": name,
        "project": {"name": "tests", "flows_aggregate": {"aggregate": {"count": 1}}},
        "newest": [
            {
                "id": runs[3],
                "states": [
                    {"state": "Failed", "version": 2, "flow_run": inner},
                    {"state": "Scheduled", "version": 1, "flow_run": inner},
                ],
                "states_aggregate": {
                    "aggregate": {"count": 1, "max": {"version": 2}},
                    "nodes": [{"state": "Failed"}],
                },
                "agent": None,
                "logs": [],
            }
        ],
        "flow_runs_aggregate": {"aggregate": {"count": 4}},
        "tasks": [],
    }


def test_a_page_within_each_row(wire: Wire, flow_id: str, runs: list[str]) -> None:
    document = f"""{{ flow_run(where: {{flow_id: {{_eq: "{flow_id}"}}}}, limit: 3) {{
      states(order_by: {{version: desc}}, limit: 1, offset: 1) {{ state }}
      first: states(distinct_on: flow_run_id, order_by: {{version: asc}}) {{ state }}
    }} }}"""
    first = [{"state": "Scheduled"}]
    assert wire.data(document)["flow_run"] == [
        {"states": [{"state": "Running"}], "first": first},
        {"states": [], "first": first},
        {"states": [{"state": "Scheduled"}], "first": first},
    ]


def test_all_columns_at_once(wire: Wire, runs: list[str]) -> None:
    fields = [
        f"{name}{n}: {name}"
        for n in range(6)
        for name in (
            "id",
            "name",
            "labels",
            "created",
            "serialized_state",
            "version",
            "parameters",
            "auto_scheduled",
            "flow_id",
            "state_message",
            "context",
            "updated",
            "heartbeat",
            "duration",
            "run_config",
        )
    ]
    document = f'{{ flow_run_by_pk(id: "{runs[0]}") {{ {" ".join(fields)} flow {{ id }} states {{ id }} }} }}'
    row = wire.data(document)["flow_run_by_pk"]
    assert list(row) == [field.split(":")[0] for field in fields] + ["flow", "states"]
    assert row["id0"] == row["id5"] == runs[0]
    assert row["labels3"] == []
    assert row["auto_scheduled2"] is False
    assert len(row["states"]) == 3


def test_fields_come_in_the_order_of_the_document(wire: Wire, runs: list[str]) -> None:
    document = f"""query q($no: Boolean!) {{
      z: hello
      ...roots
      a: __typename
      ... on Query {{ flow_run_by_pk(id: "{runs[0]}") {{ name ...run id }} }}
      gone: hello @include(if: $no)
      left: hello @skip(if: $no)
    }}
    fragment roots on Query {{ tenant {{ ...slugs @skip(if: $no) __typename }} }}
    fragment slugs on tenant {{ slug }}
    fragment run on flow_run {{ version n: name flow @include(if: $no) {{ id }} name __typename t: __typename }}"""
    response = wire.post(document, {"no": False}).json()
    assert "errors" not in response
    assert list(response["data"]) == ["z", "tenant", "a", "flow_run_by_pk", "left"]
    assert response["data"]["tenant"][0] == {"slug": "default", "__typename": "tenant"}
    assert json.dumps(response["data"]["flow_run_by_pk"]) == json.dumps(
        {"name": "b", "version": 3, "n": "b", "__typename": "flow_run", "t": "flow_run", "id": runs[0]}
    )


def test_the_same_field_twice_is_merged(wire: Wire, runs: list[str]) -> None:
    document = f"""{{ flow_run_by_pk(id: "{runs[0]}") {{ id flow {{ name }} }}
      flow_run_by_pk(id: "{runs[0]}") {{ name flow {{ archived }} }} }}"""
    assert wire.data(document)["flow_run_by_pk"] == {
        "id": runs[0],
        "flow": {"name": "flow of tests.server.test_lists", "archived": False},
        "name": "b",
    }
    clash = wire.post("{ flow_run(limit: 1) { id } flow_run(limit: 2) { id } }")
    assert clash.status_code == 400


def test_values_have_the_forms_of_the_contract(wire: Wire, runs: list[str]) -> None:
    row = wire.data(
        f"""{{ flow_run_by_pk(id: "{runs[0]}") {{ created updated scheduled_start_time start_time end_time heartbeat
        state_timestamp duration states {{ timestamp created start_time }}
        times_resurrected agent_id flow {{ settings }} }} }}"""
    )["flow_run_by_pk"]
    for name in ("created", "updated", "scheduled_start_time", "start_time", "end_time", "state_timestamp"):
        assert TIMESTAMP.fullmatch(row[name]), name
    assert re.fullmatch(r"\d\d:\d\d:\d\d(\.\d{1,6})?", row["duration"])
    times = [state["timestamp"] for state in row["states"]]
    assert times == sorted(set(times))
    assert all(TIMESTAMP.fullmatch(text) for text in times)
    assert row["states"][0]["start_time"] == "2030-01-02T00:00:00.000000+00:00"
    assert (row["agent_id"], row["heartbeat"] is None or bool(TIMESTAMP.fullmatch(row["heartbeat"]))) == (None, True)
    assert row["flow"] == {"settings": row["flow"]["settings"]}
    assert isinstance(row["flow"]["settings"], dict)


JSON_VALUES: list[Any] = [
    {"z": 1, "a": {"fooBar": 1, "snake_case": [None, True, 1.5, "x"]}, "": 0, 'é " \\ /': "\u2028\x7f"},
    {"big": 123456789012345678901234567890, "negative": -(10**25), "float": 1e300, "zero": 0.0},
    {"deep": [[[[[[[[[[]]]]]]]]]]},
    {},
]


@pytest.mark.parametrize("value", JSON_VALUES, ids=lambda value: next(iter(value), "empty"))
def test_json_comes_back_as_it_was_sent(wire: Wire, flow_id: str, value: Any) -> None:
    run_id = wire.create_run(flow_id, parameters=value, context=value)
    text = wire.post("query($id: uuid!) { flow_run_by_pk(id: $id) { parameters context } }", {"id": run_id}).text
    row = json.loads(text)["data"]["flow_run_by_pk"]
    assert json.dumps(row["parameters"]) == json.dumps(value)
    assert json.dumps(row["context"]) == json.dumps(value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a.b", [1, {"c": "x"}]),
        ("a.b", [1, {"c": "x"}]),
        ("a.b[0]", 1),
        ("a.b[1].c", "x"),
        ("$.a.b[1]", {"c": "x"}),
        ("t", True),
        ("nothing", None),
        ("a.b[7]", None),
        ("$", {"a": {"b": [1, {"c": "x"}]}, "t": True, "with space": 1}),
        ("with space", 1),
    ],
)
def test_a_path_into_json(wire: Wire, flow_id: str, path: str, expected: Any) -> None:
    run_id = wire.create_run(flow_id, parameters={"a": {"b": [1, {"c": "x"}]}, "t": True, "with space": 1})
    document = "query($id: uuid!, $p: String) { flow_run_by_pk(id: $id) { part: parameters(path: $p) parameters } }"
    assert wire.data(document, {"id": run_id, "p": path})["flow_run_by_pk"]["part"] == expected


@pytest.mark.parametrize(
    "path", ['a"b', "a'; DROP TABLE flow_run; --", "a[", "a[x]", "[", "..", "a[0", "]", "\0", "a[-1]"]
)
def test_odd_paths_are_null_or_errors(wire: Wire, runs: list[str], path: str) -> None:
    document = "query($id: uuid!, $p: String) { flow_run_by_pk(id: $id) { part: parameters(path: $p) } }"
    response = wire.post(document, {"id": runs[0], "p": path})
    assert response.status_code == 200
    body = response.json()
    if "errors" in body:
        assert one_error(body)["extensions"]["code"] == "data-exception"
    else:
        assert body["data"]["flow_run_by_pk"] == {"part": None}


def test_introspection_tells_a_schema_that_can_be_built(wire: Wire) -> None:
    data = wire.data(get_introspection_query(input_value_deprecation=True))
    schema = build_client_schema(data)
    for name in ("flow_run", "flow_run_bool_exp", "flow_run_order_by", "flow_run_select_column", "uuid_comparison_exp"):
        assert name in schema.type_map
    for name in (
        "create_flow_run_input",
        "createFlowRunInput",
        "setFlowRunStateInput",
        "uuid",
        "UUID",
        "jsonb",
        "JSON",
    ):
        assert name in schema.type_map
    assert wire.data('{ __type(name: "order_by") { kind enumValues { name } } }')["__type"]["kind"] == "ENUM"
    assert wire.data("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_its_three_roots(wire: Wire, table: str) -> None:
    data = wire.data(
        f"{{ {table}(limit: 0) {{ id created updated }} {table}_aggregate(limit: 0) {{ aggregate {{ count }} }}"
        f' {table}_by_pk(id: "00000000-0000-0000-0000-000000000000") {{ id }} }}'
    )
    assert data == {table: [], f"{table}_aggregate": {"aggregate": {"count": 0}}, f"{table}_by_pk": None}


def test_meta_queries(wire: Wire) -> None:
    data = wire.data(
        """{ hello api { backend mode version core_version release_timestamp
        capabilities { server_id locking idempotency_window_s read_only now } }
        reference_data { state_hierarchy state_info } tenant(where: {slug: {_eq: "default"}}) { id slug name }
        first: tenant(order_by: {slug: asc}) { id } auth_info { tenant_id user_id } auth_api_key { id name } }"""
    )
    assert (data["api"]["backend"], data["api"]["mode"]) == ("SERVER", "normal")
    capabilities = data["api"]["capabilities"]
    assert capabilities["locking"].upper() == "ENFORCED"
    assert (capabilities["idempotency_window_s"], capabilities["read_only"]) == (86_400, False)
    assert TIMESTAMP.fullmatch(capabilities["now"])
    assert data["tenant"] == [{"id": data["tenant"][0]["id"], "slug": "default", "name": "default"}]
    assert data["auth_info"]["tenant_id"] == data["tenant"][0]["id"]
    hierarchy = data["reference_data"]["state_hierarchy"]
    assert set(hierarchy["Failed"]) == {"Failed", "TimedOut", "TriggerFailed", "ValidationFailed"}
    assert data["reference_data"]["state_info"]["Success"] == {"color": "#28a745"}
