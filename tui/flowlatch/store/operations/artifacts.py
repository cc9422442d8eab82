"""Artifacts of task runs: links and Markdown that user code attaches. Source: contract.md §2.4."""

from __future__ import annotations

from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import check_text, insert, not_found, one, success, to_json, update

KIND_LIMIT = 1_024
"""Characters of an artifact's kind at most."""


def create_task_run_artifact(
    tx: Tx, *, task_run_id: str, kind: str, data: Any, tenant_id: str | None = None
) -> dict[str, Any]:
    """Attach an artifact to a task run: `{id}`. It belongs to the task run's tenant."""
    check_text(kind, "kind", KIND_LIMIT)
    row = one(tx, "SELECT tenant_id FROM task_run WHERE id = ?", (task_run_id,))
    if row is None:
        raise not_found("task run", task_run_id)
    values = {"tenant_id": row[0], "task_run_id": task_run_id, "kind": kind, "data": to_json(data, "data")}
    return {"id": insert(tx, "task_run_artifact", values)}


def update_task_run_artifact(tx: Tx, *, task_run_artifact_id: str, data: Any) -> dict[str, Any]:
    """Replace the data of an artifact: `{success}`."""
    if not update(tx, "task_run_artifact", task_run_artifact_id, {"data": to_json(data, "data")}):
        raise not_found("artifact", task_run_artifact_id)
    return success()


def delete_task_run_artifact(tx: Tx, *, task_run_artifact_id: str) -> dict[str, Any]:
    """Delete an artifact: `{success}`, false if there is none."""
    return success(bool(tx.execute("DELETE FROM task_run_artifact WHERE id = ?", (task_run_artifact_id,)).rowcount))
