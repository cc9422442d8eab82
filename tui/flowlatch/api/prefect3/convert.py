"""Rows of Prefect 3 become our values; what has another shape raises `convert.Unreadable` (prefect3.md §2, §6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flowlatch.api.convert import (
    Row,
    Unreadable,
    child,
    flag,
    object_or_none,
    required_text,
    text,
    time,
)
from flowlatch.model.run import Agent, Flow, FlowId, FlowRun, LogLine, Parameter, RunId, TaskRun, TaskRunId
from flowlatch.model.state import Category, State, category_of

FAMILIES: dict[str, Category] = {
    "SCHEDULED": Category.SCHEDULED,
    "PAUSED": Category.SCHEDULED,
    "PENDING": Category.PENDING,
    "RUNNING": Category.RUNNING,
    "CANCELLING": Category.RUNNING,
    "COMPLETED": Category.SUCCESS,
    "FAILED": Category.FAILED,
    "CRASHED": Category.FAILED,
    "CANCELLED": Category.CANCELLED,
}
"""State type → category."""
LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def version_of(state: Row) -> int:
    """Return the version that a state of a run stands for: its time in microseconds; 0 without a state.

    Prefect 3 counts no versions. Its states have an id that cannot be compared; no two states of a run have one time.
    """
    moment = time(state, "timestamp")
    return (moment - _EPOCH) // timedelta(microseconds=1) if moment else 0


def family(name: str, kind: str | None) -> Category | None:
    """Return the category that a state type tells, None where the name tells the same."""
    told = FAMILIES.get(kind or "")
    return None if told is category_of(name) else told


def flow_run(row: Any, flows: Mapping[str, str], *, is_whole: bool = False) -> FlowRun:
    """Return the run that a row describes; `flows` holds the names of flows by id.

    What is called flow here is what runs are made from: the deployment. A run without one has no `flow_id`.
    """
    row = _object(row)
    state = child(row, "state")
    name = text(state, "name") or text(row, "state_name") or ""
    deployment = text(row, "deployment_id")
    return FlowRun(
        id=RunId(required_text(row, "id")),
        name=text(row, "name") or "",
        flow_id=FlowId(deployment) if deployment else None,
        flow_name=flows.get(text(row, "flow_id") or "", ""),
        version=version_of(state),
        state=name,
        state_message=text(state, "message"),
        state_timestamp=time(state, "timestamp"),
        state_start_time=time(child(state, "state_details"), "scheduled_time"),
        scheduled_start_time=time(row, "next_scheduled_start_time") or time(row, "expected_start_time"),
        start_time=time(row, "start_time"),
        end_time=time(row, "end_time"),
        created=time(row, "created"),
        updated=time(row, "updated"),
        labels=_texts(row, "tags"),
        auto_scheduled=flag(row, "auto_scheduled"),
        idempotency_key=text(row, "idempotency_key"),
        parameters=(object_or_none(row, "parameters") or {}) if is_whole else None,
        raw=row if is_whole else None,
        family=family(name, text(state, "type") or text(row, "state_type")),
    )


def state(row: Any) -> State:
    """Return one state of a run's history."""
    row = _object(row)
    name = required_text(row, "name")
    return State(
        name=name,
        message=text(row, "message"),
        timestamp=time(row, "timestamp"),
        version=version_of(row),
        start_time=time(child(row, "state_details"), "scheduled_time"),
        family=family(name, text(row, "type")),
    )


def task_run(row: Any) -> TaskRun:
    """Return one task run."""
    row = _object(row)
    state_row = child(row, "state")
    count = row.get("run_count")
    return TaskRun(
        id=TaskRunId(required_text(row, "id")),
        name=text(row, "name") or "",
        task_slug=text(row, "task_key") or "",
        state=text(state_row, "name") or text(row, "state_name") or "",
        state_message=text(state_row, "message"),
        state_timestamp=time(state_row, "timestamp"),
        start_time=time(row, "start_time"),
        end_time=time(row, "end_time"),
        run_count=count if isinstance(count, int) else 0,
    )


