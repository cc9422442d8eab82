"""The tables a store is made of, with their indexes: what there is to know about how runs are kept.

Tables and columns are named exactly as on the read side of the wire (contract.md §3.2), so that the compiler of the
server maps one to the other by name. What is stored beside them is said at each table.

Encoding, the same for every table:

* `seq INTEGER PRIMARY KEY` on each row: order of insertion; SQLite ends every index by it.
* uuid: TEXT, lower case with hyphens. jsonb: TEXT, the JSON as it was sent, key order kept. bool: INTEGER 0 or 1.
* timestamptz: TEXT `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`, always UTC: sorts as time, is copied out as it is.
* interval: INTEGER microseconds, shown through the SQL function `flowlatch_interval(us)`.

`flow_run.serialized_state` and `task_run.serialized_state` are not stored twice: they are the `serialized_state` of the
state row that `state_id` names. `flow_run.idempotency` is the row of the table `idempotency` with that `flow_run_id`.

The statements that SQLAlchemy has no words for (full-text index, triggers) are in `store.derived`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class Uuid(TypeDecorator[str]):
    """A UUID as lower-case text with hyphens."""

    impl = Text
    cache_ok = True


class Timestamp(TypeDecorator[str]):
    """A time in UTC as text `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`."""

    impl = Text
    cache_ok = True


class Json(TypeDecorator[str]):
    """A JSON value as text."""

    impl = Text
    cache_ok = True


class Boolean(TypeDecorator[int]):
    """True or false as 1 or 0."""

    impl = Integer
    cache_ok = True


class Interval(TypeDecorator[int]):
    """A length of time in whole microseconds."""

    impl = Integer
    cache_ok = True


def _table(name: str, *columns: Any) -> Table:
    """Return a table of the read side: the columns every one of them has, then its own."""
    return Table(
        name,
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("id", Uuid, nullable=False, unique=True),
        Column("created", Timestamp, nullable=False),
        Column("updated", Timestamp, nullable=False),
        *columns,
    )


def _required(name: str, type_: Any, *rest: Any, default: str | None = None) -> Column[Any]:
    return Column(name, type_, *rest, nullable=False, server_default=text(default) if default else None)


def _owner(name: str, target: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column that names the row this one belongs to and goes with."""
    return Column(name, Uuid, ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable)


def _tenant() -> Column[Any]:
    return _owner("tenant_id", "tenant", nullable=True)


def _state_columns() -> list[Column[Any]]:
    """Return the columns that repeat the current state on its run."""
    return [
        Column("state_id", Uuid),
        Column("state", Text),
        Column("state_timestamp", Timestamp),
        Column("state_message", Text),
        Column("state_result", Json),
        Column("state_start_time", Timestamp),
        Column("actor", Text),  # of the current state; not in contract.md, design.md §9
    ]


def _timing_columns() -> list[Column[Any]]:
    return [
        Column("heartbeat", Timestamp),
        Column("start_time", Timestamp),
        Column("end_time", Timestamp),
        Column("duration", Interval),
    ]


def _history_columns() -> list[Column[Any]]:
    """Return the columns of one state of a run. `version` is the run's once the state was accepted."""
    return [
        _required("timestamp", Timestamp),
        _required("state", Text),
        Column("version", Integer),
        Column("message", Text),
        Column("result", Json),
        Column("start_time", Timestamp),
        _required("serialized_state", Json),
        Column("actor", Text),  # who set it; not in contract.md, design.md §9
    ]


tenant = _table(
    "tenant",
    _required("name", Text),
    _required("slug", Text),
    Column("info", Json),
    _required("settings", Json, default="'{}'"),
    Index("tenant_slug", "slug", unique=True),
)

project = _table(
    "project",
    _tenant(),
    _required("name", Text),
    Column("description", Text),
    Index("project_name", "tenant_id", "name", unique=True),
)

flow_group = _table(
    "flow_group",
    _tenant(),
    Column("name", Text),
    Column("description", Text),
    Column("labels", Json),
    Column("schedule", Json),
    Column("run_config", Json),
    _required("settings", Json, default="'{}'"),
    _required("default_parameters", Json, default="'{}'"),
    Index("flow_group_name", "tenant_id", "name", unique=True),
)

