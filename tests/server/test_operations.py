"""Every mutation of contract.md §2 over the wire, in both spellings: what it takes, what it answers, what it does.

`docs/contract.md` names the test of each operation; the finer rules have tests of their own there.
"""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flowlatch.server.spelling import camel
from tests.support.server import ServerProcess
from tests.support.wire import GraphQLErrors, Wire

Send = Callable[..., Any]
NOBODY = "00000000-0000-4000-8000-000000000000"
JSON_INPUTS = frozenset(
    {"serialized_flow", "serialized_tasks", "serialized_edges", "parameters", "context", "run_config", "state"}
    | {"data", "info", "cron_clocks"}
)
DOCUMENT = {
    "name": "registered",
    "parameters": [{"name": "day", "slug": "day", "required": False, "default": "today"}],
    "tasks": [
        {"slug": "extract-1", "name": "extract", "max_retries": 2, "retry_delay": 30, "tags": ["io"]},
        {"slug": "load-1", "name": "load", "mapped": True, "trigger": {"fn": "all_successful"}},
    ],
    "edges": [{"upstream_task": {"slug": "extract-1"}, "downstream_task": {"slug": "load-1"}, "key": "rows"}],
    "schedule": {
        "type": "Schedule",
        "clocks": [{"type": "CronClock", "cron": "0 5 * * *", "start_date": None, "end_date": None}],
    },
    "storage": None,
    "run_config": None,
    "__version__": "1.4.1",
}


@pytest.fixture(params=["snake_case", "camelCase"])
def send(wire: Wire, request: pytest.FixtureRequest) -> Send:
    """Return `send(name, selected, **inputs)`: run a mutation in one spelling and return its payload."""
    return sender(wire, is_camel=request.param == "camelCase")


def sender(wire: Wire, *, is_camel: bool) -> Send:
    """Return a function that sends mutations in one spelling."""

    def spelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {camel(key): inner if key in JSON_INPUTS else spelled(inner) for key, inner in value.items()}
        return [spelled(each) for each in value] if isinstance(value, list) else value

    def send(name: str, selected: str, /, **inputs: Any) -> Any:
        field, kind, sent = name, f"{name}_input", inputs
        if is_camel:
            field, kind, sent = camel(name), camel(f"{name}_input"), spelled(inputs)
        document = f"mutation($input: {kind}!) {{ {field}(input: $input) {{ {selected} }} }}"
        return wire.data(document, {"input": sent})[field]

    return send


def rows(wire: Wire, table: str, columns: str, **where: Any) -> list[Any]:
    """Return rows whose columns equal what is given."""
    document = f"query($where: {table}_bool_exp) {{ {table}(where: $where) {{ {columns} }} }}"
    conditions = {name: {"_eq": value} for name, value in where.items()}
    return list(wire.data(document, {"where": conditions})[table])


def row(wire: Wire, table: str, columns: str, row_id: str) -> Any:
    """Return one row by its id, None when there is none."""
    document = f"query($id: uuid!) {{ {table}_by_pk(id: $id) {{ {columns} }} }}"
    return wire.data(document, {"id": row_id})[f"{table}_by_pk"]


def refusal(send: Send, name: str, selected: str, /, **inputs: Any) -> str:
    """Return the code of a mutation that must be refused."""
    with pytest.raises(GraphQLErrors) as caught:
        send(name, selected, **inputs)
    return caught.value.code


@pytest.fixture
def flow_id(wire: Wire) -> str:
    """A flow of its own for each test, with two tasks."""
    return wire.create_flow(f"flow-{uuid.uuid4()}", tasks=["extract-1", "load-1"])


@pytest.fixture
def group_id(wire: Wire, flow_id: str) -> str:
    """The flow group of that flow."""
    return str(row(wire, "flow", "flow_group_id", flow_id)["flow_group_id"])


@pytest.fixture
def task_run_id(wire: Wire, run_id: str) -> str:
    """A task run of a run that is Running."""
    wire.set_state(run_id, 1, "Running")
    return str(rows(wire, "task_run", "id", flow_run_id=run_id)[0]["id"])


# ---- tenants and projects (§2.2) -----------------------------------------------------------------------------------


