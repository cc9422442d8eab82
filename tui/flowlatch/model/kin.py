"""How runs come from one another, as far as a run's own row tells it. Pure.

Nothing but the idempotency key and the context is needed, so any server that keeps those knows it:

* a run made again by us has the key `retry-ID-TOKEN` or `clone-ID-TOKEN`, ID being the run it was made from;
* the Prefect 1 tasks `create_flow_run` and `StartFlowRun` send as key the id of the task run that makes the run, behind
  it `-INDEX` where that is mapped (contract.md §2.4);
* a flow that makes runs in another way may name itself as `parent_flow_run_id` in their context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flowlatch.model.run import FlowRun, RunId, TaskRunId

PARENT_IN_CONTEXT = "parent_flow_run_id"
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_COPY_KEY = re.compile(rf"(retry|clone)-({_UUID})-[0-9a-z]+")
_TASK_KEY = re.compile(rf"({_UUID})(?:-\d+)?")


class How(StrEnum):
    """How a run was made from another one."""

    RETRY = "retry"
    """The same again, after a question."""
    CLONE = "clone"
    """From a form filled in with it."""


class Relation(StrEnum):
    """What another run is to this one."""

    PARENT = "parent"
    """A task of it made this run."""
    CHILD = "child"
    """A task of this run made it."""
    SOURCE = "source"
    """This run was made from it."""
    COPY = "copy"
    """It was made from this run."""


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Another run and what it is to this one. `how` is set for a source and a copy, `task` where a task is known."""

    relation: Relation
    run: FlowRun
    how: How | None = None
    task: str = ""
    """Name of the parent's task that made the run; empty where only the run is known."""


def key_from(how: How, run_id: RunId, token: str) -> str:
    """Return the idempotency key of a run made from `run_id`; `token` makes it unique."""
    return f"{how}-{run_id}-{token}"


def copies_pattern(how: How, run_id: RunId) -> str:
    """Return the LIKE pattern of the keys that `key_from` makes."""
    return f"{how}-{run_id}-%"


def source_of(run: FlowRun) -> tuple[How, RunId] | None:
    """Return what a run was made from; None for one whose key does not say so."""
    found = _COPY_KEY.fullmatch(run.idempotency_key or "")
    return (How(found[1]), RunId(found[2])) if found else None


def maker_in_key(run: FlowRun) -> str | None:
    """Return the id in the key of a run that a flow made: that of a task run, or of a flow run. None without one."""
    found = _TASK_KEY.fullmatch(run.idempotency_key or "")
    return found[1] if found else None


def maker_in_context(run: FlowRun) -> RunId | None:
    """Return the flow run that the context of a whole run names as its parent."""
    named = (run.context or {}).get(PARENT_IN_CONTEXT)
    return RunId(named) if isinstance(named, str) and re.fullmatch(_UUID, named) else None


def child_keys(run_id: RunId, tasks: Iterable[tuple[TaskRunId, int]]) -> list[str]:
    """Return the keys that runs made by this one have; `tasks` are its task runs with their map index, -1 for none."""
    keys = [str(run_id)]
    for task_id, map_index in tasks:
        keys.append(str(task_id) if map_index < 0 else f"{task_id}-{map_index}")
        if map_index >= 0:
            keys.append(str(task_id))
    return keys
