"""Setting the state of a flow run under its version. Source: contract.md §4.3, §5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from flowlatch.model.state_type import StateType
from flowlatch.store.base import Refusal, Tx
from flowlatch.store.operations.rows import bad_input, not_found, one
from flowlatch.store.operations.states import (
    FINISHED,
    RUNNING,
    StateValue,
    insert_state,
    later,
    read_state,
    state_document,
)
from flowlatch.store.operations.task_run_rows import cancel_task_runs
from flowlatch.store.operations.timing import timing

STATES_LIMIT = 1_000
"""States in one call at most."""
T = TypeVar("T")

_RUN = """SELECT tenant_id, version, state, state_timestamp, start_time, end_time, heartbeat, agent_id
FROM flow_run WHERE id = ?"""

# The whole of optimistic locking is this one statement: it finds the run on that version, or it does nothing.
_SET = """UPDATE flow_run SET
    version = version + 1, updated = :now, change_seq = :change_seq, state_id = :state_id, state = :state,
    state_timestamp = :timestamp, state_message = :message, state_start_time = :state_start_time, actor = :actor,
    start_time = :start_time, end_time = :end_time, duration = :duration, heartbeat = :heartbeat, agent_id = :agent_id
WHERE id = :id"""
_SET_ON_VERSION = _SET + " AND version = :version RETURNING version"
_SET_ALWAYS = _SET + " RETURNING version"

_CURRENT = "SELECT version, state, state_message, state_timestamp, actor FROM {table} WHERE id = ?"


class _Run(NamedTuple):
    """What must be known of a run to set its state."""

    tenant_id: str | None
    version: int
    state: str | None
    state_timestamp: str | None
    start_time: str | None
    end_time: str | None
    heartbeat: str | None
    agent_id: str | None


def set_flow_run_state(tx: Tx, *, flow_run_id: str, version: int, state: Any) -> dict[str, Any]:
    """Set a run's state if it is on exactly `version`: `{id, status, message, version}` with the new version.

    Raises `Refusal` VERSION_LOCKING_ERROR with `flow_run_id, expected_version, current {version, state, message,
    timestamp, actor}`; NOT_FOUND; BAD_USER_INPUT for the state; CONFLICT ("State update failed") for Submitted twice.
    """
    if version is None:
        raise bad_input("version must be given")
    return put_flow_run_state(tx, flow_run_id, version, read_state(tx, state))


def set_flow_run_states(tx: Tx, *, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Set several states in order, all or nothing: `{states: [{id, status, message, version}]}`.

    Each entry is `{flow_run_id, version, state}`; a version of None sets without a check.
    """

    def put(entry: dict[str, Any]) -> dict[str, Any]:
        return put_flow_run_state(tx, entry["flow_run_id"], entry.get("version"), read_state(tx, entry.get("state")))

    return {"states": in_order(states, put)}


def in_order(entries: Sequence[dict[str, Any]], put: Callable[[dict[str, Any]], T]) -> list[T]:
    """Apply `put` to each entry of a batch; a refusal says which entry it was, if there are several."""
    if len(entries) > STATES_LIMIT:
        raise bad_input(f"states has {len(entries)} entries; at most {STATES_LIMIT} are allowed")
    results = []
    for index, entry in enumerate(entries):
        try:
            results.append(put(entry))
        except Refusal as refusal:
            if len(entries) == 1:
                raise
            raise Refusal(refusal.code, f"states[{index}]: {refusal.message}", **refusal.extensions) from refusal
    return results


def put_flow_run_state(tx: Tx, run_id: str, version: int | None, state: StateValue) -> dict[str, Any]:
    """Write a state that was read already; `version` None = without a check. Returns the payload of one state."""
    row = one(tx, _RUN, (run_id,))
    if row is None:
        raise not_found("flow run", run_id)
    run = _Run(*row)
    if _is_late_failure(tx, run, version, state):
        version = run.version
    elif state.type == StateType.SUBMITTED and run.state == StateType.SUBMITTED:
        raise Refusal("CONFLICT", f"State update failed: flow run {run_id} is Submitted already")
    timestamp = later(tx.now_text, run.state_timestamp)
    state_id = tx.new_row_id()
    values = {
        "id": run_id,
        "version": version,
        "now": tx.now_text,
        "change_seq": tx.changed(run_id, "updated"),
        "state_id": state_id,
        "state": state.type,
        "timestamp": timestamp,
        "message": state.message,
        "state_start_time": state.start_time,
        "actor": tx.origin.actor,
        **timing(state, timestamp, run.start_time, run.end_time),
        "heartbeat": tx.now_text if state.type in (StateType.RUNNING, StateType.SUBMITTED) else run.heartbeat,
        "agent_id": (tx.origin.agent_id or run.agent_id) if state.type == StateType.SUBMITTED else run.agent_id,
    }
    rows = tx.execute(_SET_ALWAYS if version is None else _SET_ON_VERSION, values).fetchall()
    if not rows:
        raise version_conflict(tx, "flow_run", run_id, version)
    new_version = int(rows[0][0])
    insert_state(tx, "flow_run_state", "flow_run_id", run_id, run.tenant_id, state, new_version, timestamp, state_id)
    if state.type == StateType.CANCELLED:
        cancel_task_runs(tx, run_id)
    return {"id": run_id, "status": "SUCCESS", "message": None, "version": new_version}


def _is_late_failure(tx: Tx, run: _Run, version: int | None, state: StateValue) -> bool:
    """True when the agent that submitted a run reports, on the version before, that it could not start it.

    The one exception to the lock: otherwise the agent's thread dies and the run stays Submitted (contract.md §5).
    """
    return (
        state.type == StateType.FAILED
        and run.state == StateType.SUBMITTED
        and tx.origin.agent_id is not None
        and tx.origin.agent_id == run.agent_id
        and version == run.version - 1
    )


def version_conflict(tx: Tx, table: str, run_id: str, expected: int | None) -> Refusal:
    """Return the refusal of a stale version, with what the run is now: enough to draw a conflict screen."""
    row = one(tx, _CURRENT.format(table=table), (run_id,))
    if row is None:
        return not_found(table.replace("_", " "), run_id)
    current = dict(zip(("version", "state", "message", "timestamp", "actor"), row, strict=True))
    return Refusal(
        "VERSION_LOCKING_ERROR",
        f"State update failed: {table.replace('_', ' ')} {run_id} has version {row[0]} now, not {expected}",
        **{f"{table}_id": run_id, "expected_version": expected, "current": current},
    )


def cancel_flow_run(tx: Tx, *, flow_run_id: str) -> dict[str, Any]:
    """Cancel a run: `{id, state, version}`. A finished or cancelling one stays as it is.

    A running one becomes Cancelling, and its runner reports Cancelled later; any other is Cancelled at once.
    """
    row = one(tx, "SELECT state, version FROM flow_run WHERE id = ?", (flow_run_id,))
    if row is None:
        raise not_found("flow run", flow_run_id)
    state, version = row
    if state in FINISHED or state == StateType.CANCELLING:
        return {"id": flow_run_id, "state": state, "version": version}
    if state in RUNNING:
        kind, message = StateType.CANCELLING, "Flow run is cancelling."
    else:
        kind, message = StateType.CANCELLED, "Flow run is cancelled."
    answer = put_flow_run_state(tx, flow_run_id, version, read_state(tx, state_document(kind, message)))
    return {"id": flow_run_id, "state": str(kind), "version": answer["version"]}
