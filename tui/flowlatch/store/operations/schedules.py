"""Runs made by schedules: the next ten of every active one. Source: contract.md §5 "Scheduler"."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from flowlatch.store.base import Refusal, Tx
from flowlatch.store.clocks import Event, UnknownSchedule, next_events
from flowlatch.store.operations.flow_run_edits import note_gone
from flowlatch.store.operations.flow_runs import complete_parameters, flow_facts, insert_run
from flowlatch.store.operations.rows import column, from_json, label_list, one, optional_json, to_json
from flowlatch.store.times import utc_text

logger = logging.getLogger(__name__)
RUNS_AHEAD = 10
"""Runs made ahead of each active schedule."""

_ACTIVE = "SELECT id FROM flow WHERE is_schedule_active = 1 AND archived = 0 ORDER BY seq"
_SCHEDULE = """SELECT coalesce(flow_group.schedule, flow.schedule) FROM flow
    JOIN flow_group ON flow_group.id = flow.flow_group_id WHERE flow.id = ?"""
_TAKEN = "SELECT 1 FROM flow_run WHERE idempotency_key = ? AND flow_id = ?"


def schedule_runs(tx: Tx) -> dict[str, Any]:
    """Make the runs that are missing among the next ten of each active schedule: `{flow_run_ids}`."""
    made: list[str] = []
    for flow_id in active_flow_ids(tx):
        made += schedule_flow(tx, flow_id=flow_id)["flow_run_ids"]
    return {"flow_run_ids": made}


def active_flow_ids(tx: Tx) -> list[str]:
    """Return the flows whose schedule is on, so that each can be done in a transaction of its own."""
    return column(tx, _ACTIVE)


def schedule_flow(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Make the runs that are missing among the next ten of one flow's schedule: `{flow_run_ids}`.

    Keys are made of the time, so that nothing is made twice. A schedule that cannot be understood, or whose flow wants
    parameters that nobody gave, is logged and makes no run.
    """
    row = one(tx, _SCHEDULE, (flow_id,))
    if row is None or row[0] is None:
        return {"flow_run_ids": []}
    try:
        events = next_events(from_json(row[0]), tx.now, RUNS_AHEAD)
        made = [run_id for event in events if (run_id := _make(tx, flow_id, event))]
    except (UnknownSchedule, Refusal) as problem:
        logger.warning("schedule of flow %s makes no runs: %s", flow_id, problem)
        made = []
    return {"flow_run_ids": made}


def _make(tx: Tx, flow_id: str, event: Event) -> str | None:
    start_time = utc_text(event.start_time)
    key = f"auto-scheduled:{start_time}"
    if event.parameters or event.labels is not None:  # two clocks may fire at once, with different values
        values = to_json([event.parameters, event.labels], "parameter_defaults")
        key += f":{hashlib.sha256(values.encode()).hexdigest()[:16]}"
    if one(tx, _TAKEN, (key, flow_id)):
        return None
    flow = flow_facts(tx, flow_id, None)
    labels = event.labels if event.labels is not None else flow.labels
    run_config = flow.group_run_config if flow.group_run_config is not None else flow.run_config
    if labels is None:
        source = run_config if run_config is not None else flow.environment
        labels = (source.get("labels") or []) if isinstance(source, dict) else []
    run = {
        "id": tx.new_id(),
        "name": tx.new_name(),
        "parameters": to_json(complete_parameters(flow, event.parameters), "parameters"),
        "context": "{}",
        "run_config": optional_json(run_config, "run_config"),
        "labels": to_json(label_list(labels), "labels"),
        "scheduled_start_time": start_time,
        "idempotency_key": key,
    }
    insert_run(tx, flow, run, auto_scheduled=True)
    return str(run["id"])


def drop_scheduled_runs(tx: Tx, flow_id: str) -> None:
    """Delete the runs of a flow that its schedule made and that still wait."""
    waiting = "flow_id = ? AND state = 'Scheduled' AND auto_scheduled = 1"
    note_gone(tx, column(tx, f"SELECT id FROM flow_run WHERE {waiting}", (flow_id,)))
    tx.execute(f"DELETE FROM flow_run WHERE {waiting}", (flow_id,))
