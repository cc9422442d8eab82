"""Values as the JSON that commands print: columns named as on the wire (contract.md §3.2), `flow` as an object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flowlatch.live.journal import Entry
from flowlatch.model.run import Agent, Flow, FlowRun, LogLine, TaskRun
from flowlatch.model.state import State, StateDraft
from flowlatch.values import dumped

Row = dict[str, Any]


def time_text(moment: datetime | None) -> str | None:
    """Return a time in the one form of the wire: UTC, six digits, `+00:00` (contract.md §3.6)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else None


def run_row(run: FlowRun) -> Row:
    """Return the columns of a list row."""
    return {
        "id": run.id,
        "name": run.name,
        "flow": {"id": run.flow_id, "name": run.flow_name, "version": run.flow_version},
        "flow_id": run.flow_id,
        "version": run.version,
        "state": run.state,
        "state_message": run.state_message,
        "state_timestamp": time_text(run.state_timestamp),
        "state_start_time": time_text(run.state_start_time),
        "scheduled_start_time": time_text(run.scheduled_start_time),
        "start_time": time_text(run.start_time),
        "end_time": time_text(run.end_time),
        "created": time_text(run.created),
        "updated": time_text(run.updated),
        "labels": run.labels,
        "auto_scheduled": run.auto_scheduled,
        "idempotency_key": run.idempotency_key,
        "actor": run.actor,
    }


def whole_run(run: FlowRun) -> Row:
    """Return all columns of a run."""
    live = run.idempotency
    return run_row(run) | {
        "state_result": run.state_result,
        "parameters": run.parameters,
        "context": run.context,
        "run_config": run.run_config,
        "agent_id": run.agent_id,
        "heartbeat": time_text(run.heartbeat),
        "idempotency": {"expires_at": time_text(live.expires_at), "uses": live.uses} if live else None,
    }


def state_row(state: State) -> Row:
    """Return one state of a run's history."""
    return _core(state) | {
        "start_time": time_text(state.start_time),
        "result": state.result,
        "serialized_state": state.serialized,
    }


def side(state: State | None) -> Row | None:
    """Return one side of a change: `base`, `theirs` or an element of `between` (design.md §9)."""
    return None if state is None else _core(state)


def _core(state: State) -> Row:
    return {
        "version": state.version,
        "state": state.name,
        "message": state.message,
        "timestamp": time_text(state.timestamp),
        "actor": state.actor,
    }


def sides(states: Sequence[State]) -> list[Row | None]:
    """Return the states between base and theirs."""
    return [side(state) for state in states]


def mine(draft: StateDraft, version: int, actor: str) -> Row:
    """Return the side that was asked for; `version` is the one it would get."""
    return {"version": version, "state": draft.type, "message": draft.message, "timestamp": None, "actor": actor}


def flow_row(flow: Flow) -> Row:
    """Return the columns of a flow."""
    return {
        "id": flow.id,
        "name": flow.name,
        "version": flow.version,
        "project": {"id": flow.project_id, "name": flow.project},
        "version_group_id": flow.version_group_id,
        "archived": flow.archived,
        "description": flow.description,
        "parameters": [dumped(parameter) for parameter in flow.parameters],
        "is_schedule_active": flow.is_schedule_active,
        "schedule": flow.schedule,
        "is_group_schedule": flow.is_group_schedule,
        "created": time_text(flow.created),
        "versions": [dumped(version) | {"created": time_text(version.created)} for version in flow.versions],
    }


def task_row(task: TaskRun) -> Row:
    """Return the columns of a task run."""
    return {
        "id": task.id,
        "name": task.name,
        "task": {"slug": task.task_slug},
        "map_index": task.map_index,
        "version": task.version,
        "state": task.state,
        "state_message": task.state_message,
        "state_timestamp": time_text(task.state_timestamp),
        "start_time": time_text(task.start_time),
        "end_time": time_text(task.end_time),
        "run_count": task.run_count,
    }


def log_row(line: LogLine) -> Row:
    """Return the columns of a log line."""
    return {
        "id": line.id,
        "timestamp": time_text(line.timestamp),
        "level": line.level,
        "name": line.name,
        "message": line.message,
        "task_run_id": line.task_run_id,
    }


def agent_row(agent: Agent) -> Row:
    """Return the columns of an agent."""
    return dumped(agent) | {"last_queried": time_text(agent.last_queried)}


def entry_row(entry: Entry) -> Row:
    """Return one act of the journal."""
    return dumped(entry) | {
        "at": time_text(entry.at),
        "finished_at": time_text(entry.finished_at),
    }
