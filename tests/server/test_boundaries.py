"""The boundary conditions of contract.md §8 that no other module has, and the two spellings of §6."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import uuid
from typing import Any

import pytest

from flowlatch.server.mutations import OPERATIONS
from flowlatch.server.spelling import camel
from tests.server.conftest import one_error
from tests.support.server import ServerProcess
from tests.support.wire import GraphQLErrors, Wire

AGENT = "11111111-2222-3333-4444-555555555555"


def code_of(wire: Wire, document: str, variables: Any = None) -> str:
    """Return the code of the first error of a document that must fail at HTTP 200."""
    response = wire.post(document, variables)
    assert response.status_code == 200
    return str(one_error(response.json())["extensions"]["code"])


def mutate(wire: Wire, name: str, selected: str, /, **inputs: Any) -> Any:
    """Run one mutation with its input as a variable and return its payload."""
    kind = f"{name}_input" if "_" in name else camel(f"{name}_input").replace("_input", "Input")
    return wire.data(f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selected} }} }}", {"input": inputs})[name]


# ---- versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, -1, 2_147_483_647, -2_147_483_648])
def test_a_version_that_is_not_the_run_s_is_a_conflict(wire: Wire, run_id: str, version: int) -> None:
    with pytest.raises(GraphQLErrors) as caught:
        wire.set_state(run_id, version, "Running")
    assert caught.value.code == "VERSION_LOCKING_ERROR"
    assert wire.states(run_id) == ["Scheduled"]


@pytest.mark.parametrize("version", ["1", 1.5, True, 2_147_483_648, [1]], ids=repr)
def test_a_version_that_is_no_integer_of_32_bits_is_400(wire: Wire, run_id: str, version: Any) -> None:
    sent = {"flow_run_id": run_id, "version": version, "state": {"type": "Running"}}
    document = "mutation($input: set_flow_run_state_input!) { set_flow_run_state(input: $input) { id } }"
    assert wire.post(document, {"input": sent}).status_code == 400
    assert wire.states(run_id) == ["Scheduled"]


@pytest.mark.parametrize("name", ["set_flow_run_state", "setFlowRunState"])
@pytest.mark.parametrize("version", ["", "version: null,"])
def test_the_singular_form_wants_a_version(wire: Wire, run_id: str, name: str, version: str) -> None:
    document = (
        f'mutation {{ {name}(input: {{flow_run_id: "{run_id}", {version} state: {{type: "Running"}}}}) {{ id }} }}'
    )
    response = wire.post(document)
    assert response.status_code in (200, 400)
    assert one_error(response.json())["extensions"]["code"] in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED")
    assert wire.states(run_id) == ["Scheduled"]


def test_the_plural_form_takes_null_as_unconditional(wire: Wire, run_id: str) -> None:
    for version, state in ((1, "Running"), (None, "Failed")):
        payload = mutate(
            wire,
            "set_flow_run_states",
            "states { id status message version }",
            states=[{"flow_run_id": run_id, "version": version, "state": {"type": state}}],
        )
        assert payload["states"][0]["status"] == "SUCCESS"
    assert wire.states(run_id) == ["Scheduled", "Running", "Failed"]


def test_a_batch_of_states_is_all_or_nothing(wire: Wire, flow_id: str) -> None:
    first, second = wire.create_run(flow_id), wire.create_run(flow_id)
    states = [
        {"flow_run_id": first, "version": 1, "state": {"type": "Running"}},
        {"flow_run_id": second, "version": 7, "state": {"type": "Running"}},
    ]
    with pytest.raises(GraphQLErrors) as caught:
        mutate(wire, "set_flow_run_states", "states { id }", states=states)
    assert caught.value.code == "VERSION_LOCKING_ERROR"
    assert (wire.states(first), wire.states(second)) == (["Scheduled"], ["Scheduled"])


def test_twenty_writers_on_one_version_have_one_winner(shared_server: ServerProcess, wire: Wire, run_id: str) -> None:
    barrier = threading.Barrier(20)
    codes: list[int | str] = []

    def write(number: int) -> None:
        mine = shared_server.wire()
        barrier.wait()
        try:
            codes.append(mine.set_state(run_id, 1, "Running", f"writer {number}"))
        except GraphQLErrors as errors:
            codes.append(errors.code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, codes)) == ["2", *["VERSION_LOCKING_ERROR"] * 19]
    assert wire.states(run_id) == ["Scheduled", "Running"]


def test_an_agent_s_late_failure_is_taken_on_the_old_version(
    shared_server: ServerProcess, wire: Wire, flow_id: str
) -> None:
    agent = shared_server.wire(**{"X-PREFECT-AGENT-ID": AGENT})
    for sender, expected in ((wire, "VERSION_LOCKING_ERROR"), (agent, "taken")):
        run_id = wire.create_run(flow_id)
        agent.set_state(run_id, 1, "Submitted")
        try:
            sender.set_state(run_id, 1, "Failed")
            outcome = "taken"
        except GraphQLErrors as errors:
            outcome = errors.code
        assert outcome == expected


def test_submitted_twice_is_refused_in_the_words_an_agent_looks_for(wire: Wire, run_id: str) -> None:
    wire.set_state(run_id, 1, "Submitted")
    with pytest.raises(GraphQLErrors) as caught:
        wire.set_state(run_id, 2, "Submitted")
    assert "State update failed" in caught.value.errors[0]["message"]
    assert caught.value.code == "CONFLICT"


# ---- states --------------------------------------------------------------------------------------------------------

BAD_STATES: list[Any] = [
    "Success",
    5,
    [],
    {},
    {"type": None},
    {"type": "success"},
    {"type": "State"},
    {"type": "Nonsense"},
    {"type": 5},
    {"type": "Success", "message": 5},
    {"type": "Scheduled", "start_time": "soon"},
    {"type": "Success", "_result": None},
    {"type": "Looped", "loop_count": None},
    {"type": "Success", "context": []},
    {"type": "Success", "cached_inputs": "x"},
    {"type": "Success", "message": "a\0b"},
]


@pytest.mark.parametrize("state", BAD_STATES, ids=json.dumps)
def test_states_that_are_none_are_refused(wire: Wire, run_id: str, state: Any) -> None:
    document = (
        "mutation($r: UUID!, $s: JSON!) { set_flow_run_state(input: {flow_run_id: $r, version: 1, state: $s}) { id } }"
    )
    assert code_of(wire, document, {"r": run_id, "s": state}) == "BAD_USER_INPUT"
    assert wire.states(run_id) == ["Scheduled"]


def test_a_state_may_be_written_as_a_literal_with_variables_in_it(wire: Wire, run_id: str) -> None:
    document = """mutation($m: String, $c: JSON) { set_flow_run_state(input: {flow_run_id: "%s", version: 1,
      state: {type: "Failed", message: $m, context: {fooBar: $c, list: [1, $c, {deep: $m}]}}}) { id } }"""
    wire.data(document % run_id, {"m": "why", "c": {"some key": None}})
    row = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { serialized_state } }", {"id": run_id})
    assert row["flow_run_by_pk"]["serialized_state"] == {
        "type": "Failed",
        "message": "why",
        "context": {"fooBar": {"some key": None}, "list": [1, {"some key": None}, {"deep": "why"}]},
    }


def test_cancelling_a_running_run_and_a_waiting_one(wire: Wire, flow_id: str) -> None:
    running, waiting, done = (wire.create_run(flow_id) for _ in range(3))
    wire.set_state(running, 1, "Running")
    wire.set_state(done, 1, "Success")
    assert mutate(wire, "cancel_flow_run", "state", flow_run_id=running) == {"state": "Cancelling"}
    assert mutate(wire, "cancel_flow_run", "state", flow_run_id=waiting) == {"state": "Cancelled"}
    assert mutate(wire, "cancelFlowRun", "state", flowRunId=done) == {"state": "Success"}
    assert mutate(wire, "cancel_flow_run", "state", flow_run_id=running) == {"state": "Cancelling"}
    assert wire.run(running)["version"] == 3


def test_a_retry_goes_zero_null_null_three(wire: Wire) -> None:
    flow_id = wire.create_flow("with a task", tasks=["t-1"])
    run_id = wire.create_run(flow_id)
    task_id = wire.data("query($f: uuid!) { task(where: {flow_id: {_eq: $f}}) { id } }", {"f": flow_id})["task"][0][
        "id"
    ]
    wire.set_state(run_id, 1, "Running")
    info = mutate(
        wire, "get_or_create_task_run_info", "id version state serialized_state", flow_run_id=run_id, task_id=task_id
    )
    assert (info["version"], info["state"], info["serialized_state"]["type"]) == (0, "Pending", "Pending")
    for version, state in ((0, "Running"), (None, "Failed"), (None, "Retrying"), (3, "Running"), (None, "Success")):
        mutate(
            wire,
            "set_task_run_states",
            "states { status }",
            states=[{"task_run_id": info["id"], "version": version, "state": {"type": state}}],
        )
    got = wire.data(f'{{ get_task_run_info(task_run_id: "{info["id"]}") {{ version state serialized_state }} }}')
    assert (got["get_task_run_info"]["version"], got["get_task_run_info"]["state"]) == (5, "Success")
    other = mutate(
        wire, "getOrCreateTaskRun", "id task_run { id version task { slug } }", flowRunId=run_id, taskId=task_id
    )
    assert other == {"id": info["id"], "task_run": {"id": info["id"], "version": 5, "task": {"slug": "t-1"}}}


# ---- creating ------------------------------------------------------------------------------------------------------


def test_falsy_defaults_stay(wire: Wire) -> None:
    falsy = {"zero": 0, "empty": "", "no": False, "null": None, "list": []}
    flow_id = wire.create_flow("falsy", [{"name": name, "default": value} for name, value in falsy.items()])
    assert wire.run(wire.create_run(flow_id, parameters={"extra": 1}))["parameters"] == {**falsy, "extra": 1}


def test_required_parameters_are_named_and_no_run_is_made(wire: Wire) -> None:
    flow_id = wire.create_flow("wants", [{"name": "what", "required": True}])
    with pytest.raises(GraphQLErrors) as caught:
        wire.create_run(flow_id, idempotency_key="k")
    assert caught.value.code == "BAD_USER_INPUT"
    assert "what" in caught.value.errors[0]["message"]
    count = wire.data(f'{{ flow_run_aggregate(where: {{flow_id: {{_eq: "{flow_id}"}}}}) {{ aggregate {{ count }} }} }}')
    assert count["flow_run_aggregate"]["aggregate"]["count"] == 0


BAD_INPUTS: list[dict[str, Any]] = [
    {"flow_id": "not an id"},
    {"flow_id": None},
    {"scheduled_start_time": "2030-01-01"},
    {"scheduled_start_time": ""},
    {"scheduled_start_time": "2030-02-30T00:00:00"},
    {"scheduled_start_time": "0001-01-01T00:00:00+14:00"},
    {"scheduled_start_time": "9999-12-31T23:59:59-14:00"},
    {"scheduled_start_time": "tomorrow"},
    {"parameters": []},
    {"parameters": "x"},
    {"parameters": {"a": "\ud800"}},
    {"context": 5},
    {"idempotency_key": "é" * 513},
    {"flow_run_name": "x" * 1_025},
    {"flow_run_name": "a\0b"},
    {"labels": ["a\0b"]},
    {"idempotency_key": "a\0b"},
]


@pytest.mark.parametrize("inputs", BAD_INPUTS, ids=lambda inputs: json.dumps(inputs)[:60])
def test_inputs_of_a_run_that_cannot_be(wire: Wire, flow_id: str, inputs: dict[str, Any]) -> None:
    document = "mutation($i: create_flow_run_input!) { create_flow_run(input: $i) { id } }"
    body = json.dumps({"query": document, "variables": {"i": {"flow_id": flow_id, **inputs}}})
    response = wire.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400)
    assert one_error(response.json())["extensions"]["code"] in ("BAD_USER_INPUT", "BAD_REQUEST", "NOT_FOUND")


def test_the_answer_to_a_key_says_what_happened(wire: Wire, flow_id: str) -> None:
    document = """mutation($f: UUID!, $p: JSON) {
      a: create_flow_run(input: {flow_id: $f, idempotency_key: "told"}) { id }
      b: createFlowRun(input: {flowId: $f, idempotencyKey: "told", parameters: $p, flowRunName: "n"}) { id }
      c: create_flow_run(input: {flow_id: $f}) { id }
    }"""
    body = wire.post(document, {"f": flow_id, "p": {"x": 1}}).json()
    ids = {key: payload["id"] for key, payload in body["data"].items()}
    assert ids["a"] == ids["b"] != ids["c"]
    notes = body["extensions"]["idempotency"]
    assert [(note["path"], note["id"], note["replayed"]) for note in notes] == [
        ("a", ids["a"], False),
        ("b", ids["a"], True),
    ]
    assert notes[0]["mismatch"] == []
    assert sorted(notes[1]["mismatch"]) == ["flow_run_name", "parameters"]
    assert all(note["expires_at"].endswith("+00:00") for note in notes)
    assert wire.run(ids["a"])["parameters"] == {}


def test_the_payload_of_a_create_shows_the_run(wire: Wire, flow_id: str) -> None:
    made = mutate(
        wire, "createFlowRun", "id flow_run { id version state flow { id } states { state } }", flowId=flow_id
    )
    assert made["flow_run"] == {
        "id": made["id"],
        "version": 1,
        "state": "Scheduled",
        "flow": {"id": flow_id},
        "states": [{"state": "Scheduled"}],
    }


# ---- registering, projects, queue ----------------------------------------------------------------------------------


def test_a_project_s_name_twice_is_said_in_exactly_these_words(wire: Wire) -> None:
    tenant = wire.data("{ tenant { id } }")["tenant"][0]["id"]
    mutate(wire, "create_project", "id", tenant_id=tenant, name="twice")
    response = wire.post(f'mutation {{ create_project(input: {{tenant_id: "{tenant}", name: "twice"}}) {{ id }} }}')
    assert response.status_code == 200
    assert response.json()["errors"][0]["message"] == "Uniqueness violation."


def test_a_compressed_flow_is_registered_and_its_json_kept(wire: Wire) -> None:
    flow = {
        "name": "zipped",
        "fooBar": {"snake_case": 1},
        "parameters": [],
        "tasks": [],
        "edges": [],
        "storage": {"aB": 1},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(flow).encode())).decode()
    made = mutate(wire, "create_flow_from_compressed_string", "id", project_id=wire.project(), serialized_flow=packed)
    row = wire.data(
        "query($i: uuid!) { flow_by_pk(id: $i) { version storage serialized_flow settings } }", {"i": made["id"]}
    )
    assert row["flow_by_pk"]["serialized_flow"]["fooBar"] == {"snake_case": 1}
    assert (row["flow_by_pk"]["version"], row["flow_by_pk"]["storage"]) == (1, {"aB": 1})
    for broken in ("", "!!!", base64.b64encode(b"no gzip").decode(), packed[: len(packed) // 2]):
        document = (
            "mutation($i: createFlowFromCompressedStringInput!) { createFlowFromCompressedString(input: $i) { id } }"
        )
        assert (
            code_of(wire, document, {"i": {"projectId": wire.project(), "serializedFlow": broken}}) == "BAD_USER_INPUT"
        )


def test_the_queue_gives_labelled_runs_to_agents_that_have_the_labels(wire: Wire) -> None:
    flow_id = wire.create_flow("queued")
    plain, a, ab = (wire.create_run(flow_id, labels=labels) for labels in ([], ["qa"], ["qa", "qb"]))

    def queue(*labels: str) -> set[str]:
        found = mutate(wire, "get_runs_in_queue", "flow_run_ids", tenant_id=None, labels=list(labels))
        return set(found["flow_run_ids"]) & {plain, a, ab}

    mutate(wire, "set_flow_run_labels", "success", flow_run_id=plain, labels=[])
    assert queue("qa") == {a}
    assert queue("qa", "qb", "qc") == {a, ab}
    assert plain not in queue("qa")


def test_one_object_where_a_list_is_expected(wire: Wire, run_id: str) -> None:
    line = {"flow_run_id": run_id, "message": "alone", "level": "ERROR"}
    assert mutate(wire, "write_run_logs", "success", logs=line) == {"success": True}
    wire.data(
        f'mutation {{ writeRunLogs(input: {{logs: {{flowRunId: "{run_id}", message: "literal", level: INFO}}}})'
        " { success } }"
    )
    found = wire.data(
        "query($w: log_bool_exp) { log(where: $w, order_by: {timestamp: asc}) { message level } }",
        {"w": {"flow_run_id": {"_eq": run_id}}},
    )
    assert found["log"] == [{"message": "alone", "level": "ERROR"}, {"message": "literal", "level": "INFO"}]


def test_logs_written_are_not_newer_than_updated(wire: Wire, run_id: str) -> None:
    wire.log(run_id, "one", "two")
    row = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { updated logs { timestamp } } }", {"id": run_id})
    assert len(row["flow_run_by_pk"]["logs"]) == 2
    assert all(line["timestamp"] <= row["flow_run_by_pk"]["updated"] for line in row["flow_run_by_pk"]["logs"])


def test_logs_of_an_unknown_run_are_dropped_and_the_others_kept(wire: Wire, run_id: str) -> None:
    lines = [{"flow_run_id": run, "message": "kept"} for run in (str(uuid.uuid4()), run_id)]
    assert mutate(wire, "write_run_logs", "success", logs=lines) == {"success": True}
    row = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { logs { message } } }", {"id": run_id})
    assert row["flow_run_by_pk"]["logs"] == [{"message": "kept"}]


# ---- spellings -----------------------------------------------------------------------------------------------------


def test_every_mutation_has_both_spellings_of_everything(wire: Wire) -> None:
    document = '{ __type(name: "Mutation") { fields { name args { name type { ofType { name } } } type { name } } } }'
    fields = {field["name"]: field for field in wire.data(document)["__type"]["fields"]}
    for name in OPERATIONS:
        snake, twin = fields[name], fields[camel(name)]
        assert snake["type"] == twin["type"]
        assert snake["args"][0]["type"]["ofType"]["name"] == f"{name}_input"
        assert twin["args"][0]["type"]["ofType"]["name"] == camel(f"{name}_input")
    assert set(fields) == {*OPERATIONS, *map(camel, OPERATIONS)}


def test_keys_may_be_mixed_but_not_doubled(wire: Wire, flow_id: str) -> None:
    mixed = 'mutation { %s(input: {flowId: "%s", flow_run_name: "mixed"}) { id } }'
    for name in ("create_flow_run", "createFlowRun"):
        assert wire.data(mixed % (name, flow_id))[name]["id"]
    doubled = f'mutation {{ create_flow_run(input: {{flow_id: "{flow_id}", flowId: "{flow_id}"}}) {{ id }} }}'
    assert code_of(wire, doubled) == "BAD_USER_INPUT"


@pytest.mark.parametrize("kind", ["create_flow_run_input", "createFlowRunInput"])
@pytest.mark.parametrize("name", ["create_flow_run", "createFlowRun"])
def test_a_variable_of_the_family_of_its_field(wire: Wire, flow_id: str, name: str, kind: str) -> None:
    document = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ id }} }}"
    response = wire.post(document, {"input": {"flow_id": flow_id}})
    assert response.status_code == (200 if ("_" in name) == ("_" in kind) else 400)


def test_keys_inside_json_are_left_alone(wire: Wire, flow_id: str) -> None:
    inner = {"fooBar": 1, "flow_id": {"flowId": [{"flowRunId": 2}]}, "flow_run_name": "x"}
    made = mutate(
        wire, "createFlowRun", "id", flowId=flow_id, parameters=inner, runConfig={"type": "X", "fooBar": inner}
    )
    row = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { parameters run_config } }", {"id": made["id"]})
    assert row["flow_run_by_pk"] == {"parameters": inner, "run_config": {"type": "X", "fooBar": inner}}


def test_nested_inputs_in_camel_case(wire: Wire, run_id: str) -> None:
    document = "mutation($s: [setFlowRunStatesInput!]) { hello }"
    assert wire.post(document).status_code == 400
    payload = mutate(
        wire,
        "setFlowRunStates",
        "states { id version }",
        states=[{"flowRunId": run_id.upper(), "version": 1, "state": {"type": "Running"}}],
    )
    assert payload == {"states": [{"id": run_id, "version": 2}]}


def test_mutations_that_find_nothing(wire: Wire) -> None:
    nobody = str(uuid.uuid4())
    assert mutate(wire, "delete_flow_run", "success", flow_run_id=nobody) == {"success": False}
    assert mutate(wire, "delete_project", "success", project_id=nobody) == {"success": False}
    for document in (
        'mutation { set_flow_run_name(input: {flow_run_id: "%s", name: "x"}) { success } }',
        'mutation { cancel_flow_run(input: {flow_run_id: "%s"}) { state } }',
        'mutation { set_flow_run_state(input: {flow_run_id: "%s", version: 1, state: {type: "Running"}}) { id } }',
        'mutation { update_flow_run_heartbeat(input: {flow_run_id: "%s"}) { success } }',
        'mutation { archive_flow(input: {flow_id: "%s"}) { success } }',
    ):
        assert code_of(wire, document % nobody) == "NOT_FOUND", document


def test_an_empty_name_is_an_error(wire: Wire, run_id: str) -> None:
    document = f'mutation {{ set_flow_run_name(input: {{flow_run_id: "{run_id}", name: ""}}) {{ success }} }}'
    assert code_of(wire, document) == "BAD_USER_INPUT"