def test_create_tenant(wire: Wire, send: Send) -> None:
    slug = f"team-{uuid.uuid4().hex[:8]}"
    made = send("create_tenant", "id", name="Team", slug=slug)
    assert row(wire, "tenant", "name slug settings", made["id"]) == {"name": "Team", "slug": slug, "settings": {}}
    assert refusal(send, "create_tenant", "id", name="Other", slug=slug) == "CONFLICT"
    assert refusal(send, "create_tenant", "id", name="Team", slug="Not A Slug") == "BAD_USER_INPUT"


def test_create_project(wire: Wire, send: Send) -> None:
    name, tenant = f"project-{uuid.uuid4()}", wire.data("{ tenant { id } }")["tenant"][0]["id"]
    made = send("create_project", "id", tenant_id=tenant, name=name, description="why")
    assert row(wire, "project", "name description tenant_id", made["id"]) == {
        "name": name,
        "description": "why",
        "tenant_id": tenant,
    }


@pytest.fixture
def project_id(wire: Wire) -> str:
    """A project of its own."""
    inputs = {"tenant_id": None, "name": f"project-{uuid.uuid4()}"}
    return str(sender(wire, is_camel=False)("create_project", "id", **inputs)["id"])


def test_delete_project(wire: Wire, send: Send, project_id: str) -> None:
    made = send("create_flow", "id", project_id=project_id, serialized_flow=DOCUMENT)
    run_id = wire.create_run(made["id"])
    assert send("delete_project", "success", project_id=project_id) == {"success": True}
    assert (row(wire, "flow", "id", made["id"]), wire.run(run_id)) == (None, None)
    assert send("delete_project", "success", project_id=project_id) == {"success": False}


def test_set_project_name(wire: Wire, send: Send, project_id: str) -> None:
    name = f"renamed-{uuid.uuid4()}"
    assert send("set_project_name", "id", project_id=project_id, name=name) == {"id": project_id}
    assert row(wire, "project", "name", project_id) == {"name": name}


def test_set_project_description(wire: Wire, send: Send, project_id: str) -> None:
    assert send("set_project_description", "id", project_id=project_id, description="what") == {"id": project_id}
    assert row(wire, "project", "description", project_id) == {"description": "what"}


# ---- flows (§2.2) --------------------------------------------------------------------------------------------------

FLOW = """name version archived core_version parameters is_schedule_active serialized_flow version_group_id
  tasks { slug name mapped max_retries retry_delay trigger tags } edges { key upstream_task { slug }
  downstream_task { slug } }"""


def check_registered(flow: Any) -> None:
    """Assert that the parts of DOCUMENT became columns and rows, and that it was kept."""
    assert (flow["name"], flow["version"], flow["archived"], flow["core_version"]) == ("registered", 1, False, "1.4.1")
    assert flow["serialized_flow"] == DOCUMENT
    assert flow["parameters"] == DOCUMENT["parameters"]
    extract, load = sorted(flow["tasks"], key=lambda task: str(task["slug"]))
    assert (extract["max_retries"], extract["retry_delay"], extract["tags"]) == (2, "00:00:30", ["io"])
    assert (load["mapped"], load["trigger"]) == (True, "all_successful")
    assert flow["edges"] == [
        {"key": "rows", "upstream_task": {"slug": "extract-1"}, "downstream_task": {"slug": "load-1"}}
    ]


def test_create_flow(wire: Wire, send: Send, project_id: str) -> None:
    inputs = {"project_id": project_id, "serialized_flow": DOCUMENT, "idempotency_key": "hash"}
    made = send("create_flow", "id", **inputs, set_schedule_active=False, version_group_id=None, description="what")
    check_registered(row(wire, "flow", FLOW, made["id"]))
    assert row(wire, "flow", "is_schedule_active", made["id"]) == {"is_schedule_active": False}
    assert send("create_flow", "id", **inputs) == made, "the same key registers nothing"
    second = send("create_flow", "id", **{**inputs, "idempotency_key": "other"})
    assert row(wire, "flow", "version archived", second["id"]) == {"version": 2, "archived": False}
    assert row(wire, "flow", "archived", made["id"]) == {"archived": True}


def test_create_flow_from_compressed_string(wire: Wire, send: Send, project_id: str) -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(DOCUMENT).encode())).decode()
    made = send("create_flow_from_compressed_string", "id", project_id=project_id, serialized_flow=packed)
    check_registered(row(wire, "flow", FLOW, made["id"]))
    assert row(wire, "flow", "is_schedule_active", made["id"]) == {"is_schedule_active": True}, "unless told otherwise"


