"""Rows of a GraphQL answer become values; a row that is not what the schema promises raises `Unreadable`.

A foreign server may answer anything: types are checked, not coerced (a version sent as text is no version), while
words that were never seen, such as another state's name, pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import (
    Agent,
    Flow,
    FlowId,
    FlowRun,
    FlowVersion,
    Idempotency,
    LogLine,
    Parameter,
    ProjectId,
    RunId,
    TaskEdge,
    TaskRun,
    TaskRunId,
)
from flowlatch.model.state import State

T = TypeVar("T")
Row = dict[str, Any]


class Unreadable(ValueError):
    """A row has a wrong shape; the message names the field."""


def text(row: Row, key: str) -> str | None:
    """Return a text field; None when it is null or was not asked for."""
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value
    raise Unreadable(f"{key}: text expected")


def required_text(row: Row, key: str) -> str:
    """Return a text field that is never null or empty."""
    value = text(row, key)
    if not value:
        raise Unreadable(f"{key}: missing")
    return value


def number(row: Row, key: str) -> int | None:
    """Return a whole number; None when it is null or was not asked for."""
    value = row.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise Unreadable(f"{key}: number expected")


def required_number(row: Row, key: str) -> int:
    """Return a whole number that is never null."""
    value = number(row, key)
    if value is None:
        raise Unreadable(f"{key}: missing")
    return value


def flag(row: Row, key: str) -> bool:
    """Return a boolean; null counts as false."""
    value = row.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise Unreadable(f"{key}: true or false expected")


def time(row: Row, key: str) -> datetime | None:
    """Return a timestamp, aware and in UTC (without a zone it is UTC already)."""
    value = text(row, key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{key}: timestamp expected") from error


def child(row: Row, key: str) -> Row:
    """Return a related row; empty when it is null or was not asked for."""
    value = row.get(key)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Unreadable(f"{key}: object expected")


def object_or_none(row: Row, key: str) -> dict[str, Any] | None:
    """Return a JSON object as it is; anything else counts as none."""
    value = row.get(key)
    return value if isinstance(value, dict) else None


def labels(row: Row) -> list[str]:
    """Return the labels; entries that are no text are shown as text."""
    value = row.get("labels")
    if value is None:
        return []
    if isinstance(value, list):
        return [str(label) for label in value]
    raise Unreadable("labels: list expected")


def flow_run(row: Any, *, is_whole: bool = False) -> FlowRun:
    """Return the run that a row describes; with `is_whole` also the row itself, as `raw`."""
    row = _object(row)
    flow_row = child(row, "flow")
    key_row = object_or_none(row, "idempotency")
    parameters = object_or_none(row, "parameters")
    return FlowRun(
        id=RunId(required_text(row, "id")),
        name=text(row, "name") or "",
        flow_id=_flow_id(row.get("flow_id")),
        flow_name=text(flow_row, "name") or "",
        flow_version=number(flow_row, "version"),
        version=required_number(row, "version"),
        state=text(row, "state") or "",
        state_message=text(row, "state_message"),
        state_timestamp=time(row, "state_timestamp"),
        state_start_time=time(row, "state_start_time"),
        state_result=row.get("state_result"),
        scheduled_start_time=time(row, "scheduled_start_time"),
        start_time=time(row, "start_time"),
        end_time=time(row, "end_time"),
        created=time(row, "created"),
        updated=time(row, "updated"),
        actor=text(row, "actor"),
        labels=labels(row),
        auto_scheduled=flag(row, "auto_scheduled"),
        idempotency_key=text(row, "idempotency_key"),
        idempotency=_idempotency(key_row) if key_row else None,
        parameters=(parameters or {}) if is_whole else parameters,
        context=object_or_none(row, "context"),
        run_config=row.get("run_config"),
        agent_id=text(row, "agent_id"),
        heartbeat=time(row, "heartbeat"),
        raw=row if is_whole else None,
    )


def _idempotency(row: Row) -> Idempotency:
    return Idempotency(expires_at=time(row, "expires_at"), uses=number(row, "uses") or 1)


def _flow_id(value: Any) -> FlowId | None:
    return FlowId(value) if isinstance(value, str) else None


def state(row: Any) -> State:
    """Return one state of a run's history."""
    row = _object(row)
    return State(
        name=required_text(row, "state"),
        message=text(row, "message"),
        timestamp=time(row, "timestamp"),
        version=number(row, "version") or 0,
        actor=text(row, "actor"),
        start_time=time(row, "start_time"),
        result=row.get("result"),
        serialized=object_or_none(row, "serialized_state"),
    )


def task_run(row: Any) -> TaskRun:
    """Return one task run."""
    row = _object(row)
    task = child(row, "task")
    return TaskRun(
        id=TaskRunId(required_text(row, "id")),
        name=text(row, "name") or text(task, "name") or "",
        task_slug=text(task, "slug") or "",
        map_index=-1 if number(row, "map_index") is None else required_number(row, "map_index"),
        version=number(row, "version") or 0,
        state=text(row, "state") or "",
        state_message=text(row, "state_message"),
        state_timestamp=time(row, "state_timestamp"),
        start_time=time(row, "start_time"),
        end_time=time(row, "end_time"),
        run_count=number(row, "run_count") or 0,
    )


