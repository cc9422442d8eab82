"""The GraphQL documents of the demo's actors beyond the public client's methods: many runs in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowlatch.api.backend import Backend

CREATES_AT_ONCE = 40
"""Mutations of one document; a server takes 50."""

REGISTER = "mutation register($input: create_flow_input!) { create_flow(input: $input) { id } }"
AGENT = "mutation agent($input: register_agent_input!) { register_agent(input: $input) { id } }"
LOGS = "mutation logs($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }"
STATES = (
    "mutation states($input: set_flow_run_states_input!)"
    " { set_flow_run_states(input: $input) { states { id status } } }"
)
TASK_STATES = (
    "mutation task_states($input: set_task_run_states_input!)"
    " { set_task_run_states(input: $input) { states { id status } } }"
)
TASKS = (
    "query tasks($ids: [uuid!]!) { task_run(where: {flow_run_id: {_in: $ids}})"
    " { id version flow_run_id task { slug } } }"
)


async def create_runs(backend: Backend, inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Create at most `CREATES_AT_ONCE` runs in one request and return their ids in the same order."""
    numbers = range(len(inputs))
    variables = ", ".join(f"$i{number}: create_flow_run_input!" for number in numbers)
    fields = " ".join(f"r{number}: create_flow_run(input: $i{number}) {{ id }}" for number in numbers)
    data = await backend.graphql(
        f"mutation create({variables}) {{ {fields} }}", {f"i{number}": dict(inputs[number]) for number in numbers}
    )
    return [str(data[f"r{number}"]["id"]) for number in numbers]


async def set_states(backend: Backend, states: Sequence[Mapping[str, Any]]) -> None:
    """Set states `{flow_run_id, version, state}` in one transaction, all or none."""
    if states:
        await backend.graphql(STATES, {"input": {"states": list(states)}})


async def set_task_states(backend: Backend, states: Sequence[Mapping[str, Any]]) -> None:
    """Set task run states `{task_run_id, version, state}` in one transaction, all or none."""
    if states:
        await backend.graphql(TASK_STATES, {"input": {"states": list(states)}})


async def task_runs(backend: Backend, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return run id → task slug → task run id."""
    found: dict[str, dict[str, str]] = {run_id: {} for run_id in run_ids}
    for row in (await backend.graphql(TASKS, {"ids": list(run_ids)}))["task_run"]:
        found[row["flow_run_id"]][row["task"]["slug"]] = row["id"]
    return found


async def write_logs(backend: Backend, lines: Sequence[Mapping[str, Any]]) -> None:
    """Append log lines `{flow_run_id, task_run_id, timestamp, level, message, name}`."""
    if lines:
        await backend.graphql(LOGS, {"input": {"logs": list(lines)}})