def test_register_tasks_and_edges(wire: Wire, send: Send, project_id: str) -> None:
    bare = {**DOCUMENT, "tasks": [], "edges": []}
    flow = send("create_flow", "id", project_id=project_id, serialized_flow=bare)["id"]
    tasks: Sequence[Any] = DOCUMENT["tasks"]  # type: ignore[assignment]
    for batch in (tasks[:1], tasks[1:], tasks[1:]):
        assert send("register_tasks", "success", flow_id=flow, serialized_tasks=list(batch)) == {"success": True}
    edges = DOCUMENT["edges"]
    assert send("register_edges", "success", flow_id=flow, serialized_edges=edges) == {"success": True}
    check_registered(row(wire, "flow", FLOW, flow))
    unknown = [{"upstream_task": {"slug": "nobody"}, "downstream_task": {"slug": "load-1"}}]
    assert refusal(send, "register_edges", "success", flow_id=flow, serialized_edges=unknown) == "BAD_USER_INPUT"


def test_set_schedule_active_and_inactive(wire: Wire, send: Send, project_id: str) -> None:
    made = send("create_flow", "id", project_id=project_id, serialized_flow=DOCUMENT, set_schedule_active=False)
    flow = made["id"]
    assert send("set_schedule_active", "success", flow_id=flow) == {"success": True}
    runs = rows(wire, "flow_run", "state auto_scheduled idempotency_key", flow_id=flow)
    assert [run["state"] for run in runs] == ["Scheduled"] * 10, "the next ten runs are there at once"
    assert len({run["idempotency_key"] for run in runs}) == 10
    assert all(run["auto_scheduled"] for run in runs)
    send("set_schedule_active", "success", flow_id=flow)
    assert len(rows(wire, "flow_run", "id", flow_id=flow)) == 10, "and none twice"
    assert send("set_schedule_inactive", "success", flow_id=flow) == {"success": True}
    assert rows(wire, "flow_run", "id", flow_id=flow) == []


def test_set_schedule_active_without_a_schedule_is_a_success(wire: Wire, send: Send, flow_id: str) -> None:
    assert send("set_schedule_active", "success", flow_id=flow_id) == {"success": True}
    assert row(wire, "flow", "is_schedule_active", flow_id) == {"is_schedule_active": False}


def test_archive_flow(wire: Wire, send: Send, flow_id: str) -> None:
    waiting = wire.create_run(flow_id)
    assert send("archive_flow", "success", flow_id=flow_id) == {"success": True}
    assert row(wire, "flow", "archived", flow_id) == {"archived": True}
    assert wire.run(waiting)["state"] == "Cancelled"
    assert refusal(send, "create_flow_run", "id", flow_id=flow_id) == "BAD_USER_INPUT"


def test_delete_flow(wire: Wire, send: Send, flow_id: str) -> None:
    run_id = wire.create_run(flow_id)
    assert send("delete_flow", "success", flow_id=flow_id) == {"success": True}
    assert (row(wire, "flow", "id", flow_id), wire.run(run_id)) == (None, None)
    assert send("delete_flow", "success", flow_id=flow_id) == {"success": False}


def test_update_flow_project(wire: Wire, send: Send, flow_id: str, project_id: str) -> None:
    assert send("update_flow_project", "id", flow_id=flow_id, project_id=project_id) == {"id": flow_id}
    assert row(wire, "flow", "project_id", flow_id) == {"project_id": project_id}
    assert refusal(send, "update_flow_project", "id", flow_id=flow_id, project_id=NOBODY) == "NOT_FOUND"


@pytest.mark.parametrize("setting", ["heartbeat", "lazarus_process", "version_lock"])
def test_enable_and_disable(wire: Wire, send: Send, flow_id: str, setting: str) -> None:
    key = {"heartbeat": "heartbeat", "lazarus_process": "lazarus", "version_lock": "version_locking"}[setting]
    for verb, value in (("disable", False), ("enable", True)):
        assert send(f"{verb}_flow_{setting}", "success", flow_id=flow_id) == {"success": True}
        assert row(wire, "flow", "settings flow_group { settings }", flow_id)["flow_group"]["settings"] == {
            f"{key}_enabled": value
        }


# ---- flow groups (§2.2) --------------------------------------------------------------------------------------------


