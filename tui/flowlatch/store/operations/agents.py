"""Agents: who asks for work, and the runs that are due for each. Source: contract.md §2.4, §5."""

from __future__ import annotations

from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import bad_input, column, insert, label_list, one, to_json, update
from flowlatch.store.operations.tenants import tenant_or_default
from flowlatch.store.times import canonical_time

QUEUE_LIMIT = 25
"""Runs handed out at once, after the label filter, so that runs of other agents cannot starve these."""

# Only waiting states have a start time, so the first half walks the small index of those in order and stops early.
# A Running run is due again when one of its task runs waits for a retry. A run goes to an agent that has all its
# labels; one without labels goes only to an agent without labels.
_QUEUE = """SELECT id FROM (
    SELECT * FROM (
        SELECT id, state_start_time AS due FROM flow_run
        WHERE state_start_time <= :before AND tenant_id = :tenant_id AND {labels}
        ORDER BY state_start_time, seq LIMIT :limit
    ) AS waiting
    UNION ALL
    SELECT flow_run.id, min(task_run.state_start_time) AS due FROM task_run
    JOIN flow_run ON flow_run.id = task_run.flow_run_id
    WHERE task_run.state_start_time <= :before AND flow_run.state = 'Running'
        AND flow_run.tenant_id = :tenant_id AND {labels}
    GROUP BY flow_run.id
) AS queue ORDER BY due LIMIT :limit"""
_QUEUE_UNLABELLED = _QUEUE.format(labels="flow_run.labels = '[]'")
_QUEUE_LABELLED = _QUEUE.format(
    labels="flow_run.labels <> '[]' AND NOT EXISTS (SELECT 1 FROM json_each(flow_run.labels) AS label "
    "WHERE label.value NOT IN (SELECT value FROM json_each(:labels)))"
)


def register_agent(
    tx: Tx,
    *,
    type: str,
    name: str | None = None,
    labels: list[str] | None = None,
    tenant_id: str | None = None,
    agent_config_id: str | None = None,
) -> dict[str, Any]:
    """Return the agent of that tenant, name, type, core version and labels, made if it is new: `{id}`."""
    agent = {
        "tenant_id": tenant_or_default(tx, tenant_id),
        "name": name,
        "type": type,
        "core_version": tx.origin.core_version,
        "labels": to_json(label_list(labels or []), "labels"),
    }
    same = " AND ".join(f"{key} IS :{key}" for key in agent)
    row = one(tx, f"SELECT id FROM agent WHERE {same} ORDER BY seq LIMIT 1", agent)
    if row is None:
        seen = {"agent_config_id": agent_config_id, "last_queried": tx.now_text}
        return {"id": insert(tx, "agent", {**agent, **seen})}
    update(tx, "agent", row[0], {"last_queried": tx.now_text})
    return {"id": row[0]}


def get_runs_in_queue(
    tx: Tx, *, tenant_id: str | None = None, before: str | None = None, labels: list[str] | None = None
) -> dict[str, Any]:
    """Return the runs due by `before` (default now) that an agent with `labels` may start: `{flow_run_ids}`.

    Oldest start first, at most 25. Notes on the agent that asks that it was here.
    """
    try:
        due = tx.now_text if before is None else canonical_time(before)
    except ValueError as error:
        raise bad_input(f"before: {error}") from None
    if tx.origin.agent_id:
        update(tx, "agent", tx.origin.agent_id, {"last_queried": tx.now_text})
    wanted = label_list(labels or [])
    parameters = {
        "before": due,
        "tenant_id": tenant_or_default(tx, tenant_id),
        "labels": to_json(wanted, "labels"),
        "limit": QUEUE_LIMIT,
    }
    return {"flow_run_ids": column(tx, _QUEUE_LABELLED if wanted else _QUEUE_UNLABELLED, parameters)}
