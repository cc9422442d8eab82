"""Setting the state of a flow run under its version. Source: contract.md §4.3, §5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
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

_OFTEN_SAME = (
    "state",
    "state_message",
    "state_start_time",
    "actor",
    "start_time",
    "end_time",
    "duration",
    "heartbeat",
    "agent_id",
)
"""Columns that a new state may leave as they are: SQLite writes the indexes of a column that is set, changed or not."""
_RUN = f"SELECT tenant_id, version, state_timestamp, {', '.join(_OFTEN_SAME)} FROM flow_run WHERE id = ?"


@cache
def _set(columns: tuple[str, ...]) -> str:
    """Return the whole of optimistic locking: the statement finds the run on that version, or it does nothing."""
    others = "".join(f", {column} = ?" for column in columns)
    return (
        "UPDATE flow_run SET version = version + 1, updated = ?, change_seq = ?, state_id = ?, state_timestamp = ?"
        f"{others} WHERE id = ? AND version = ?"
    )


_CURRENT = "SELECT version, state, state_message, state_timestamp, actor FROM {table} WHERE id = ?"


class _Run(NamedTuple):
    """What must be known of a run to set its state."""

    tenant_id: str | None
    version: int
    state_timestamp: str | None
    state: str | None
    state_message: str | None
    state_start_time: str | None
    actor: str | None
    start_time: str | None
    end_time: str | None
    duration: int | None
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
    run = _Run._make(row)
    if _is_late_failure(tx, run, version, state):
        version = run.version
    elif state.type == StateType.SUBMITTED and run.state == StateType.SUBMITTED:
        raise Refusal("CONFLICT", f"State update failed: flow run {run_id} is Submitted already")
    expected = run.version if version is None else version
    timestamp = later(tx.now_text, run.state_timestamp)
    state_id = tx.new_row_id()
    times = timing(state, timestamp, run.start_time, run.end_time)
    new = (
        state.type,
        state.message,
        state.start_time,
        tx.origin.actor,
        times["start_time"],
        times["end_time"],
        times["duration"],
        tx.now_text if state.type in (StateType.RUNNING, StateType.SUBMITTED) else run.heartbeat,
        (tx.origin.agent_id or run.agent_id) if state.type == StateType.SUBMITTED else run.agent_id,
    )
    old = row[-len(new) :]
    changed = [place for place, value in enumerate(new) if value != old[place]]
    values = (tx.now_text, tx.changed(run_id, "updated"), state_id, timestamp, *(new[place] for place in changed))
    statement = _set(tuple(_OFTEN_SAME[place] for place in changed))
    if not tx.execute(statement, (*values, run_id, expected)).rowcount:
        raise version_conflict(tx, "flow_run", run_id, version)
    insert_state(tx, "flow_run_state", "flow_run_id", run_id, run.tenant_id, state, expected + 1, timestamp, state_id)
    if state.type == StateType.CANCELLED:
        cancel_task_runs(tx, run_id)
    return {"id": run_id, "status": "SUCCESS", "message": None, "version": expected + 1}


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