flow = _table(
    "flow",
    _tenant(),
    _owner("project_id", "project"),
    _owner("flow_group_id", "flow_group"),
    Column("version_group_id", Text),
    Column("version", Integer),
    _required("name", Text),
    Column("description", Text),
    _required("archived", Boolean, default="0"),
    Column("core_version", Text),
    Column("parameters", Json),
    Column("storage", Json),
    Column("environment", Json),
    Column("run_config", Json),
    Column("serialized_flow", Json),
    Column("schedule", Json),
    _required("is_schedule_active", Boolean, default="0"),
    _required("settings", Json, default="'{}'"),
    # the key of the registration that made this version (contract.md §2.2.1); not shown on the wire
    Column("registration_key", Text),
    Index("flow_project", "project_id", "name"),
    Index("flow_name", "name"),
    Index("flow_group_version", "flow_group_id", "version"),
    Index("flow_version_group", "version_group_id", "version"),
)

task = _table(
    "task",
    _tenant(),
    _owner("flow_id", "flow"),
    Column("name", Text),
    Column("slug", Text),
    Column("description", Text),
    Column("type", Text),
    Column("max_retries", Integer),
    Column("retry_delay", Interval),
    Column("trigger", Text),
    _required("mapped", Boolean, default="0"),
    _required("auto_generated", Boolean, default="0"),
    Column("cache_key", Text),
    _required("is_root_task", Boolean, default="0"),
    _required("is_terminal_task", Boolean, default="0"),
    _required("is_reference_task", Boolean, default="0"),
    _required("tags", Json, default="'[]'"),
    Index("task_slug", "flow_id", "slug", unique=True),
)

edge = _table(
    "edge",
    _tenant(),
    _owner("flow_id", "flow"),
    _owner("upstream_task_id", "task"),
    _owner("downstream_task_id", "task"),
    Column("key", Text),
    _required("mapped", Boolean, default="0"),
    Index("edge_flow", "flow_id"),
    Index("edge_upstream", "upstream_task_id"),
    Index("edge_downstream", "downstream_task_id"),
)

flow_run = _table(
    "flow_run",
    _tenant(),
    _owner("flow_id", "flow"),
    Column("name", Text),
    _required("version", Integer, default="0"),
    Column("parameters", Json),
    Column("context", Json),
    _required("labels", Json, default="'[]'"),
    Column("run_config", Json),
    _required("scheduled_start_time", Timestamp),
    _required("auto_scheduled", Boolean, default="0"),
    *_timing_columns(),
    Column("idempotency_key", Text),
    Column("agent_id", Uuid),
    Column("times_resurrected", Integer),
    *_state_columns(),
    # place of the run's last change, and of its making, in the sequence of changes; not shown on the wire
    _required("change_seq", Integer),
    _required("added_seq", Integer),
    # Lists: newest expected start first, then by id, alone or under one filter: a deep page walks the index alone.
    Index("flow_run_time", "scheduled_start_time", "id"),
    Index("flow_run_state_time", "state", "scheduled_start_time", "id"),
    Index("flow_run_flow_time", "flow_id", "scheduled_start_time", "id"),
    Index("flow_run_flow_state_time", "flow_id", "state", "scheduled_start_time", "id"),
    Index("flow_run_updated", "updated"),
    Index("flow_run_created", "created"),
    Index("flow_run_name_order", "name"),
    Index("flow_run_change", "change_seq", unique=True),
    # The queue: only waiting states have a start time, so this one stays small; agents walk it in order.
    Index("flow_run_due", "state_start_time", sqlite_where=text("state_start_time IS NOT NULL")),
    Index("flow_run_key", "idempotency_key", sqlite_where=text("idempotency_key IS NOT NULL")),
    Index("flow_run_agent", "agent_id", sqlite_where=text("agent_id IS NOT NULL")),
)

flow_run_state = _table(
    "flow_run_state",
    _tenant(),
    _owner("flow_run_id", "flow_run"),
    *_history_columns(),
    Index("flow_run_state_version", "flow_run_id", "version", unique=True),
)

task_run = _table(
    "task_run",
    _tenant(),
    _owner("flow_run_id", "flow_run"),
    _owner("task_id", "task"),
    _required("map_index", Integer, default="-1"),
    Column("name", Text),
    _required("version", Integer, default="0"),
    _required("run_count", Integer, default="0"),
    Column("cache_key", Text),
    *_timing_columns(),
    *_state_columns(),
    Index("task_run_place", "flow_run_id", "task_id", "map_index", unique=True),
    Index("task_run_task", "task_id"),
    Index("task_run_state_time", "state", "state_timestamp"),
    Index("task_run_due", "state_start_time", sqlite_where=text("state_start_time IS NOT NULL")),
    Index("task_run_cache", "cache_key", sqlite_where=text("cache_key IS NOT NULL")),
)

