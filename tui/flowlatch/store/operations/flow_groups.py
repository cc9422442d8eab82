"""Flow groups: what all versions of a flow share, and may be set apart from the code. Source: contract.md §2.2."""

from __future__ import annotations

from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.clocks import time_zone
from flowlatch.store.cron import is_cron
from flowlatch.store.operations.flow_run_edits import note_gone
from flowlatch.store.operations.flows import activate_schedule
from flowlatch.store.operations.rows import (
    as_object,
    bad_input,
    column,
    from_json,
    label_list,
    not_found,
    one,
    optional_json,
    success,
    to_json,
    update,
)
from flowlatch.store.operations.schedules import drop_scheduled_runs


def set_flow_group_labels(tx: Tx, *, flow_group_id: str, labels: list[str] | None = None) -> dict[str, Any]:
    """Set the labels of new runs: `{success}`. None = the flow's own again."""
    text = None if labels is None else to_json(label_list(labels), "labels")
    return _set(tx, flow_group_id, {"labels": text})


def set_flow_group_run_config(tx: Tx, *, flow_group_id: str, run_config: Any = None) -> dict[str, Any]:
    """Set the run configuration of new runs: `{success}`. None = the flow's own again."""
    if run_config is not None:
        as_object(run_config, "run_config")
    return _set(tx, flow_group_id, {"run_config": optional_json(run_config, "run_config")})


def set_flow_group_description(tx: Tx, *, flow_group_id: str, description: str | None = None) -> dict[str, Any]:
    """Describe a flow group: `{success}`."""
    return _set(tx, flow_group_id, {"description": description})


def set_flow_group_default_parameters(tx: Tx, *, flow_group_id: str, parameters: Any = None) -> dict[str, Any]:
    """Set values that new runs get unless they name others: `{success}`."""
    text = to_json(as_object(parameters, "parameters"), "parameters")
    return _set(tx, flow_group_id, {"default_parameters": text})


def set_flow_group_schedule(
    tx: Tx,
    *,
    flow_group_id: str,
    cron_clocks: list[dict[str, Any]] | None = None,
    interval_clocks: list[dict[str, Any]] | None = None,
    timezone: str | None = None,
) -> dict[str, Any]:
    """Set a schedule that replaces the one in the code: `{success}`.

    Clocks are `{cron, parameter_defaults}` and `{interval (s, 60 at least), parameter_defaults}`.
    """
    start = _start_now(tx, timezone or "UTC")
    clocks: list[dict[str, Any]] = []
    for clock in cron_clocks or []:
        if not is_cron(clock.get("cron") or ""):
            raise bad_input("cron_clocks.cron must be a cron expression of five fields")
        clocks.append({"type": "CronClock", "cron": clock["cron"], "start_date": start, **_defaults(clock)})
    for clock in interval_clocks or []:
        interval = clock.get("interval")
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 60:
            raise bad_input("interval_clocks.interval must be 60 seconds or more")
        clocks.append(
            {"type": "IntervalClock", "interval": interval * 1_000_000, "start_date": start, **_defaults(clock)}
        )
    if not clocks:
        raise bad_input("a schedule needs at least one clock")
    return _set_schedule(tx, flow_group_id, to_json({"type": "Schedule", "clocks": clocks}, "schedule"))


def _start_now(tx: Tx, timezone: str) -> dict[str, str]:
    """Return now as a clock's start: the wall clock of its zone, and the zone."""
    try:
        wall = tx.now.astimezone(time_zone(timezone)).replace(tzinfo=None)
    except ValueError as error:
        raise bad_input(f"timezone: {error}") from None
    return {"dt": wall.isoformat(timespec="microseconds"), "tz": timezone}


def _defaults(clock: dict[str, Any]) -> dict[str, Any]:
    return {"parameter_defaults": as_object(clock.get("parameter_defaults"), "parameter_defaults")}


def delete_flow_group_schedule(tx: Tx, *, flow_group_id: str) -> dict[str, Any]:
    """Return to the schedule in the code: `{success}`."""
    return _set_schedule(tx, flow_group_id, None)


def _set_schedule(tx: Tx, flow_group_id: str, schedule: str | None) -> dict[str, Any]:
    """Change the schedule and the runs made ahead: those of the old one that still wait are deleted."""
    payload = _set(tx, flow_group_id, {"schedule": schedule})
    flows = "SELECT id FROM flow WHERE flow_group_id = ? AND archived = 0 AND is_schedule_active = 1"
    for flow_id in column(tx, flows, (flow_group_id,)):
        drop_scheduled_runs(tx, flow_id)
        activate_schedule(tx, flow_id=flow_id)
    return payload


def delete_flow_group(tx: Tx, *, flow_group_id: str) -> dict[str, Any]:
    """Delete a flow group with its flows and their runs: `{success}`, false if there is no such group."""
    runs = "SELECT flow_run.id FROM flow_run JOIN flow ON flow.id = flow_run.flow_id WHERE flow.flow_group_id = ?"
    note_gone(tx, column(tx, runs, (flow_group_id,)))
    return success(bool(tx.execute("DELETE FROM flow_group WHERE id = ?", (flow_group_id,)).rowcount))


def set_flow_setting(tx: Tx, *, flow_id: str, setting: str, enabled: bool) -> dict[str, Any]:
    """Switch `heartbeat`, `lazarus` or `version_locking` of a flow's group on or off: `{success}`.

    Version locking is stored only: here a version that is given always counts.
    """
    sql = "SELECT id, settings FROM flow_group WHERE id = (SELECT flow_group_id FROM flow WHERE id = ?)"
    row = one(tx, sql, (flow_id,))
    if row is None:
        raise not_found("flow", flow_id)
    settings = {**(from_json(row[1]) or {}), f"{setting}_enabled": enabled}
    return _set(tx, row[0], {"settings": to_json(settings, "settings")})


def enable_flow_heartbeat(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Let a silent run of this flow be ended by the zombie killer: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="heartbeat", enabled=True)


def disable_flow_heartbeat(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Keep the zombie killer away from this flow: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="heartbeat", enabled=False)


def enable_flow_lazarus_process(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Let a run of this flow whose process died be scheduled again: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="lazarus", enabled=True)


def disable_flow_lazarus_process(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Keep lazarus away from this flow: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="lazarus", enabled=False)


def enable_flow_version_lock(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Note that the flow wants version locking, which is always on here: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="version_locking", enabled=True)


def disable_flow_version_lock(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Note that the flow wants no version locking; a version that is given still counts: `{success}`."""
    return set_flow_setting(tx, flow_id=flow_id, setting="version_locking", enabled=False)


def _set(tx: Tx, flow_group_id: str, values: dict[str, Any]) -> dict[str, Any]:
    if not update(tx, "flow_group", flow_group_id, values):
        raise not_found("flow group", flow_group_id)
    return success()
