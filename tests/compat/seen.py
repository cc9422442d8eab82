"""What is seen on the server of a run that a real agent executes."""

from __future__ import annotations

import asyncio
from typing import Any

from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Target
from flowlatch.model.kin import Relative
from flowlatch.model.run import RunId
from tests.compat.prefect1 import Agent
from tests.support.waiting import eventually
from tests.support.wire import Wire

RUN_S = 60.0
FINISHED = {"Success", "Failed", "Cancelled"}
TASKS = """query($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}}, order_by: {map_index: asc})
  { state version map_index run_count task { name } states(order_by: {version: asc}) { state version } } }"""
LOGS = """query($id: uuid!) { log(where: {flow_run_id: {_eq: $id}}, order_by: {timestamp: asc}) { message level } }"""


def finished(wire: Wire, run_id: str, agent: Agent) -> Any:
    """Wait until a run has ended and return it."""

    def look() -> Any:
        run = wire.run(run_id)
        assert run["state"] in FINISHED, f"{wire.states(run_id)}\n{agent.log[-3000:]}"
        return run

    return eventually(look, RUN_S, f"the run {run_id} ends")


def tasks_of(wire: Wire, run_id: str, name: str) -> list[Any]:
    """Return the task runs of one task."""
    return [row for row in wire.data(TASKS, {"id": run_id})["task_run"] if row["task"]["name"] == name]


def messages(wire: Wire, run_id: str) -> list[str]:
    """Return the log lines of a run."""
    return [line["message"] for line in wire.data(LOGS, {"id": run_id})["log"]]


def running_in(wire: Wire, run_id: str, task: str) -> int:
    """Wait until a task of a run is Running and return the run's version."""
    eventually(lambda: any(row["state"] == "Running" for row in tasks_of(wire, run_id, task)), RUN_S, f"{task} runs")
    return int(wire.run(run_id)["version"])


def states_of(wire: Wire, run_id: str, task: str) -> list[str]:
    """Return all states of the one task run of a task, oldest first."""
    [row] = tasks_of(wire, run_id, task)
    return [state["state"] for state in row["states"]]


def related(url: str, run_id: str) -> list[Relative]:
    """Return the runs around a run, as the dashboard finds them."""

    async def ask() -> list[Relative]:
        backend = await open_backend(Target(Profile(name="compat", url=url), None, "tests"))
        try:
            return await backend.relatives(await backend.run(RunId(run_id)))
        finally:
            await backend.aclose()

    return asyncio.run(ask())