def task_edge(row: Any) -> TaskEdge:
    """Return one edge between two tasks of a flow."""
    row = _object(row)
    ends = (child(row, "upstream_task"), child(row, "downstream_task"))
    upstream, downstream = (required_text(end, "slug") for end in ends)
    return TaskEdge(upstream=upstream, downstream=downstream)


def log_line(row: Any) -> LogLine:
    """Return one log line."""
    row = _object(row)
    timestamp = time(row, "timestamp")
    if timestamp is None:
        raise Unreadable("timestamp: missing")
    task_id, arrived = text(row, "task_run_id"), text(row, "created")
    return LogLine(
        id=text(row, "id") or "",
        timestamp=timestamp,
        level=intern(text(row, "level") or "INFO"),
        name=intern(text(row, "name") or ""),
        message=text(row, "message") or "",
        task_run_id=TaskRunId(intern(task_id)) if task_id else None,
        arrived=_arrival(arrived) if arrived else None,
    )


@lru_cache(maxsize=64)
def _arrival(written: str) -> datetime | None:
    """Return when a line arrived; thousands of lines arrive at once and share the value."""
    return time({"created": written}, "created")


def agent(row: Any) -> Agent:
    """Return one agent."""
    row = _object(row)
    return Agent(
        id=required_text(row, "id"),
        name=text(row, "name"),
        type=text(row, "type"),
        labels=labels(row),
        core_version=text(row, "core_version"),
        last_queried=time(row, "last_queried"),
    )


def flow(row: Any) -> Flow:
    """Return one version of a flow."""
    row = _object(row)
    project, group = child(row, "project"), child(row, "flow_group")
    project_id = text(row, "project_id") or text(project, "id")
    return Flow(
        id=FlowId(required_text(row, "id")),
        name=text(row, "name") or "",
        version=number(row, "version"),
        project=text(project, "name"),
        project_id=ProjectId(project_id) if project_id else None,
        version_group_id=text(row, "version_group_id"),
        archived=flag(row, "archived"),
        description=text(row, "description"),
        parameters=[_parameter(item) for item in _items(row, "parameters") if isinstance(item, dict)],
        is_schedule_active=flag(row, "is_schedule_active"),
        schedule=row.get("schedule") if group.get("schedule") is None else group["schedule"],
        is_group_schedule=group.get("schedule") is not None,
        created=time(row, "created"),
        versions=rows(group.get("flows"), _flow_version)[0],
    )


def _flow_version(row: Any) -> FlowVersion:
    row = _object(row)
    return FlowVersion(
        id=FlowId(required_text(row, "id")),
        version=number(row, "version"),
        archived=flag(row, "archived"),
        created=time(row, "created"),
    )


def _items(row: Row, key: str) -> list[Any]:
    value = row.get(key)
    return value if isinstance(value, list) else []


def _parameter(row: Row) -> Parameter:
    name = text(row, "name") or text(row, "slug") or ""
    annotation = row.get("annotation")
    return Parameter(
        name=name,
        required=flag(row, "required"),
        default=row.get("default"),
        annotation=annotation if isinstance(annotation, str) else None,
    )


def change_batch(row: Any) -> tuple[ChangeBatch, int]:
    """Return a batch of changes and how many of them could not be read."""
    row = _object(row)
    changes, unreadable = rows(row.get("changes"), _change)
    return ChangeBatch(cursor=required_text(row, "cursor"), resync=flag(row, "resync"), changes=changes), unreadable


def _change(row: Any) -> RunChange:
    row = _object(row)
    kind = text(row, "kind")
    if kind not in list(ChangeKind):
        raise Unreadable("kind: added, updated or gone expected")
    run_row = row.get("flow_run")
    if run_row is None:
        kind = ChangeKind.GONE
    return RunChange(
        id=RunId(required_text(row, "id")),
        kind=ChangeKind(kind),
        run=flow_run(run_row) if kind != ChangeKind.GONE else None,
    )


def rows(values: Any, convert: Callable[[Any], T]) -> tuple[list[T], int]:
    """Convert each row of a list; return the values and the number of rows that could not be read."""
    if not isinstance(values, list):
        return [], 0 if values is None else 1
    found: list[T] = []
    unreadable = 0
    for value in values:
        try:
            found.append(convert(value))
        except Unreadable:
            unreadable += 1
    return found, unreadable


def without_repeats(runs: Iterable[FlowRun]) -> tuple[list[FlowRun], int]:
    """Return the runs, each id once (the first), and the number of those left out."""
    first: dict[RunId, FlowRun] = {}
    repeats = 0
    for run in runs:
        if run.id in first:
            repeats += 1
        else:
            first[run.id] = run
    return list(first.values()), repeats


def _object(row: Any) -> Row:
    if isinstance(row, dict):
        return row
    raise Unreadable("object expected")