def test_set_flow_group_labels(wire: Wire, send: Send, flow_id: str, group_id: str) -> None:
    assert send("set_flow_group_labels", "success", flow_group_id=group_id, labels=["b", "a"]) == {"success": True}
    run = wire.run(wire.create_run(flow_id))
    assert run["labels"] == ["a", "b"]


def test_set_flow_group_run_config(wire: Wire, send: Send, flow_id: str, group_id: str) -> None:
    config = {"type": "LocalRun", "labels": ["gpu"], "fooBar": 1}
    assert send("set_flow_group_run_config", "success", flow_group_id=group_id, run_config=config)["success"]
    run_id = wire.create_run(flow_id)
    assert row(wire, "flow_run", "run_config labels", run_id) == {"run_config": config, "labels": ["gpu"]}


def test_set_flow_group_description(wire: Wire, send: Send, group_id: str) -> None:
    assert send("set_flow_group_description", "success", flow_group_id=group_id, description="what")["success"]
    assert row(wire, "flow_group", "description", group_id) == {"description": "what"}


def test_set_flow_group_default_parameters(wire: Wire, send: Send, flow_id: str, group_id: str) -> None:
    sent = {"flow_group_id": group_id, "parameters": {"fooBar": 0}}
    assert send("set_flow_group_default_parameters", "success", **sent)["success"]
    assert wire.run(wire.create_run(flow_id))["parameters"] == {"fooBar": 0}


def test_set_and_delete_flow_group_schedule(wire: Wire, send: Send, flow_id: str, group_id: str) -> None:
    clocks = [{"type": "CronClock", "cron": "30 6 * * *", "parameter_defaults": {}}]
    sent = {"flow_group_id": group_id, "cron_clocks": clocks, "timezone": "Europe/Berlin"}
    assert send("set_flow_group_schedule", "success", **sent) == {"success": True}
    [clock] = row(wire, "flow_group", "schedule", group_id)["schedule"]["clocks"]
    assert (clock["cron"], clock["start_date"]["tz"]) == ("30 6 * * *", "Europe/Berlin")
    send("set_schedule_active", "success", flow_id=flow_id)
    assert len(rows(wire, "flow_run", "id", flow_id=flow_id)) == 10
    assert send("delete_flow_group_schedule", "success", flow_group_id=group_id) == {"success": True}
    assert row(wire, "flow_group", "schedule", group_id) == {"schedule": None}
    assert rows(wire, "flow_run", "id", flow_id=flow_id) == []


def test_delete_flow_group(wire: Wire, send: Send, flow_id: str, group_id: str) -> None:
    run_id = wire.create_run(flow_id)
    assert send("delete_flow_group", "success", flow_group_id=group_id) == {"success": True}
    assert (row(wire, "flow", "id", flow_id), wire.run(run_id)) == (None, None)
    assert send("delete_flow_group", "success", flow_group_id=group_id) == {"success": False}


# ---- flow runs (§2.3) ----------------------------------------------------------------------------------------------


def test_create_flow_run(wire: Wire, send: Send, flow_id: str) -> None:
    inputs = {
        "idempotency_key": uuid.uuid4().hex,
        "parameters": {"fooBar": 1},
        "context": {"aB": {"c_d": 2}},
        "run_config": {"type": "LocalRun"},
        "labels": ["b", "a"],
        "scheduled_start_time": "2030-01-02T03:04:05.678901+02:00",
        "flow_run_name": "mine",
    }
    made = send("create_flow_run", "id flow_run { id version }", flow_id=flow_id, **inputs)
    assert made["flow_run"] == {"id": made["id"], "version": 1}
    columns = "name state parameters context run_config labels scheduled_start_time idempotency_key version"
    assert row(wire, "flow_run", columns, made["id"]) == {
        "name": "mine",
        "state": "Scheduled",
        "parameters": {"fooBar": 1},
        "context": {"aB": {"c_d": 2}},
        "run_config": {"type": "LocalRun"},
        "labels": ["a", "b"],
        "scheduled_start_time": "2030-01-02T01:04:05.678901+00:00",
        "idempotency_key": inputs["idempotency_key"],
        "version": 1,
    }
    assert send("create_flow_run", "id", flow_id=flow_id, **inputs)["id"] == made["id"]
    group = row(wire, "flow", "version_group_id", flow_id)["version_group_id"]
    assert wire.run(send("create_flow_run", "id", version_group_id=group)["id"])["flow_id"] == flow_id


