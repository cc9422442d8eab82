"""Changes of a flow run that are no change of state: they leave its version alone. Source: contract.md §5."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.changes import GONE_KEPT
from flowlatch.store.operations.flow_runs import NAME_LIMIT
from flowlatch.store.operations.rows import check_text, label_list, not_found, success, to_json, update

_FORGET_EVERY = 1_000
"""Old notes of deleted runs are dropped each time the sequence passes a multiple of this."""


def delete_flow_run(tx: Tx, *, flow_run_id: str) -> dict[str, Any]:
    """Delete a run with its states, task runs, logs and key: `{success}`, false if there is no such run."""
    if not tx.execute("DELETE FROM flow_run WHERE id = ?", (flow_run_id,)).rowcount:
        return success(False)
    note_gone(tx, [flow_run_id])
    return success()


def note_gone(tx: Tx, run_ids: Iterable[str]) -> None:
    """Tell the live feed of runs that this transaction deletes; screens that show them drop them."""
    for run_id in run_ids:
        seq = tx.changed(run_id, "gone")
        tx.execute("INSERT INTO gone_run (change_seq, run_id) VALUES (?, ?)", (seq, run_id))
        if seq % _FORGET_EVERY == 0:
            _forget_old(tx)


def _forget_old(tx: Tx) -> None:
    """Drop all but the newest `GONE_KEPT` notes, and remember up to where they were dropped."""
    floor = tx.execute(
        "SELECT change_seq FROM gone_run ORDER BY change_seq DESC LIMIT 1 OFFSET ?", (GONE_KEPT,)
    ).fetchone()
    if floor is not None:
        tx.execute("DELETE FROM gone_run WHERE change_seq <= ?", floor)
        tx.execute("UPDATE store_clock SET gone_floor = ?", floor)


def set_flow_run_name(tx: Tx, *, flow_run_id: str, name: str) -> dict[str, Any]:
    """Rename a run: `{success}`."""
    check_text(name, "name", NAME_LIMIT)
    return _edit(tx, flow_run_id, {"name": name})


def set_flow_run_labels(tx: Tx, *, flow_run_id: str, labels: list[str]) -> dict[str, Any]:
    """Replace the labels of a run: `{success}`."""
    return _edit(tx, flow_run_id, {"labels": to_json(label_list(labels), "labels")})


def _edit(tx: Tx, flow_run_id: str, values: dict[str, Any]) -> dict[str, Any]:
    if not update(tx, "flow_run", flow_run_id, {**values, "change_seq": tx.changed(flow_run_id, "updated")}):
        raise not_found("flow run", flow_run_id)
    return success()


def update_flow_run_heartbeat(tx: Tx, *, flow_run_id: str) -> dict[str, Any]:
    """Note that the process of a run is alive: `{success}`. No change for the live feed."""
    if not update(tx, "flow_run", flow_run_id, {"heartbeat": tx.now_text}):
        raise not_found("flow run", flow_run_id)
    return success()
