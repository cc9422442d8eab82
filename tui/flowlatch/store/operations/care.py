"""Runs whose process died: ended by the zombie killer, scheduled again by lazarus. Source: contract.md §5.

Both are off unless the server is told; both look only at runs that once sent a heartbeat.
"""

from __future__ import annotations

from typing import Any

from flowlatch.model.state_type import StateType
from flowlatch.store.base import Tx
from flowlatch.store.operations.flow_run_states import put_flow_run_state
from flowlatch.store.operations.rows import column
from flowlatch.store.operations.states import SCHEDULED, read_state, state_document
from flowlatch.store.operations.task_runs import put_task_run_state
from flowlatch.store.times import add_seconds

SILENT_S = 600.0
"""A run without a heartbeat for this long counts as dead."""
RESURRECTIONS = 3
"""Times that lazarus schedules a run again at most."""
_WAITING = ", ".join(f"'{name}'" for name in sorted(SCHEDULED))

_GROUP = """JOIN flow ON flow.id = flow_run.flow_id JOIN flow_group ON flow_group.id = flow.flow_group_id
WHERE coalesce(json_extract(flow_group.settings, '$.{setting}_enabled'), 1) = 1
    AND flow_run.heartbeat < :silent_since"""
_ZOMBIE_TASKS = (
    "SELECT task_run.id, task_run.version, task_run.run_count, coalesce(task.max_retries, 0), "
    "coalesce(task.retry_delay, 0) FROM flow_run "
    "JOIN task_run ON task_run.flow_run_id = flow_run.id JOIN task ON task.id = task_run.task_id "
    + _GROUP.format(setting="heartbeat")
    + " AND flow_run.state = 'Running' AND task_run.state = 'Running' ORDER BY task_run.seq LIMIT :limit"
)
_ZOMBIE_RUNS = (
    "SELECT flow_run.id FROM flow_run "
    + _GROUP.format(setting="heartbeat")
    + " AND flow_run.state = 'Cancelling' ORDER BY flow_run.seq LIMIT :limit"
)
_LAZARUS = (
    "SELECT flow_run.id, coalesce(flow_run.times_resurrected, 0) FROM flow_run "
    + _GROUP.format(setting="lazarus")
    + " AND flow_run.state IN ('Submitted', 'Running') AND NOT EXISTS (SELECT 1 FROM task_run "
    + f"WHERE task_run.flow_run_id = flow_run.id AND task_run.state IN ({_WAITING}, 'Running')) "
    + "ORDER BY flow_run.seq LIMIT :limit"
)


def kill_zombies(tx: Tx, *, limit: int = 100) -> dict[str, Any]:
    """End what runs without a sign of life: `{task_run_ids, flow_run_ids}`, `limit` of each at most.

    A Running task run of a Running run becomes Retrying while it has retries left, else Failed.
    A run that is Cancelling becomes Failed.
    """
    silent = {"silent_since": add_seconds(tx.now_text, -SILENT_S), "limit": limit}
    task_runs = tx.execute(_ZOMBIE_TASKS, silent).fetchall()
    for task_run_id, version, run_count, max_retries, retry_delay_us in task_runs:
        message = "No heartbeat detected from the task's run; marking it as failed."
        document = state_document(StateType.FAILED, message)
        if run_count <= max_retries:
            retry_at = add_seconds(tx.now_text, retry_delay_us / 1_000_000)
            message = "No heartbeat detected from the task's run; retrying it."
            document = state_document(StateType.RETRYING, message, start_time=retry_at, run_count=run_count + 1)
        put_task_run_state(tx, task_run_id, version, read_state(tx, document))
    runs = column(tx, _ZOMBIE_RUNS, silent)
    document = state_document(StateType.FAILED, "No heartbeat detected while the run was cancelling.")
    for run_id in runs:
        put_flow_run_state(tx, run_id, None, read_state(tx, document))
    return {"task_run_ids": [row[0] for row in task_runs], "flow_run_ids": runs}


def raise_lazarus(tx: Tx, *, limit: int = 100) -> dict[str, Any]:
    """Schedule runs again whose process died before any task: `{flow_run_ids}`, `limit` at most.

    A run that this happened to three times becomes Failed.
    """
    silent = {"silent_since": add_seconds(tx.now_text, -SILENT_S), "limit": limit}
    runs = tx.execute(_LAZARUS, silent).fetchall()
    for run_id, times in runs:
        if times >= RESURRECTIONS:
            document = state_document(StateType.FAILED, f"Rescheduled {times} times without success.")
        else:
            document = state_document(
                StateType.SCHEDULED, "Rescheduled: the process of the run died.", start_time=tx.now_text
            )
            tx.execute("UPDATE flow_run SET times_resurrected = ? WHERE id = ?", (times + 1, run_id))
        put_flow_run_state(tx, run_id, None, read_state(tx, document))
    return {"flow_run_ids": [run_id for run_id, _ in runs]}