def test_set_flow_run_state(wire: Wire, send: Send, run_id: str) -> None:
    done = send("set_flow_run_state", "id status message version", **state_of(run_id, 1, "Running"))
    assert done == {"id": run_id, "status": "SUCCESS", "message": None, "version": 2}
    assert refusal(send, "set_flow_run_state", "id", **state_of(run_id, 1, "Failed")) == "VERSION_LOCKING_ERROR"
    assert wire.states(run_id) == ["Scheduled", "Running"]


def state_of(run_id: str, version: int | None, state: str) -> dict[str, Any]:
    """Return one state of a flow run as it is sent."""
    return {"flow_run_id": run_id, "version": version, "state": {"type": state, "message": "m"}}


def test_set_flow_run_states(wire: Wire, send: Send, run_id: str) -> None:
    states = [state_of(run_id, 1, "Running"), state_of(run_id, None, "Success")]
    done = send("set_flow_run_states", "states { id status message version }", states=states)
    assert [(each["status"], each["version"]) for each in done["states"]] == [("SUCCESS", 2), ("SUCCESS", 3)]
    assert wire.states(run_id) == ["Scheduled", "Running", "Success"]


def test_cancel_flow_run(wire: Wire, send: Send, run_id: str) -> None:
    wire.set_state(run_id, 1, "Running")
    assert send("cancel_flow_run", "state", flow_run_id=run_id) == {"state": "Cancelling"}


def test_delete_flow_run(wire: Wire, send: Send, run_id: str) -> None:
    wire.log(run_id, "gone too")
    assert send("delete_flow_run", "success", flow_run_id=run_id) == {"success": True}
    assert (wire.run(run_id), rows(wire, "log", "id", flow_run_id=run_id)) == (None, [])
    assert send("delete_flow_run", "success", flow_run_id=run_id) == {"success": False}


def test_set_flow_run_name_and_labels(wire: Wire, send: Send, run_id: str) -> None:
    assert send("set_flow_run_name", "success", flow_run_id=run_id, name="new name") == {"success": True}
    assert send("set_flow_run_labels", "success", flow_run_id=run_id, labels=["z", "a"]) == {"success": True}
    run = wire.run(run_id)
    assert (run["name"], run["labels"], run["version"]) == ("new name", ["a", "z"], 1), "no state, no new version"


def test_update_flow_run_heartbeat(wire: Wire, send: Send, run_id: str) -> None:
    before = row(wire, "flow_run", "heartbeat updated version", run_id)
    assert send("update_flow_run_heartbeat", "success", flow_run_id=run_id) == {"success": True}
    after = row(wire, "flow_run", "heartbeat updated version", run_id)
    assert before["heartbeat"] is None
    assert after["heartbeat"] == after["updated"] > before["updated"]
    assert after["version"] == before["version"]


# ---- task runs, logs, agents, artifacts (§2.4) ---------------------------------------------------------------------


def test_get_or_create_task_run(wire: Wire, send: Send, flow_id: str, run_id: str) -> None:
    run_id = wire.create_run(flow_id)
    task = rows(wire, "task", "id", flow_id=flow_id)[0]["id"]
    place = {"flow_run_id": run_id, "task_id": task}
    info = send("get_or_create_task_run_info", "id version state serialized_state", **place, map_index=-1)
    assert (info["version"], info["state"], info["serialized_state"]["type"]) == (0, "Pending", "Pending")
    again = send("get_or_create_task_run", "id task_run { id version serialized_state task { id slug } }", **place)
    assert again["id"] == again["task_run"]["id"] == info["id"]
    assert again["task_run"]["task"]["id"] == task
    child = send("get_or_create_task_run_info", "id version", **place, map_index=3)
    assert child["version"] == 0
    assert child["id"] != info["id"]
    assert row(wire, "task_run", "map_index", child["id"]) == {"map_index": 3}


def test_set_task_run_state(wire: Wire, send: Send, task_run_id: str) -> None:
    sent = {"task_run_id": task_run_id, "version": 0, "state": {"type": "Running"}}
    done = send("set_task_run_state", "id status version", **sent)
    assert done == {"id": task_run_id, "status": "SUCCESS", "version": 1}
    assert refusal(send, "set_task_run_state", "id", **sent) == "VERSION_LOCKING_ERROR"


