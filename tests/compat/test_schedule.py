"""Schedules that the real client registers: the next ten runs, taken by the agent, switched off and on."""

from __future__ import annotations

from typing import Any

from tests.compat.prefect1 import Agent, Prefect1
from tests.support.waiting import eventually
from tests.support.wire import Wire

RUNS = """query($id: uuid!) { flow_run(where: {flow_id: {_eq: $id}}, order_by: {scheduled_start_time: asc}) {
  id state auto_scheduled scheduled_start_time parameters } }"""


def runs_of(wire: Wire, flow_id: str) -> list[Any]:
    """Return the runs of a flow by start."""
    return list(wire.data(RUNS, {"id": flow_id})["flow_run"])


def test_a_schedule_of_the_client_gets_its_ten_runs(user: Prefect1, wire: Wire) -> None:
    """An IntervalSchedule, a CronSchedule and a clock with defaults of its own, as the client serializes them."""
    for name, flow_id in user.register("hourly", "nightly", "defaults").items():
        runs = runs_of(wire, flow_id)
        assert [(run["state"], run["auto_scheduled"]) for run in runs] == [("Scheduled", True)] * 10, name
        assert len({run["scheduled_start_time"] for run in runs}) == 10
        if name == "defaults":
            assert {run["parameters"]["name"] for run in runs} == {"the clock"}
        wire.data(f'mutation {{ set_schedule_inactive(input: {{flow_id: "{flow_id}"}}) {{ success }} }}')
        assert runs_of(wire, flow_id) == []


def test_the_agent_takes_the_runs_of_a_schedule_as_they_fall_due(user: Prefect1, wire: Wire, agent: Agent) -> None:
    """Two dates in some seconds and one in an hour: each run begins on its own time."""
    [flow_id] = user.register("soon").values()
    assert len(runs_of(wire, flow_id)) == 3
    eventually(
        lambda: [run["state"] for run in runs_of(wire, flow_id)] == ["Success", "Success", "Scheduled"],
        60,
        "the first two runs are executed",
    )
    document = "query($id: uuid!) { flow_run_by_pk(id: $id) { scheduled_start_time start_time } }"
    for run in runs_of(wire, flow_id)[:2]:
        row = wire.data(document, {"id": run["id"]})["flow_run_by_pk"]
        assert row["start_time"] >= row["scheduled_start_time"]
    wire.data(f'mutation {{ set_schedule_inactive(input: {{flow_id: "{flow_id}"}}) {{ success }} }}')
    assert [run["state"] for run in runs_of(wire, flow_id)] == ["Success", "Success"], "what waited went with it"