def log_line(row: Any) -> LogLine:
    """Return one log line; it counts as arrived when it was written, the server does not tell."""
    row = _object(row)
    timestamp = time(row, "timestamp")
    if timestamp is None:
        raise Unreadable("timestamp: missing")
    level, task_id = row.get("level"), text(row, "task_run_id")
    return LogLine(
        id=text(row, "id") or "",
        timestamp=timestamp,
        level=LEVELS.get(level, str(level)) if isinstance(level, int) else "INFO",
        name=text(row, "name") or "",
        message=text(row, "message") or "",
        task_run_id=TaskRunId(task_id) if task_id else None,
        arrived=timestamp,
    )


def worker(row: Any) -> Agent:
    """Return one worker of a work pool."""
    row = _object(row)
    return Agent(
        id=required_text(row, "id"),
        name=text(row, "name"),
        type=text(row, "status"),
        last_queried=time(row, "last_heartbeat_time"),
    )


def deployment(row: Any, flows: Mapping[str, str]) -> Flow:
    """Return a deployment as what runs are made from: named FLOW/DEPLOYMENT, its parameters from its schema."""
    row = _object(row)
    flow_name = flows.get(text(row, "flow_id") or "", "")
    name = text(row, "name") or ""
    return Flow(
        id=FlowId(required_text(row, "id")),
        name=f"{flow_name}/{name}" if flow_name else name,
        project=text(row, "work_pool_name"),
        description=text(row, "description"),
        parameters=_parameters(child(row, "parameter_openapi_schema"), object_or_none(row, "parameters") or {}),
        is_schedule_active=not flag(row, "paused") and bool(row.get("schedules")),
        schedule=row.get("schedules") or None,
        created=time(row, "created"),
    )


def _parameters(schema: Row, given: Row) -> list[Parameter]:
    properties = object_or_none(schema, "properties") or {}
    required = schema.get("required")
    names = sorted(properties, key=lambda name: _place(properties[name]))
    found = []
    for name in names:
        one = properties[name] if isinstance(properties[name], dict) else {}
        default = given[name] if name in given else one.get("default")
        is_required = isinstance(required, list) and name in required and name not in given
        found.append(Parameter(name=name, required=is_required, default=default, annotation=_annotation(one, schema)))
    return found


def _place(one: Any) -> tuple[bool, int]:
    position = one.get("position") if isinstance(one, dict) else None
    return (not isinstance(position, int), position if isinstance(position, int) else 0)


def _annotation(one: Row, schema: Row) -> str | None:
    """Return the kind of a property for the form; None = any JSON."""
    one = _resolved(_present(one), schema)
    choices = one.get("enum")
    if isinstance(choices, list) and choices and all(isinstance(c, str) and c and "|" not in c for c in choices):
        return "|".join(choices) if len(choices) > 1 else None
    kind = one.get("type")
    if kind == "string":
        return {"date": "date", "date-time": "datetime"}.get(str(one.get("format")), "str")
    return {"integer": "int", "number": "float", "boolean": "bool", "array": "json", "object": "json"}.get(str(kind))


def _present(one: Row) -> Row:
    """Return what a value is when it is there, of a property that may be null."""
    kinds = one.get("anyOf")
    if isinstance(kinds, list):
        left = [kind for kind in kinds if isinstance(kind, dict) and kind.get("type") != "null"]
        return left[0] if len(left) == 1 else {}
    return one


def _resolved(one: Row, schema: Row) -> Row:
    """Follow a reference into the schema's own definitions, one step: those hold none of their own at the top."""
    reference = one.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/definitions/"):
        target = child(schema, "definitions").get(reference.removeprefix("#/definitions/"))
        return target if isinstance(target, dict) else {}
    return one


def _texts(row: Row, key: str) -> list[str]:
    value = row.get(key)
    if value is None:
        return []
    if isinstance(value, list):
        return sorted(str(item) for item in value)
    raise Unreadable(f"{key}: list expected")


def _object(row: Any) -> Row:
    if isinstance(row, dict):
        return row
    raise Unreadable("object expected")
