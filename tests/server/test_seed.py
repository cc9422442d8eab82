"""The documents of the seed, word for word, in both spellings of the mutations. Source: contract.md §2.1 and §6."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.support.wire import GraphQLErrors, Wire

CREATE = 'mutation { createFlowRun(input: {flowId: "%s"}) { id } }'
CREATE_KEY = 'mutation { createFlowRun(input: {flowId: "%s", idempotencyKey: "%s"}) { id } }'
CREATE_AT = 'mutation { createFlowRun(input: {flowId: "%s", scheduledStartTime: "%s"}) { id } }'
VERSION = 'query { flow_run_by_pk(id: "%s") { version } }'
SET_STATE = """mutation($state: JSON!) {
  setFlowRunState(input: {flowRunId: "%s", version: %d, state: $state}) { id }
}"""

SNAKE = {
    "createFlowRun": "create_flow_run",
    "setFlowRunState": "set_flow_run_state",
    "flowId": "flow_id",
    "flowRunId": "flow_run_id",
    "idempotencyKey": "idempotency_key",
    "scheduledStartTime": "scheduled_start_time",
}


def spelled(document: str, spelling: str) -> str:
    """Return a camelCase document in the asked spelling."""
    if spelling == "camel":
        return document
    for camel, snake in SNAKE.items():
        document = document.replace(camel, snake)
    return document


@pytest.fixture(params=["camel", "snake"])
def spelling(request: pytest.FixtureRequest) -> str:
    """Both spellings, one after the other."""
    return str(request.param)


def the_id(data: dict[str, Any]) -> str:
    """Return the id in the payload of the only field."""
    (payload,) = data.values()
    return str(payload["id"])


def test_a_run_is_created_scheduled_now_and_readable(wire: Wire, flow_id: str, spelling: str) -> None:
    run_id = the_id(wire.data(spelled(CREATE % flow_id, spelling)))
    assert str(uuid.UUID(run_id)) == run_id
    assert wire.data(VERSION % run_id) == {"flow_run_by_pk": {"version": 1}}
    run = wire.run(run_id)
    assert (run["state"], run["flow_id"], run["parameters"], run["context"]) == ("Scheduled", flow_id, {}, {})
    assert run["name"].count("-") == 1


def test_a_key_names_one_run(wire: Wire, flow_id: str, spelling: str) -> None:
    document = spelled(CREATE_KEY % (flow_id, f"any-key {spelling}"), spelling)
    first = the_id(wire.data(document))
    assert the_id(wire.data(document)) == first
    assert wire.data(VERSION % first)["flow_run_by_pk"]["version"] == 1


def test_both_spellings_share_the_keys(wire: Wire, flow_id: str) -> None:
    document = CREATE_KEY % (flow_id, "one key for both")
    assert the_id(wire.data(document)) == the_id(wire.data(spelled(document, "snake")))


def test_a_naive_start_time_is_utc(wire: Wire, flow_id: str, spelling: str) -> None:
    run_id = the_id(wire.data(spelled(CREATE_AT % (flow_id, "2031-02-03 04:05:06"), spelling)))
    assert wire.run(run_id)["scheduled_start_time"] == "2031-02-03T04:05:06.000000+00:00"


def test_a_state_is_set_on_the_version_read_before(wire: Wire, run_id: str, spelling: str) -> None:
    version = wire.data(VERSION % run_id)["flow_run_by_pk"]["version"]
    state = {"type": "Success", "message": "It worked!"}
    document = spelled(SET_STATE % (run_id, version), spelling)
    assert the_id(wire.data(document, {"state": state})) == run_id
    assert wire.data(VERSION % run_id)["flow_run_by_pk"]["version"] == version + 1
    run = wire.data("query($id: uuid!) { flow_run_by_pk(id: $id) { state serialized_state } }", {"id": run_id})
    assert run["flow_run_by_pk"] == {"state": "Success", "serialized_state": state}


def test_a_stale_version_changes_nothing_and_says_what_is_there(wire: Wire, run_id: str, spelling: str) -> None:
    document = spelled(SET_STATE % (run_id, 1), spelling)
    wire.data(document, {"state": {"type": "Running", "message": "mine"}})
    response = wire.post(document, {"state": {"type": "Success"}})
    assert response.status_code == 200
    body = response.json()
    assert list(body["data"].values()) == [None]
    extensions = body["errors"][0]["extensions"]
    assert extensions["code"] == "VERSION_LOCKING_ERROR"
    assert (extensions["flow_run_id"], extensions["expected_version"]) == (run_id, 1)
    current = extensions["current"]
    assert set(current) == {"version", "state", "message", "timestamp", "actor"}
    assert (current["version"], current["state"], current["message"]) == (2, "Running", "mine")
    assert wire.states(run_id) == ["Scheduled", "Running"]


def test_an_unknown_run_is_null_without_an_error(wire: Wire) -> None:
    assert wire.data(VERSION % uuid.uuid4()) == {"flow_run_by_pk": None}


def test_an_unknown_flow_is_an_error_and_makes_no_run(wire: Wire, spelling: str) -> None:
    with pytest.raises(GraphQLErrors) as caught:
        wire.data(spelled(CREATE % uuid.uuid4(), spelling))
    assert caught.value.code == "NOT_FOUND"


def test_variables_may_be_json_in_a_string(wire: Wire, run_id: str, spelling: str) -> None:
    variables = json.dumps({"state": {"type": "Failed", "message": "encoded twice"}})
    document = spelled(SET_STATE % (run_id, 1), spelling)
    body = wire.http.post("/graphql", json={"query": document, "variables": variables}).json()
    assert body == {"data": {spelled("setFlowRunState", spelling): {"id": run_id}}}
    assert wire.run(run_id)["state_message"] == "encoded twice"


@pytest.mark.parametrize("message", ["x" * 900_000, 'läßt 😀 ␛ \\ " \n \t', ""], ids=["long", "odd", "empty"])
def test_messages_come_back_as_they_were_sent(wire: Wire, run_id: str, message: str) -> None:
    wire.set_state(run_id, 1, "Failed", message)
    assert wire.run(run_id)["state_message"] == message
