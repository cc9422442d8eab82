"""Rows of task runs: how one begins, and how a new state is written into one. Source: contract.md §4.3, §5."""

from __future__ import annotations

from typing import NamedTuple

from flowlatch.model.state_type import StateType
from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import insert, one, to_json
from flowlatch.store.operations.states import FINISHED, StateValue, insert_state, later, state_document
from flowlatch.store.operations.timing import timing

_TASKS = "SELECT id, cache_key FROM task WHERE flow_id = ? ORDER BY seq"
_PENDING_MESSAGE = "Task run created."
_PENDING = to_json(state_document(StateType.PENDING, _PENDING_MESSAGE), "state")


def create_task_runs(tx: Tx, flow_run_id: str, flow_id: str, tenant_id: str | None) -> None:
    """Make the task run of each task of a flow, not mapped, Pending at version 0."""
    for task_id, cache_key in tx.execute(_TASKS, (flow_id,)).fetchall():
        create_task_run(tx, flow_run_id, task_id, -1, cache_key, tenant_id)


def create_task_run(
    tx: Tx, flow_run_id: str, task_id: str, map_index: int, cache_key: str | None, tenant_id: str | None
) -> str:
    """Make one task run, Pending at version 0, with that state in its history; return its id."""
    state_id = tx.new_row_id()
    task_run_id = insert(
        tx,
        "task_run",
        {
            "tenant_id": tenant_id,
            "flow_run_id": flow_run_id,
            "task_id": task_id,
            "map_index": map_index,
            "cache_key": cache_key,
            "version": 0,
            "state_id": state_id,
            "state": str(StateType.PENDING),
            "state_timestamp": tx.now_text,
            "state_message": _PENDING_MESSAGE,
            "actor": tx.origin.actor,
        },
    )
    insert(
        tx,
        "task_run_state",
        {
            "id": state_id,
            "tenant_id": tenant_id,
            "task_run_id": task_run_id,
            "timestamp": tx.now_text,
            "state": str(StateType.PENDING),
            "version": 0,
            "message": _PENDING_MESSAGE,
            "serialized_state": _PENDING,
            "actor": tx.origin.actor,
        },
    )
    return task_run_id


_ROW = """SELECT id, tenant_id, flow_run_id, version, run_count, state, state_id, state_timestamp, start_time, end_time,
    heartbeat FROM task_run WHERE """

_SET = """UPDATE task_run SET
    version = version + 1, updated = :now, state_id = :state_id, state = :state, state_timestamp = :timestamp,
    state_message = :message, state_start_time = :state_start_time, actor = :actor, start_time = :start_time,
    end_time = :end_time, duration = :duration, heartbeat = :heartbeat, run_count = :run_count
WHERE id = :id"""
_SET_ON_VERSION = _SET + " AND version = :version RETURNING version"
_SET_ALWAYS = _SET + " RETURNING version"


class TaskRunRow(NamedTuple):
    """What must be known of a task run to set its state."""

    id: str
    tenant_id: str | None
    flow_run_id: str
    version: int
    run_count: int
    state: str
    state_id: str
    state_timestamp: str
    start_time: str | None
    end_time: str | None
    heartbeat: str | None


def read_task_run(tx: Tx, task_run_id: str) -> TaskRunRow | None:
    """Return what must be known of a task run to set its state, None if there is none."""
    row = one(tx, _ROW + "id = ?", (task_run_id,))
    return None if row is None else TaskRunRow(*row)


def write_task_run_state(tx: Tx, run: TaskRunRow, version: int | None, state: StateValue) -> int | None:
    """Write a state and its history row, on `version` or (None) without a check; return the new version.

    None means that the task run is on another version; nothing was written then.
    """
    timestamp = later(tx.now_text, run.state_timestamp)
    state_id = tx.new_row_id()
    values = {
        "id": run.id,
        "version": version,
        "now": tx.now_text,
        "state_id": state_id,
        "state": state.type,
        "timestamp": timestamp,
        "message": state.message,
        "state_start_time": state.start_time,
        "actor": tx.origin.actor,
        **timing(state, timestamp, run.start_time, run.end_time),
        "heartbeat": tx.now_text if state.type == StateType.RUNNING else run.heartbeat,
        "run_count": run.run_count + (state.type == StateType.RUNNING) - (state.type == StateType.LOOPED),
    }
    rows = tx.execute(_SET_ALWAYS if version is None else _SET_ON_VERSION, values).fetchall()
    if not rows:
        return None
    new_version = int(rows[0][0])
    insert_state(tx, "task_run_state", "task_run_id", run.id, run.tenant_id, state, new_version, timestamp, state_id)
    return new_version


def cancel_task_runs(tx: Tx, flow_run_id: str) -> None:
    """Set every unfinished task run of a cancelled run to Cancelled."""
    document = state_document(StateType.CANCELLED, "The flow run was cancelled.")
    state = StateValue(StateType.CANCELLED, document["message"], None, document, to_json(document, "state"))
    for row in tx.execute(_ROW + "flow_run_id = ? ORDER BY seq", (flow_run_id,)).fetchall():
        run = TaskRunRow(*row)
        if run.state not in FINISHED:
            write_task_run_state(tx, run, None, state)
