"""Queries as the Prefect 1 client writes them, on a run with tasks and logs. Source: contract.md §2.3–2.5.

The compat suite sends them through the real client; here the answers are looked at, and those are asked too that a
short run does not bring about (cached states, configured agents, an agent that does not come).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.wire import Wire

AGENT = "66666666-2222-3333-4444-555555555555"


class Executed:
    """A run that Runs, with one task of two; ids by what they are of."""

    def __init__(self, wire: Wire) -> None:
        self.flow = wire.create_flow("of client documents", tasks=["extract-1", "load-1"])
        self.run = wire.create_run(self.flow, parameters={"day": "x"}, labels=["b", "a"])
        wire.set_state(self.run, 1, {"type": "Submitted", "state": {"type": "Scheduled"}, "message": "out"})
        wire.set_state(self.run, 2, "Running")
        found = wire.data(
            'query($id: uuid!) { task(where: {flow_id: {_eq: $id}, slug: {_eq: "extract-1"}}) { id } }',
            {"id": self.flow},
        )
        self.task = str(found["task"][0]["id"])
        document = "mutation($i: get_or_create_task_run_info_input!) { get_or_create_task_run_info(input: $i) { id } }"
        made = wire.data(document, {"i": {"flow_run_id": self.run, "task_id": self.task, "map_index": -1}})
        self.task_run = str(made["get_or_create_task_run_info"]["id"])
        wire.log(self.run, "one", "two")


@pytest.fixture(scope="module")
def executed(wire: Wire) -> Executed:
    """One such run for all of this module."""
    return Executed(wire)


def set_task_state(wire: Wire, executed: Executed, state: dict[str, Any]) -> None:
    """Set a state of the task run, as the runner does."""
    document = "mutation($i: set_task_run_states_input!) { set_task_run_states(input: $i) { states { id } } }"
    wire.data(document, {"i": {"states": [{"task_run_id": executed.task_run, "version": None, "state": state}]}})


def test_what_a_runner_asks_before_it_begins(wire: Wire, executed: Executed) -> None:
    """`Client.get_flow_run_info`."""
    run = wire.data(
        f"""query {{ flow_run_by_pk(id: "{executed.run}") {{ id name flow_id parameters context version
        scheduled_start_time serialized_state task_runs(where: {{map_index: {{_eq: -1}}}}) {{ id version
        serialized_state task {{ id slug }} }} flow {{ project {{ id name }} settings }} }} }}"""
    )["flow_run_by_pk"]
    assert (run["version"], run["serialized_state"]["type"], run["flow"]["settings"]) == (3, "Running", {})
    assert {task["task"]["slug"] for task in run["task_runs"]} == {"extract-1", "load-1"}
    assert all(task["serialized_state"]["type"] for task in run["task_runs"])
    assert run["flow"]["project"]["name"] == "tests"


def test_what_an_agent_asks_of_the_runs_it_may_take(wire: Wire, executed: Executed) -> None:
    """The metadata query, with a state or a due task; the inner state of Submitted survives."""
    document = """query {{ flow_run(where: {{id: {{_in: ["{run}"]}}, _or: [{{state: {{_eq: "Scheduled"}}}},
      {{state: {{_eq: "Running"}}, task_runs: {{state_start_time: {{_lte: "2099-01-01T00:00:00+00:00"}}}}}}]}}) {{
      id version state serialized_state parameters scheduled_start_time run_config name
      flow {{ id name environment storage version core_version }}
      task_runs(where: {{state_start_time: {{_lte: "2099-01-01T00:00:00+00:00"}}}}) {{ id version task_id
      serialized_state }} states(order_by: {{version: asc}}) {{ serialized_state }} }} }}"""
    assert wire.data(document.format(run=executed.run))["flow_run"] == [], "no task of it waits"
    set_task_state(wire, executed, {"type": "Retrying", "start_time": "2026-01-01T00:00:00+00:00", "run_count": 2})
    [run] = wire.data(document.format(run=executed.run))["flow_run"]
    assert [task["task_id"] for task in run["task_runs"]] == [executed.task]
    assert run["flow"] == {**run["flow"], "id": executed.flow, "version": 1}
    assert run["states"][1]["serialized_state"]["state"] == {"type": "Scheduled"}


def test_when_a_run_starts_is_asked_by_run_execute(wire: Wire, executed: Executed) -> None:
    """`prefect run --execute`: two queries whose times the client compares as strings."""
    run = wire.data(
        f"""query {{ flow_run(where: {{id: {{_eq: "{executed.run}"}}}}) {{ scheduled_start_time
        states(where: {{state: {{_eq: "Scheduled"}}}}) {{ start_time created }} }} }}"""
    )["flow_run"][0]
    assert run["states"][0]["start_time"] == run["scheduled_start_time"]
    set_task_state(wire, executed, {"type": "Retrying", "start_time": "2026-01-02T00:00:00+00:00", "run_count": 2})
    waiting = wire.data(
        f"""query {{ task_run(where: {{state_start_time: {{_is_null: false}}, flow_run_id: {{_eq: "{executed.run}"}},
        flow_run: {{state: {{_eq: "Running"}}}}}}) {{ state_start_time }} }}"""
    )["task_run"]
    assert waiting == [{"state_start_time": "2026-01-02T00:00:00.000000+00:00"}]


def test_logs_are_asked_with_an_empty_condition_in_a_list(wire: Wire, executed: Executed) -> None:
    """`FlowRunView.get_logs`: the first time there is `{}` where later a lower bound stands."""
    run = wire.data(
        f"""query {{ flow_run(where: {{id: {{_eq: "{executed.run}"}}}}) {{ updated logs(order_by: {{timestamp: asc}},
        where: {{_and: [{{timestamp: {{_lte: "2099-01-01T00:00:00+00:00"}}}}, {{}}]}}) {{ timestamp message level }}
        }} }}"""
    )["flow_run"][0]
    assert [line["message"] for line in run["logs"]] == ["one", "two"]
    assert all(line["timestamp"] <= run["updated"] for line in run["logs"])


def test_a_view_of_a_run_has_all_it_needs(wire: Wire, executed: Executed) -> None:
    """`FlowRunView.from_flow_run_id`, then the queries of `prefect execute flow-run`."""
    run = wire.data(
        f"""query {{ flow_run(where: {{id: {{_eq: "{executed.run}"}}}}) {{ id name flow_id serialized_state labels
        states {{ timestamp serialized_state }} parameters context updated run_config
        flow {{ name storage run_config }} version }} }}"""
    )["flow_run"][0]
    assert (run["labels"], run["parameters"], run["context"]) == (["a", "b"], {"day": "x"}, {})
    assert [state["serialized_state"]["type"] for state in run["states"]] == ["Scheduled", "Submitted", "Running"]


def test_task_runs_are_found_as_the_views_look_for_them(wire: Wire, executed: Executed) -> None:
    """`TaskRunView`, and `_nin: []`, which the client sends for the first look."""
    found = wire.data(
        f"""query {{ task_run(where: {{flow_run_id: {{_eq: "{executed.run}"}}, id: {{_nin: []}}, map_index: {{_eq: -1}},
        task: {{slug: {{_eq: "extract-1"}}}}}}) {{ id name map_index serialized_state flow_run_id task {{ id slug }} }}
        }}"""
    )["task_run"]
    assert [(row["id"], row["map_index"]) for row in found] == [(executed.task_run, -1)]


def test_cached_states_are_looked_up_newest_first(wire: Wire, executed: Executed) -> None:
    """`Client.get_latest_cached_states`: by task, and by cache key where there is one."""
    state = {"type": "Cached", "cached_inputs": {}, "cached_result_expiration": "2099-01-01T00:00:00+00:00"}
    set_task_state(wire, executed, state)
    for where in (f'task_id: {{_eq: "{executed.task}"}}', "cache_key: {_eq: null}"):
        found = wire.data(
            f"""query {{ task_run(where: {{state: {{_eq: "Cached"}}, {where},
            state_timestamp: {{_gte: "2026-01-01T00:00:00+00:00"}}}}, order_by: {{state_timestamp: desc}}, limit: 100)
            {{ serialized_state }} }}"""
        )["task_run"]
        assert [row["serialized_state"]["type"] for row in found] == ["Cached"]


def test_agents_are_asked_for_when_a_watched_run_does_not_move(wire: Wire) -> None:
    """`watch_flow_run` after 15 s, and the settings of an agent that was configured."""
    document = "mutation($i: register_agent_input!) { register_agent(input: $i) { id } }"
    made = wire.data(document, {"i": {"type": "LocalAgent", "name": "waited for", "labels": ["a"]}})["register_agent"]
    found = wire.data("query { agent { last_queried labels name id } }")["agent"]
    assert [each["labels"] for each in found if each["id"] == made["id"]] == [["a"]]
    assert wire.data(f'query {{ agent_config(where: {{id: {{_eq: "{AGENT}"}}}}) {{ settings }} }}') == {
        "agent_config": []
    }


LISTS = {
    "get flow-runs": """query { flow_run(where: {flow: {_and: {name: {_eq: "of client documents"},
      project: {name: {_eq: null}}}}}, limit: 10, order_by: {created: desc}) { flow { name } id created state name
      start_time } }""",
    "get flow-runs --started": """query { flow_run(where: {_and: {flow: {_and: {name: {_eq: "of client documents"},
      project: {name: {_eq: null}}}}, start_time: {_is_null: false}}}, limit: 10, order_by: {start_time: desc}) {
      flow { name } id created state name start_time } }""",
    "get flows": """query { flow(where: {_and: {name: {_eq: "of client documents"}, version: {_eq: null},
      project: {name: {_eq: null}}}}, order_by: {name: asc, version: desc}, distinct_on: name, limit: 10) { name
      version created id project { name } } }""",
    "get flows --all-versions": """query { flow(where: {_and: {name: {_eq: "of client documents"},
      version: {_eq: null}, project: {name: {_eq: null}}}}, order_by: {name: asc, version: desc}, distinct_on: null,
      limit: 10) { name version created id project { name } } }""",
    "get projects": """query { project(where: {_and: {name: {_eq: "tests"}}}, order_by: {name: asc}) { name created
      description flows_aggregate(distinct_on: name) { aggregate { count } } } }""",
    "get tasks": """query { task(where: {_and: {name: {_eq: "extract-1"}, flow: {name: {_eq: "of client documents"},
      version: {_eq: null}, project: {name: {_eq: null}}}}}, limit: 10, order_by: {created: desc}) { name created
      flow { name version } mapped type } }""",
    "get logs": """query { flow_run(where: {name: {_eq: null}, id: {_eq: "RUN"}}, order_by: {start_time: desc}) {
      logs(order_by: {timestamp: asc}) { timestamp message level } start_time } }""",
    "describe flow-runs": """query { flow_run(where: {_and: {id: {_eq: "RUN"}, flow: {name: {_eq: null}}}}) { name
      flow { name } created parameters auto_scheduled scheduled_start_time start_time end_time serialized_state } }""",
    "describe tasks": """query { flow(where: {_and: {name: {_eq: "of client documents"}, version: {_eq: null},
      project: {name: {_eq: null}}}}, order_by: {name: asc, version: desc}, distinct_on: name) { tasks { name created
      slug description type max_retries retry_delay mapped } } }""",
}


@pytest.mark.parametrize("command", LISTS)
def test_lists_compare_with_null_what_was_not_given(wire: Wire, executed: Executed, command: str) -> None:
    """A null operand makes a comparison true: the command line writes every option into its query."""
    found = next(iter(wire.data(LISTS[command].replace("RUN", executed.run)).values()))
    assert len(found) == 1
    if command == "get projects":
        assert found[0]["flows_aggregate"]["aggregate"]["count"] >= 1


@pytest.mark.parametrize("command", ["run", "run by group"])
def test_a_flow_is_found_as_run_looks_for_it(wire: Wire, executed: Executed, command: str) -> None:
    """`FlowView.from_flow_id`: first by id, then as the id of its group."""
    group = wire.data(f'{{ flow_by_pk(id: "{executed.flow}") {{ flow_group_id }} }}')["flow_by_pk"]["flow_group_id"]
    where = f'id: {{_eq: "{executed.flow}"}}' if command == "run" else f'flow_group_id: {{_eq: "{group}"}}'
    [flow] = wire.data(
        f"""query {{ flow(where: {{{where}}}, order_by: {{created: desc}}) {{ id settings run_config serialized_flow
        name archived project {{ name }} core_version storage flow_group {{ labels }} }} }}"""
    )["flow"]
    assert (flow["id"], flow["settings"], flow["flow_group"]) == (executed.flow, {}, {"labels": None})
    assert flow["serialized_flow"]["name"] == "of client documents"
