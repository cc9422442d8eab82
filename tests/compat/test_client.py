"""The real `prefect.Client` against our server: what user scripts and CI jobs of Prefect 1 do."""

from __future__ import annotations

from tests.compat.prefect1 import Prefect1
from tests.support.wire import Wire


def test_registering_keeps_tasks_edges_and_parameters(flows: dict[str, str], wire: Wire) -> None:
    document = """query($id: uuid!) { flow_by_pk(id: $id) { name version archived parameters core_version
      project { name } tasks { name mapped slug }
      edges { key mapped upstream_task { name } downstream_task { name } } } }"""
    flow = wire.data(document, {"id": flows["mapped"]})["flow_by_pk"]
    assert (flow["name"], flow["project"]["name"], flow["core_version"]) == ("mapped", "compat", "1.4.1")
    assert [parameter["name"] for parameter in flow["parameters"]] == ["count"]
    assert {task["name"] for task in flow["tasks"]} == {"count", "numbers", "square", "total"}
    edges = {(edge["upstream_task"]["name"], edge["downstream_task"]["name"], edge["mapped"]) for edge in flow["edges"]}
    assert edges == {("count", "numbers", False), ("numbers", "square", True), ("square", "total", False)}


def test_registering_again_archives_the_version_before(user: Prefect1, wire: Wire) -> None:
    user.register("again")
    second = user.register("again")["again"]
    rows = wire.data('{ flow(where: {name: {_eq: "again"}}, order_by: {version: desc}) { id version archived } }')[
        "flow"
    ]
    assert rows[0]["id"] == second
    assert [row["archived"] for row in rows] == [False] + [True] * (len(rows) - 1)
    assert rows[0]["version"] == rows[1]["version"] + 1


def test_a_project_that_exists_is_no_error(user: Prefect1) -> None:
    first, second = user.call("create_project_twice", name="twice")
    assert first == second


def test_a_key_gives_the_same_run(user: Prefect1, flows: dict[str, str]) -> None:
    arguments = {"flow_id": flows["success"], "key": "compat-key", "start_in_s": 86_400}
    assert user.call("create_run", **arguments) == user.call("create_run", **arguments)


def test_runs_without_a_key_are_new_runs(user: Prefect1, flows: dict[str, str]) -> None:
    arguments = {"flow_id": flows["success"], "start_in_s": 86_400}
    assert user.call("create_run", **arguments) != user.call("create_run", **arguments)


def test_an_unknown_flow_is_a_client_error_that_names_it(user: Prefect1) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    refused = user.call("create_run_refused", flow_id=unknown)["refused"]
    assert "NOT_FOUND" in refused


def test_the_version_lock_raises_the_signal_of_the_client(user: Prefect1, flows: dict[str, str], wire: Wire) -> None:
    run_id = user.call("create_run", flow_id=flows["success"], start_in_s=86_400)
    assert user.call("set_state", run_id=run_id, version=1, message="by hand") == "Success"
    stale = user.call("set_state_stale", run_id=run_id, version=1)
    assert stale["signal"] == "VersionLockMismatchSignal"
    assert (wire.run(run_id)["state"], wire.run(run_id)["version"]) == ("Success", 2)


def test_states_come_back_as_they_were_sent(user: Prefect1, flows: dict[str, str]) -> None:
    run_id = user.call("create_run", flow_id=flows["success"], start_in_s=86_400)
    scheduled, cancelled, succeeded = user.call("round_trip", run_id=run_id)
    assert scheduled[:2] == ["Scheduled", "later"]
    assert scheduled[2].replace(" ", "T").startswith("2030-01-02T03:04:05.678901")
    assert cancelled[:2] == ["Cancelled", "enough"]
    assert succeeded[:2] == ["Success", None]


def test_a_run_view_has_states_labels_and_parameters(user: Prefect1, flows: dict[str, str]) -> None:
    run_id = user.call(
        "create_run", flow_id=flows["success"], start_in_s=86_400, parameters={"name": "fooBar"}, labels=["b", "a"]
    )
    view = user.call("view", run_id=run_id)
    assert (view["state"], view["labels"], view["parameters"]) == ("Scheduled", ["a", "b"], {"name": "fooBar"})
    assert view["states"] == ["Scheduled"]


def test_a_scheduled_run_is_cancelled_at_once_and_deleted(user: Prefect1, flows: dict[str, str], wire: Wire) -> None:
    run_id = user.call("create_run", flow_id=flows["success"], start_in_s=86_400)
    user.call("cancel", run_id=run_id)
    assert wire.run(run_id)["state"] == "Cancelled"
    assert user.call("delete", run_id=run_id) is True
    assert wire.run(run_id) is None


def test_variables_reach_the_server_through_the_clients_double_encoding(user: Prefect1, flows: dict[str, str]) -> None:
    document = "query($where: flow_bool_exp) { flow(where: $where) { name } }"
    answer = user.call("graphql", document=document, variables={"where": {"id": {"_eq": flows["retry"]}}})
    assert answer == {"data": {"flow": [{"name": "retry"}]}}