task_run_state = _table(
    "task_run_state",
    _tenant(),
    _owner("task_run_id", "task_run"),
    *_history_columns(),
    Index("task_run_state_version", "task_run_id", "version", unique=True),
)

log = _table(
    "log",
    _tenant(),
    _owner("flow_run_id", "flow_run", nullable=True),
    Column("task_run_id", Uuid),
    _required("timestamp", Timestamp),
    Column("name", Text),
    Column("level", Text),
    Column("message", Text),
    Column("info", Json),
    Index("log_flow_run", "flow_run_id", "timestamp"),
    Index("log_task_run", "task_run_id", "timestamp", sqlite_where=text("task_run_id IS NOT NULL")),
)

agent_config = _table(
    "agent_config",
    _tenant(),
    Column("name", Text),
    _required("settings", Json, default="'{}'"),
)

agent = _table(
    "agent",
    _tenant(),
    Column("agent_config_id", Uuid),
    Column("name", Text),
    Column("type", Text),
    Column("core_version", Text),
    _required("labels", Json, default="'[]'"),
    Column("last_queried", Timestamp),
)

task_run_artifact = _table(
    "task_run_artifact",
    _tenant(),
    _owner("task_run_id", "task_run"),
    _required("kind", Text),
    _required("data", Json),
    Index("artifact_task_run", "task_run_id"),
)

# ---- what is kept beside the tables of the wire --------------------------------------------------------------------

idempotency = Table(
    "idempotency",
    metadata,
    Column("flow_id", Uuid, ForeignKey("flow.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    # checked at COMMIT: the statement that claims a key stands before the one that makes its run
    Column(
        "flow_run_id",
        Uuid,
        ForeignKey("flow_run.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    _required("expires_at", Timestamp),  # last use + window; from then on the key is free
    _required("uses", Integer),  # creates answered with this run, the first included
    _required("fingerprints", Json),  # input name -> SHA-256 of its canonical JSON, at the first use
    Index("idempotency_run", "flow_run_id"),
    sqlite_with_rowid=False,
)
"""The live idempotency keys: one row for each (flow, key), gone with its run. Source: contract.md §5."""

flow_run_label = Table(
    "flow_run_label",
    metadata,
    Column("label", Text, primary_key=True),
    Column("scheduled_start_time", Timestamp, primary_key=True),
    Column("run_seq", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""`flow_run.labels` taken apart, so that "newest runs with this label" is one walk. Kept by triggers."""

state_count = Table(
    "state_count",
    metadata,
    Column("state", Text, primary_key=True, nullable=False),
    _required("runs", Integer),
    sqlite_with_rowid=False,
)
"""Number of flow runs by current state, kept by triggers: the tabs ask for it with every refresh."""

gone_run = Table(
    "gone_run",
    metadata,
    Column("change_seq", Integer, primary_key=True),
    _required("run_id", Uuid),
)
"""Deleted runs, for clients that still show them; the oldest are dropped and `store_clock.gone_floor` raised."""

store_meta = Table(
    "store_meta",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    _required("value", Text),
    sqlite_with_rowid=False,
)
"""`server_id`: UUID made with the database. `created`: when."""

store_clock = Table(
    "store_clock",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True),
    _required("last_time", Timestamp),  # no transaction is older than the one before it: design.md §7
    _required("change_seq", Integer),  # newest number of the sequence of changes
    _required("gone_floor", Integer),  # changes up to here may lack deleted runs
)
"""One row: the clock and the sequence of changes of this database."""

WIRE_TABLES: tuple[Table, ...] = (
    tenant,
    project,
    flow_group,
    flow,
    task,
    edge,
    flow_run,
    flow_run_state,
    task_run,
    task_run_state,
    log,
    agent_config,
    agent,
    task_run_artifact,
)
"""The tables of contract.md §3.2, owners before what they own."""

INTERNAL_COLUMNS = frozenset({"seq", "change_seq", "added_seq", "registration_key"})
"""Columns of those tables that are not shown on the wire."""
