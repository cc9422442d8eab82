"""Puts the planned past onto the server: registers the flows, then creates, starts and ends the runs in waves.

A server stamps each state itself, so the past has its due times in the weeks before and its states now. Runs of the
last half hour are really run, if quickly; older ones are only ended, for a start of today would be a lie in the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flowlatch.api.backend import Backend
from flowlatch.demo.documents import (
    AGENT,
    CREATES_AT_ONCE,
    REGISTER,
    create_runs,
    set_states,
    set_task_states,
    task_runs,
    write_logs,
)
from flowlatch.demo.flows import FLOWS, serialized
from flowlatch.demo.plan import PlannedRun
from flowlatch.model.run import FlowId

RECENT = timedelta(minutes=30)
LONGEST_S = 3.0
"""How long a run of the past stays Running while it is seeded, at most."""
_STEPS = 4

Sleep = Callable[[float], Awaitable[None]]
FlowIds = dict[str, FlowId]
Pairs = Sequence[tuple[str, PlannedRun]]
"""Id on the server, and what it shall become."""


@dataclass(frozen=True)
class Crew:
    """Who acts in the past, each on a connection with a name of its own: the history says who did what."""

    scheduler: Backend
    """Makes the runs."""
    workers: tuple[Backend, ...]
    """Start and end them, in turn."""
    colleague: Backend
    """Cancels by hand."""


async def register(backend: Backend, now: datetime) -> FlowIds:
    """Register the sample flows and an agent, and return flow name → id."""
    ids: FlowIds = {}
    for flow in FLOWS:
        project = await _project(backend, flow.project)
        values = {
            "project_id": project,
            "serialized_flow": serialized(flow, now),
            "set_schedule_active": flow.is_active,
            "description": flow.description,
        }
        data = await backend.graphql(REGISTER, {"input": values})
        ids[flow.name] = FlowId(data["create_flow"]["id"])
    for name in ("ops-1", "ops-2"):
        await backend.graphql(AGENT, {"input": {"type": "LocalAgent", "name": name, "labels": ["prod", "finance"]}})
    return ids


async def _project(backend: Backend, name: str) -> str:
    found = await backend.graphql(
        "query p($name: String!) { project(where: {name: {_eq: $name}}) { id } }", {"name": name}
    )
    if found["project"]:
        return str(found["project"][0]["id"])
    tenant = (await backend.graphql("{ tenant { id } }"))["tenant"][0]["id"]
    document = "mutation p($input: create_project_input!) { create_project(input: $input) { id } }"
    made = await backend.graphql(document, {"input": {"tenant_id": tenant, "name": name}})
    return str(made["create_project"]["id"])


async def seed(
    crew: Crew, flow_ids: FlowIds, runs: Sequence[PlannedRun], now: datetime, *, sleep: Sleep = asyncio.sleep
) -> None:
    """Bring the past before `now` onto the server, latest first, in waves of at most `CREATES_AT_ONCE` runs."""
    recent = [run for run in runs if now - run.due_at <= RECENT]
    older = [run for run in runs if now - run.due_at > RECENT]
    async with asyncio.TaskGroup() as group:
        for wave in _waves(recent):
            for worker, pairs in _shared(crew, await _created(crew.scheduler, flow_ids, wave)):
                starting = [_state(run_id, version, _STARTING[version]) for run_id, _ in pairs for version in _STARTING]
                await set_states(worker, starting)
                group.create_task(_run(worker, crew.colleague, pairs, sleep))
        for wave in _waves(older):
            for worker, pairs in _shared(crew, await _created(crew.scheduler, flow_ids, wave)):
                await _end(worker, crew.colleague, pairs)


_STARTING = {
    1: {"type": "Submitted", "message": "Submitted for execution"},
    2: {"type": "Running", "message": "Running"},
}


def _waves(runs: list[PlannedRun]) -> list[list[PlannedRun]]:
    return [runs[start : start + CREATES_AT_ONCE] for start in range(0, len(runs), CREATES_AT_ONCE)]


def _shared(crew: Crew, pairs: Pairs) -> list[tuple[Backend, Pairs]]:
    """Deal the runs of one wave out to the workers."""
    dealt = [(worker, pairs[place :: len(crew.workers)]) for place, worker in enumerate(crew.workers)]
    return [(worker, share) for worker, share in dealt if share]


async def _created(backend: Backend, flow_ids: FlowIds, wave: list[PlannedRun]) -> list[tuple[str, PlannedRun]]:
    ids = await create_runs(backend, [inputs(run, flow_ids) for run in wave])
    return list(zip(ids, wave, strict=True))


async def _end(backend: Backend, colleague: Backend, pairs: Pairs) -> None:
    """End runs, and their tasks, without having started them."""
    tasks = await task_runs(backend, [run_id for run_id, _ in pairs])
    await write_logs(backend, [line for run_id, run in pairs for line in _lines(run_id, run)])
    await set_task_states(
        backend, [state for run_id, run in pairs for state in _task_ends(run, tasks[run_id], version=0)]
    )
    states: list[dict[str, Any]] = []
    for run_id, run in pairs:
        following = [_STARTING[1], *(state for state in run.states if state["type"] != "Running")]
        states += [_state(run_id, 1 + index, state) for index, state in enumerate(following)]
    await _set(backend, colleague, states)


async def _set(worker: Backend, colleague: Backend, states: list[dict[str, Any]]) -> None:
    """Set states, those that a person decides by the colleague and after the others."""
    by_hand = [state for state in states if state["state"]["type"] == "Cancelled"]
    await set_states(worker, [state for state in states if state not in by_hand])
    await set_states(colleague, by_hand)


def inputs(run: PlannedRun, flow_ids: FlowIds) -> dict[str, Any]:
    """Return the input that creates a planned run."""
    values: dict[str, Any] = {
        "flow_id": flow_ids[run.flow.name],
        "flow_run_name": run.name,
        "scheduled_start_time": run.due_at.isoformat(),
        "parameters": run.parameters,
        "labels": list(run.labels),
    }
    return values | ({"idempotency_key": run.key} if run.key else {})


async def _run(backend: Backend, colleague: Backend, pairs: Pairs, sleep: Sleep) -> None:
    """Run the tasks of these runs and end them, the short ones first."""
    tasks = await task_runs(backend, [run_id for run_id, _ in pairs])
    await set_task_states(
        backend,
        [
            {"task_run_id": task_id, "version": 0, "state": {"type": "Running", "message": "Running"}}
            for run_id, _ in pairs
            for task_id in tasks[run_id].values()
        ],
    )
    in_order = sorted(pairs, key=lambda pair: _step(pair[1]))
    waited_s = 0.0
    for step, group in groupby(in_order, key=lambda pair: _step(pair[1])):
        until_s = LONGEST_S * step / _STEPS
        await sleep(until_s - waited_s)
        waited_s = until_s
        ended = list(group)
        await write_logs(backend, [line for run_id, run in ended for line in _lines(run_id, run)])
        await set_task_states(
            backend, [state for run_id, run in ended for state in _task_ends(run, tasks[run_id], version=1)]
        )
        await _set(
            backend,
            colleague,
            [_state(run_id, 3 + index, state) for run_id, run in ended for index, state in enumerate(run.states)],
        )


def _step(run: PlannedRun) -> int:
    return min(int(run.lasts * _STEPS), _STEPS - 1) + 1


def _state(run_id: str, version: int, state: dict[str, Any]) -> dict[str, Any]:
    return {"flow_run_id": run_id, "version": version, "state": state}


def _task_ends(run: PlannedRun, tasks: dict[str, str], *, version: int) -> list[dict[str, Any]]:
    """Return the end of each task, each now at `version`: of a bad run the middle one failed and the rest never ran."""
    broken_at = len(run.flow.tasks) if run.is_good else len(run.flow.tasks) // 2
    ends = []
    for index, slug in enumerate(run.flow.tasks):
        if index < broken_at:
            state = {"type": "Success", "message": "Task run succeeded."}
        elif index == broken_at:
            state = {"type": run.states[-1]["type"], "message": run.states[-1]["message"]}
        else:
            state = {"type": "TriggerFailed", "message": 'Trigger was "all_successful" but some upstream tasks failed.'}
        if slug in tasks:
            ends.append({"task_run_id": tasks[slug], "version": version, "state": state})
    return ends


def _lines(run_id: str, run: PlannedRun) -> list[dict[str, Any]]:
    """Return what the run logged, at the times at which it was due."""
    words = [("INFO", f"Beginning flow run for '{run.flow.name}'")]
    words += [("INFO", f"Task '{slug}': starting task run") for slug in run.flow.tasks]
    level = "INFO" if run.is_good else "ERROR"
    words.append((level, str(run.states[-1]["message"])))
    return [
        {
            "flow_run_id": run_id,
            "timestamp": (run.due_at + timedelta(seconds=2 * index)).isoformat(),
            "level": level,
            "name": f"prefect.{run.flow.name}",
            "message": message,
        }
        for index, (level, message) in enumerate(words)
    ]
