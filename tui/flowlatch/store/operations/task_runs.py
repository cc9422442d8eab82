"""Task runs: found or made on demand, and their states. Source: contract.md §2.4, §5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowlatch.model.state_type import StateType
from flowlatch.store.base import Refusal, Tx
from flowlatch.store.operations.flow_run_states import in_order, version_conflict
from flowlatch.store.operations.rows import bad_input, check_text, from_json, not_found, one, success, update
from flowlatch.store.operations.states import StateValue, read_state
from flowlatch.store.operations.task_run_rows import TaskRunRow, create_task_run, read_task_run, write_task_run_state

NAME_LIMIT = 1_024
"""Characters of a task run's name at most."""

_FIND = """SELECT task_run.id, task_run.version, task_run.state, task_run_state.serialized_state
FROM task_run LEFT JOIN task_run_state ON task_run_state.id = task_run.state_id WHERE """
_FIND_PLACE = _FIND + "task_run.flow_run_id = ? AND task_run.task_id = ? AND task_run.map_index = ?"
_FIND_ID = _FIND + "task_run.id = ?"


def get_or_create_task_run_info(
    tx: Tx, *, flow_run_id: str, task_id: str, map_index: int | None = None
) -> dict[str, Any]:
    """Return the task run of a task in a run: `{id, version, state, serialized_state}`; make it Pending at version 0.

    `map_index` -1 or None = the task itself, from 0 = its mapped children.
    """
    index = -1 if map_index is None else map_index
    if index < -1:
        raise bad_input("map_index must be -1 or more")
    row = one(tx, _FIND_PLACE, (flow_run_id, task_id, index))
    if row is None:
        run = one(tx, "SELECT tenant_id FROM flow_run WHERE id = ?", (flow_run_id,))
        task = one(tx, "SELECT cache_key FROM task WHERE id = ?", (task_id,))
        if run is None:
            raise not_found("flow run", flow_run_id)
        if task is None:
            raise not_found("task", task_id)
        create_task_run(tx, flow_run_id, task_id, index, task[0], run[0])
        row = one(tx, _FIND_PLACE, (flow_run_id, task_id, index))
    return _info(row)


def get_or_create_task_run(tx: Tx, *, flow_run_id: str, task_id: str, map_index: int | None = None) -> dict[str, Any]:
    """Return the task run of a task in a run: `{id}` and what `get_or_create_task_run_info` gives."""
    return get_or_create_task_run_info(tx, flow_run_id=flow_run_id, task_id=task_id, map_index=map_index)


def task_run_info(tx: Tx, *, task_run_id: str) -> dict[str, Any]:
    """Return `{id, version, state, serialized_state}` of a task run; the query `get_task_run_info`."""
    row = one(tx, _FIND_ID, (task_run_id,))
    if row is None:
        raise not_found("task run", task_run_id)
    return _info(row)


def _info(row: tuple[Any, ...] | None) -> dict[str, Any]:
    assert row is not None  # it was found, or made in this transaction
    return {"id": row[0], "version": row[1], "state": row[2], "serialized_state": from_json(row[3])}


def set_task_run_state(tx: Tx, *, task_run_id: str, version: int, state: Any) -> dict[str, Any]:
    """Set a task run's state if it is on exactly `version`: `{id, status, message, version}`.

    Raises as `set_flow_run_state` does, with `task_run_id` in the extensions; CONFLICT ("State update failed") for
    Running while the flow run is not Running.
    """
    if version is None:
        raise bad_input("version must be given")
    return put_task_run_state(tx, task_run_id, version, read_state(tx, state))


def set_task_run_states(tx: Tx, *, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Set several states in order, all or nothing: `{states: [{id, status, message, version}]}`.

    Each entry is `{task_run_id, version, state}`; a version of None sets without a check.
    """

    def put(entry: dict[str, Any]) -> dict[str, Any]:
        state = read_state(tx, entry.get("state"))
        return put_task_run_state(tx, entry["task_run_id"], entry.get("version"), state)

    return {"states": in_order(states, put)}


def put_task_run_state(tx: Tx, task_run_id: str, version: int | None, state: StateValue) -> dict[str, Any]:
    """Write a state that was read already; `version` None = without a check. Returns the payload of one state."""
    run = read_task_run(tx, task_run_id)
    if run is None:
        raise not_found("task run", task_run_id)
    if state.type == StateType.RUNNING:
        _refuse_unless_running(tx, run)
    new_version = write_task_run_state(tx, run, version, _with_inputs(tx, run, state))
    if new_version is None:
        raise version_conflict(tx, "task_run", task_run_id, version)
    return {"id": task_run_id, "status": "SUCCESS", "message": None, "version": new_version}


def _refuse_unless_running(tx: Tx, run: TaskRunRow) -> None:
    """Refuse to start a task in a run that is not Running: exactly Running, in Cancelling no new task starts."""
    (state,) = one(tx, "SELECT state FROM flow_run WHERE id = ?", (run.flow_run_id,)) or (None,)
    if state != StateType.RUNNING:
        raise Refusal(
            "CONFLICT",
            f"State update failed: task run {run.id} cannot be Running while its flow run is {state}",
        )


def _with_inputs(tx: Tx, run: TaskRunRow, state: StateValue) -> StateValue:
    """Return the state with the old one's cached inputs, when it has none itself."""
    if state.document.get("cached_inputs"):
        return state
    (text,) = one(tx, "SELECT serialized_state FROM task_run_state WHERE id = ?", (run.state_id,)) or (None,)
    inputs = (from_json(text) or {}).get("cached_inputs")
    if not inputs:
        return state
    return read_state(tx, {**state.document, "cached_inputs": inputs})


def set_task_run_name(tx: Tx, *, task_run_id: str, name: str) -> dict[str, Any]:
    """Rename a task run: `{success}`."""
    check_text(name, "name", NAME_LIMIT)
    return _edit(tx, task_run_id, {"name": name})


def update_task_run_heartbeat(tx: Tx, *, task_run_id: str) -> dict[str, Any]:
    """Note that the process of a task run is alive: `{success}`."""
    return _edit(tx, task_run_id, {"heartbeat": tx.now_text})


def _edit(tx: Tx, task_run_id: str, values: dict[str, Any]) -> dict[str, Any]:
    if not update(tx, "task_run", task_run_id, values):
        raise not_found("task run", task_run_id)
    return success()