def test_set_task_run_states(wire: Wire, send: Send, task_run_id: str) -> None:
    states = [
        {"task_run_id": task_run_id, "version": 0, "state": {"type": "Running"}, "flow_run_version": 2},
        {"task_run_id": task_run_id, "version": None, "state": {"type": "Success"}, "flow_run_version": 2},
    ]
    done = send("set_task_run_states", "states { id status message }", states=states)
    assert [each["status"] for each in done["states"]] == ["SUCCESS", "SUCCESS"]
    assert row(wire, "task_run", "state version run_count", task_run_id) == {
        "state": "Success",
        "version": 2,
        "run_count": 1,
    }


def test_set_task_run_name_and_heartbeat(wire: Wire, send: Send, task_run_id: str) -> None:
    assert send("set_task_run_name", "success", task_run_id=task_run_id, name="part 3") == {"success": True}
    assert send("update_task_run_heartbeat", "success", task_run_id=task_run_id) == {"success": True}
    found = row(wire, "task_run", "name heartbeat version", task_run_id)
    assert (found["name"], found["version"]) == ("part 3", 0)
    assert found["heartbeat"]


@pytest.mark.parametrize("name", ["write_run_logs", "write_run_log"])
def test_write_run_logs(wire: Wire, send: Send, run_id: str, task_run_id: str, name: str) -> None:
    line = {
        "flow_run_id": run_id,
        "task_run_id": task_run_id,
        "timestamp": "2026-11-24T10:00:00.123456+00:00",
        "name": "prefect.x",
        "message": "told",
        "level": "WARNING",
        "info": {"fooBar": 1},
    }
    inputs = {"logs": [line]} if name == "write_run_logs" else line
    assert send(name, "success", **inputs) == {"success": True}
    columns = "task_run_id timestamp name message level info"
    assert rows(wire, "log", columns, flow_run_id=run_id) == [
        {key: value for key, value in line.items() if key != "flow_run_id"}
    ]


def test_register_agent(wire: Wire, send: Send) -> None:
    sent = {"type": "LocalAgent", "name": f"agent-{uuid.uuid4()}", "labels": ["b", "a"], "tenant_id": None}
    made = send("register_agent", "id", **sent, agent_config_id=None)
    assert send("register_agent", "id", **sent) == made, "the same identity is the same agent"
    found = row(wire, "agent", "name type labels", made["id"])
    assert (found["name"], found["type"], sorted(found["labels"])) == (sent["name"], "LocalAgent", ["a", "b"])


def test_get_runs_in_queue(shared_server: ServerProcess, wire: Wire, send: Send, flow_id: str) -> None:
    label = uuid.uuid4().hex
    due, later = (
        wire.create_run(flow_id, labels=[label], scheduled_start_time=start)
        for start in ("2026-01-01T00:00:00", "2099-01-01T00:00:00")
    )
    asked: dict[str, Any] = {"tenant_id": None, "labels": [label]}
    assert send("get_runs_in_queue", "flow_run_ids", **asked) == {"flow_run_ids": [due]}
    asked["before"] = "2099-01-02T00:00:00+00:00"
    assert send("get_runs_in_queue", "flow_run_ids", **asked) == {"flow_run_ids": [due, later]}


def test_an_agent_s_poll_is_its_sign_of_life(shared_server: ServerProcess, wire: Wire) -> None:
    made = sender(wire, is_camel=False)("register_agent", "id", type="LocalAgent", name=f"alive-{uuid.uuid4()}")["id"]
    before = row(wire, "agent", "last_queried", made)["last_queried"]
    agent = shared_server.wire(**{"X-PREFECT-AGENT-ID": made})
    sender(agent, is_camel=False)("get_runs_in_queue", "flow_run_ids", tenant_id=None, labels=["none"])
    assert row(wire, "agent", "last_queried", made)["last_queried"] > before


def test_task_run_artifacts(wire: Wire, send: Send, task_run_id: str) -> None:
    sent = {"task_run_id": task_run_id, "kind": "link", "data": {"fooBar": "x"}, "tenant_id": None}
    made = send("create_task_run_artifact", "id", **sent)["id"]
    assert row(wire, "task_run_artifact", "kind data", made) == {"kind": "link", "data": {"fooBar": "x"}}
    assert send("update_task_run_artifact", "success", task_run_artifact_id=made, data={"n": 2})["success"]
    assert row(wire, "task_run_artifact", "data", made) == {"data": {"n": 2}}
    assert send("delete_task_run_artifact", "success", task_run_artifact_id=made) == {"success": True}
    assert row(wire, "task_run_artifact", "data", made) is None
