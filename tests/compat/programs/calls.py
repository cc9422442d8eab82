"""What scripts of Prefect 1 users do with the real `prefect.Client`. Runs inside the environment of that client.

`python calls.py FUNCTION ARGUMENTS-AS-JSON` prints the function's result as JSON.
"""

import json
import sys

import pendulum
import prefect
from prefect.backend import FlowRunView
from prefect.engine.state import Cancelled, Failed, Scheduled, Success
from prefect.exceptions import ClientError, VersionLockMismatchSignal

client = prefect.Client()


def create_project_twice(name):
    return [client.create_project(name), client.create_project(name)]


def create_run(flow_id, key=None, parameters=None, start_in_s=None, labels=None):
    start = None if start_in_s is None else pendulum.now("utc").add(seconds=start_in_s)
    return client.create_flow_run(
        flow_id=flow_id, idempotency_key=key, parameters=parameters, scheduled_start_time=start, labels=labels
    )


def create_run_refused(flow_id):
    try:
        return client.create_flow_run(flow_id=flow_id)
    except ClientError as error:
        return {"refused": str(error)}


def set_state(run_id, version, message):
    return client.set_flow_run_state(flow_run_id=run_id, version=version, state=Success(message)).__class__.__name__


def set_state_stale(run_id, version):
    try:
        client.set_flow_run_state(flow_run_id=run_id, version=version, state=Failed("too late"))
    except VersionLockMismatchSignal as signal:
        return {"signal": type(signal).__name__, "message": str(signal)}
    return None


def round_trip(run_id):
    states = [
        Scheduled("later", start_time=pendulum.datetime(2030, 1, 2, 3, 4, 5, 678901)),
        Cancelled("enough"),
        Success(),
    ]
    seen = []
    for version, state in enumerate(states, 1):
        client.set_flow_run_state(flow_run_id=run_id, version=version, state=state)
        back = client.get_flow_run_state(run_id)
        seen.append([type(back).__name__, back.message, str(getattr(back, "start_time", ""))])
    return seen


def view(run_id):
    run = FlowRunView.from_flow_run_id(run_id)
    return {
        "name": run.name,
        "state": type(run.state).__name__,
        "labels": sorted(run.labels),
        "parameters": run.parameters,
        "logs": [line.message for line in run.get_logs()],
        "states": [type(state).__name__ for state in run.states],
    }


def cancel(run_id):
    return client.cancel_flow_run(run_id)


def delete(run_id):
    document = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"
    return client.graphql(document, variables={"input": {"flow_run_id": run_id}}).data.delete_flow_run.success


def graphql(document, variables=None):
    return client.graphql(document, variables=variables).to_dict()


if __name__ == "__main__":
    result = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    print("RESULT " + json.dumps(result))
