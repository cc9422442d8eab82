"""Deleting runs that ended long ago, a part at a time."""

from __future__ import annotations

from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.flow_run_edits import note_gone
from flowlatch.store.operations.rows import column
from flowlatch.store.operations.states import FINISHED

_FINISHED = ", ".join(f"'{name}'" for name in sorted(FINISHED))
_OLD = f"SELECT id FROM flow_run WHERE updated < ? AND state_timestamp < ? AND state IN ({_FINISHED}) LIMIT ?"


def prune_runs(tx: Tx, *, before: str, limit: int = 500) -> dict[str, Any]:
    """Delete runs that were finished, and not touched since, before a stored time: `{flow_run_ids}`.

    Call it again while it returns `limit` ids; each call is short, so that other writers wait for little.
    """
    old = column(tx, _OLD, (before, before, limit))
    note_gone(tx, old)
    tx.execute_many("DELETE FROM flow_run WHERE id = ?", [(run_id,) for run_id in old])
    return {"flow_run_ids": old}
