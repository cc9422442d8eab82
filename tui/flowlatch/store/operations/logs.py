"""Log lines of runs. Source: contract.md §2.4, §5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import bad_input, one, optional_json, success
from flowlatch.store.times import canonical_time

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_INSERT = """INSERT INTO log
    (id, created, updated, tenant_id, flow_run_id, task_run_id, timestamp, name, level, message, info)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def write_run_logs(tx: Tx, *, logs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Keep log lines: `{success}`. Each is `{flow_run_id, task_run_id, timestamp, name, message, level, info}`.

    Lines of runs that do not exist are dropped, the others kept: the client would send the batch again for ever.
    Bumps `updated` of their runs, because the client reads logs up to that time.
    """
    tenants: dict[str, str | None] = {}
    rows = []
    for index, line in enumerate(logs):
        run_id = line.get("flow_run_id")
        if not run_id:
            continue
        if run_id not in tenants:
            found = one(tx, "SELECT tenant_id FROM flow_run WHERE id = ?", (run_id,))
            if found is None:
                continue
            tenants[run_id] = found[0]
        rows.append(_row(tx, line, run_id, tenants[run_id], f"logs[{index}]"))
    tx.execute_many(_INSERT, rows)
    tx.execute_many("UPDATE flow_run SET updated = ? WHERE id = ?", [(tx.now_text, run_id) for run_id in tenants])
    return success()


def write_run_log(tx: Tx, **line: Any) -> dict[str, Any]:
    """Keep one log line: `{success}`; the spelling of clients before 0.10."""
    return write_run_logs(tx, logs=[line])


def _row(tx: Tx, line: dict[str, Any], run_id: str, tenant_id: str | None, where: str) -> tuple[Any, ...]:
    level = line.get("level") or "INFO"
    if level not in LEVELS:
        raise bad_input(f"{where}.level must be one of {', '.join(LEVELS)}")
    try:
        timestamp = canonical_time(line["timestamp"]) if line.get("timestamp") else tx.now_text
    except (ValueError, TypeError) as error:
        raise bad_input(f"{where}.timestamp: {error}") from None
    info = optional_json(line.get("info"), f"{where}.info")
    name, message = line.get("name"), line.get("message")
    stamp = (tx.new_row_id(), tx.now_text, tx.now_text)
    return (*stamp, tenant_id, run_id, line.get("task_run_id"), timestamp, name, level, message, info)
