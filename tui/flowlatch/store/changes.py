"""The one sequence of changes of a database: what a client missed since it last looked (design.md §9)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flowlatch.store.base import Change

FAR_BEHIND = 100_000
"""A client this many changes behind loads its page anew: cheaper than to follow."""
GONE_KEPT = 100_000
"""Deleted runs remembered at least."""

# Each half is cut by itself, so that both databases walk an index from `seq` on, whatever they expect to find there.
_SINCE = """SELECT * FROM (
    SELECT change_seq, id, CASE WHEN added_seq > :seq THEN 'added' ELSE 'updated' END AS kind
    FROM flow_run WHERE change_seq > :seq{some_runs} ORDER BY change_seq LIMIT :limit
) AS kept
UNION ALL SELECT * FROM (
    SELECT change_seq, run_id, 'gone' FROM gone_run WHERE change_seq > :seq{some_gone} ORDER BY change_seq LIMIT :limit
) AS gone
ORDER BY change_seq LIMIT :limit"""
_SINCE_ALL = _SINCE.format(some_runs="", some_gone="")
_SINCE_SOME = _SINCE.format(
    some_runs=" AND id IN (SELECT value FROM json_each(:ids))",
    some_gone=" AND run_id IN (SELECT value FROM json_each(:ids))",
)


Ask = Callable[[str, dict[str, Any]], Any]
"""Runs a statement and returns the driver's cursor."""


def since(execute: Ask, seq: int, ids: Sequence[str] | None, limit: int) -> tuple[int, list[Change]] | None:
    """Return (number reached, changes after `seq`), or None if `seq` is too old or beyond the end.

    Each run appears once, at its newest change. All that is executed must see the same snapshot.
    """
    last, floor = execute("SELECT change_seq, gone_floor FROM store_clock", {}).fetchone()
    if seq > last or seq < floor or last - seq > FAR_BEHIND:
        return None
    parameters = {"seq": seq, "limit": limit, "ids": None if ids is None else json.dumps(list(ids))}
    rows = execute(_SINCE_ALL if ids is None else _SINCE_SOME, parameters).fetchall()
    reached = rows[-1][0] if len(rows) == limit else last
    return reached, [Change(*row) for row in rows]


def last_seq(execute: Ask) -> int:
    """Return the newest number of the sequence."""
    return int(execute("SELECT change_seq FROM store_clock", {}).fetchone()[0])


def merge(changes: Iterable[Change]) -> list[Change]:
    """Return each run once with its newest change; a run added and changed in one commit is `added`."""
    newest: dict[str, Change] = {}
    for change in changes:
        before = newest.pop(change.run_id, None)
        if before is not None and before.kind == "added" and change.kind == "updated":
            change = Change(change.seq, change.run_id, "added")
        newest[change.run_id] = change
    return list(newest.values())
