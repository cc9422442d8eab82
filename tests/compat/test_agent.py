"""A real local agent takes runs from our server and executes them. Source: contract.md §2.6, §5."""

from __future__ import annotations

import datetime

import pytest

from flowlatch.model.kin import Relation
from tests.compat.prefect1 import Agent, Prefect1
from tests.compat.seen import RUN_S, finished, messages, related, tasks_of
from tests.support.waiting import eventually
from tests.support.wire import Wire

pytestmark = pytest.mark.usefixtures("agent")


def test_a_run_is_taken_executed_and_logged(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["success"], parameters={"name": "world"})
    run = finished(wire, run_id, agent)
    assert wire.states(run_id) == ["Scheduled", "Submitted", "Running", "Success"]
    assert run["version"] == 4
    [greeting] = tasks_of(wire, run_id, "greet")
    assert [state["state"] for state in greeting["states"]] == ["Pending", "Running", "Success"]
    assert eventually(lambda: "hello world" in messages(wire, run_id), what="the log line arrives")


def test_a_failing_task_fails_the_run_with_its_reason(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["failure"])
    assert finished(wire, run_id, agent)["state"] == "Failed"
    [failed] = tasks_of(wire, run_id, "fail")
    assert failed["state"] == "Failed"
    assert eventually(
        lambda: any("no such table: orders" in line for line in messages(wire, run_id)), what="the traceback arrives"
    )


def test_a_retry_adds_one_version_for_each_state(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["retry"])
    assert finished(wire, run_id, agent)["state"] == "Success"
    [retried] = tasks_of(wire, run_id, "fail_once")
    assert [state["state"] for state in retried["states"]] == [
        *("Pending", "Running", "Failed", "Retrying", "Running", "Success")
    ]
    assert [state["version"] for state in retried["states"]] == list(range(6))
    assert retried["run_count"] == 2


def test_mapped_children_are_created_on_demand(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["mapped"], parameters={"count": 6})
    assert finished(wire, run_id, agent)["state"] == "Success"
    parts = tasks_of(wire, run_id, "square")
    assert [part["map_index"] for part in parts] == [-1, 0, 1, 2, 3, 4, 5]
    assert [part["state"] for part in parts] == ["Mapped"] + ["Success"] * 6
    assert eventually(lambda: "total 55" in messages(wire, run_id), what="the sum is logged")


def test_cancelling_a_running_flow_ends_it_and_its_tasks(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["long"])
    eventually(lambda: any(t["state"] == "Running" for t in tasks_of(wire, run_id, "linger")), RUN_S, "the task runs")
    cancel = "mutation($input: cancel_flow_run_input!) { cancel_flow_run(input: $input) { state } }"
    assert wire.data(cancel, {"input": {"flow_run_id": run_id}})["cancel_flow_run"]["state"] == "Cancelling"
    assert finished(wire, run_id, agent)["state"] == "Cancelled"
    assert wire.states(run_id)[-2:] == ["Cancelling", "Cancelled"]
    assert tasks_of(wire, run_id, "linger")[0]["state"] in ("Cancelled", "Failed")


def test_a_delayed_run_waits_for_its_time(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    run_id = wire.create_run(flows["success"], scheduled_start_time=due.isoformat())
    finished(wire, run_id, agent)
    query = "query($id: uuid!) { flow_run_by_pk(id: $id) { start_time state } }"
    run = wire.data(query, {"id": run_id})["flow_run_by_pk"]
    assert run["state"] == "Success"
    assert datetime.datetime.fromisoformat(run["start_time"]) >= due


def test_a_flow_starts_another_and_waits_for_it(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["parent"])
    assert finished(wire, run_id, agent)["state"] == "Success", agent.log[-3000:]
    started = '{ flow_run(where: {flow: {name: {_eq: "success"}}}) { state parameters } }'
    children = [row for row in wire.data(started)["flow_run"] if row["parameters"] == {"name": "child"}]
    assert [child["state"] for child in children] == ["Success"]
    [child] = related(wire.url, run_id)
    assert (child.relation, child.run.flow_name) == (Relation.CHILD, "success")
    [parent] = related(wire.url, child.run.id)
    assert (parent.relation, parent.run.id) == (Relation.PARENT, run_id)
    assert "create_flow_run" in parent.task


def test_a_flow_that_cannot_be_deployed_is_failed_by_the_agent(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["undeployable"])
    run = finished(wire, run_id, agent)
    assert run["state"] == "Failed"
    assert wire.states(run_id) == ["Scheduled", "Submitted", "Failed"]
    assert "working_dir" in run["state_message"]
    assert agent.is_alive


def test_four_runs_at_once_all_succeed(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_ids = [wire.create_run(flows["success"], parameters={"name": str(number)}) for number in range(4)]
    assert [finished(wire, run_id, agent)["state"] for run_id in run_ids] == ["Success"] * 4
    assert all(wire.states(run_id) == ["Scheduled", "Submitted", "Running", "Success"] for run_id in run_ids)


def test_labelled_runs_wait_for_an_agent_with_the_label(
    flows: dict[str, str], wire: Wire, user: Prefect1, agent: Agent
) -> None:
    labelled = wire.create_run(flows["success"], labels=["gpu"])
    plain = wire.create_run(flows["success"])
    finished(wire, plain, agent)
    assert wire.run(labelled)["state"] == "Scheduled"
    with user.agent("gpu") as second:
        assert finished(wire, labelled, second)["state"] == "Success"


def test_all_log_lines_of_a_run_arrive_in_order(flows: dict[str, str], wire: Wire, agent: Agent) -> None:
    run_id = wire.create_run(flows["logs"], parameters={"count": 300})
    finished(wire, run_id, agent)
    wanted = [f"line {number}" for number in range(300)]
    eventually(lambda: wanted[-1] in messages(wire, run_id), 20, "the last line is there")
    assert [line for line in messages(wire, run_id) if line.startswith("line ")] == wanted
