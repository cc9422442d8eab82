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

What is no table or index (full-text index, triggers) is in `store.sqlite.derived`.
"""

from __future__ import annotations

from flowlatch.store.tables import Column, Index, Kind, Table

SHORT_MESSAGE = 200
"""Characters of a message that is kept in an index of messages too."""


def _table(name: str, *parts: Column | Index) -> Table:
    """Return a table of the read side: the columns every one of them has, then its own, and its indexes."""
    columns = (
        _required("seq", Kind.INTEGER),
        _required("id", Kind.UUID),
        _required("created", Kind.TIMESTAMP),
        _required("updated", Kind.TIMESTAMP),
        *(part for part in parts if isinstance(part, Column)),
    )
    return Table(name, columns, tuple(part for part in parts if isinstance(part, Index)), unique=("id",))


def _required(name: str, kind: Kind = Kind.TEXT, *, default: str | None = None) -> Column:
    return Column(name, kind, nullable=False, default=default)


def _owner(name: str, table: str, *, nullable: bool = False) -> Column:
    """Return a column that names the row this one belongs to and goes with."""
    return Column(name, Kind.UUID, nullable=nullable, owner=table)


def _tenant() -> Column:
    return _owner("tenant_id", "tenant", nullable=True)


def _state_columns() -> list[Column]:
    """Return the columns that repeat the current state on its run."""
    return [
        Column("state_id", Kind.UUID),
        Column("state"),
        Column("state_timestamp", Kind.TIMESTAMP),
        Column("state_message"),
        Column("state_result", Kind.JSON),
        Column("state_start_time", Kind.TIMESTAMP),
        Column("actor"),  # of the current state; not in contract.md, design.md §9
    ]


def _timing_columns() -> list[Column]:
    return [
        Column("heartbeat", Kind.TIMESTAMP),
        Column("start_time", Kind.TIMESTAMP),
        Column("end_time", Kind.TIMESTAMP),
        Column("duration", Kind.INTERVAL),
    ]


def _history_columns() -> list[Column]:
    """Return the columns of one state of a run. `version` is the run's once the state was accepted."""
    return [
        _required("timestamp", Kind.TIMESTAMP),
        _required("state"),
        Column("version", Kind.INTEGER),
        Column("message"),
        Column("result", Kind.JSON),
        Column("start_time", Kind.TIMESTAMP),
        _required("serialized_state", Kind.JSON),
        Column("actor"),  # who set it; not in contract.md, design.md §9
    ]


tenant = _table(
    "tenant",
    _required("name"),
    _required("slug"),
    Column("info", Kind.JSON),
    _required("settings", Kind.JSON, default="'{}'"),
    Index("tenant_slug", ("slug",), unique=True),
)

project = _table(
    "project",
    _tenant(),
    _required("name"),
    Column("description"),
    Index("project_name", ("tenant_id", "name"), unique=True),
)

flow_group = _table(
    "flow_group",
    _tenant(),
    Column("name"),
    Column("description"),
    Column("labels", Kind.JSON),
    Column("schedule", Kind.JSON),
    Column("run_config", Kind.JSON),
    _required("settings", Kind.JSON, default="'{}'"),
    _required("default_parameters", Kind.JSON, default="'{}'"),
    Index("flow_group_name", ("tenant_id", "name"), unique=True),
)

flow = _table(
    "flow",
    _tenant(),
    _owner("project_id", "project"),
    _owner("flow_group_id", "flow_group"),
    Column("version_group_id"),
    Column("version", Kind.INTEGER),
    _required("name"),
    Column("description"),
    _required("archived", Kind.BOOLEAN, default="0"),
    Column("core_version"),
    Column("parameters", Kind.JSON),
    Column("storage", Kind.JSON),
    Column("environment", Kind.JSON),
    Column("run_config", Kind.JSON),
    Column("serialized_flow", Kind.JSON),
    Column("schedule", Kind.JSON),
    _required("is_schedule_active", Kind.BOOLEAN, default="0"),
    _required("settings", Kind.JSON, default="'{}'"),
    # the key of the registration that made this version (contract.md §2.2.1); not shown on the wire
    Column("registration_key"),
    Index("flow_project", ("project_id", "name")),
    Index("flow_name", ("name",)),
    Index("flow_group_version", ("flow_group_id", "version")),
    Index("flow_version_group", ("version_group_id", "version")),
)

task = _table(
    "task",
    _tenant(),
    _owner("flow_id", "flow"),
    Column("name"),
    Column("slug"),
    Column("description"),
    Column("type"),
    Column("max_retries", Kind.INTEGER),
    Column("retry_delay", Kind.INTERVAL),
    Column("trigger"),
    _required("mapped", Kind.BOOLEAN, default="0"),
    _required("auto_generated", Kind.BOOLEAN, default="0"),
    Column("cache_key"),
    _required("is_root_task", Kind.BOOLEAN, default="0"),
    _required("is_terminal_task", Kind.BOOLEAN, default="0"),
    _required("is_reference_task", Kind.BOOLEAN, default="0"),
    _required("tags", Kind.JSON, default="'[]'"),
    Index("task_slug", ("flow_id", "slug"), unique=True),
)

edge = _table(
    "edge",
    _tenant(),
    _owner("flow_id", "flow"),
    _owner("upstream_task_id", "task"),
    _owner("downstream_task_id", "task"),
    Column("key"),
    _required("mapped", Kind.BOOLEAN, default="0"),
    Index("edge_flow", ("flow_id",)),
    Index("edge_upstream", ("upstream_task_id",)),
    Index("edge_downstream", ("downstream_task_id",)),
)

flow_run = _table(
    "flow_run",
    _tenant(),
    _owner("flow_id", "flow"),
    Column("name"),
    _required("version", Kind.INTEGER, default="0"),
    Column("parameters", Kind.JSON),
    Column("context", Kind.JSON),
    _required("labels", Kind.JSON, default="'[]'"),
    Column("run_config", Kind.JSON),
    _required("scheduled_start_time", Kind.TIMESTAMP),
    _required("auto_scheduled", Kind.BOOLEAN, default="0"),
    *_timing_columns(),
    Column("idempotency_key"),
    Column("agent_id", Kind.UUID),
    Column("times_resurrected", Kind.INTEGER),
    *_state_columns(),
    # place of the run's last change, and of its making, in the sequence of changes; not shown on the wire
    _required("change_seq", Kind.INTEGER),
    _required("added_seq", Kind.INTEGER),
    # Lists: newest expected start first, then by id, alone or under one filter: a deep page walks the index alone.
    Index("flow_run_time", ("scheduled_start_time", "id")),
    Index("flow_run_state_time", ("state", "scheduled_start_time", "id")),
    Index("flow_run_flow_time", ("flow_id", "scheduled_start_time", "id")),
    Index("flow_run_flow_state_time", ("flow_id", "state", "scheduled_start_time", "id")),
    Index("flow_run_end", ("end_time", "id")),
    Index("flow_run_updated", ("updated",)),
    Index("flow_run_created", ("created",)),
    Index("flow_run_name_order", ("name",)),
    # Text in messages: most are the same few words, so that each text is looked at once; long ones are few.
    Index("flow_run_message", ("state_message",), where=f"length(state_message) <= {SHORT_MESSAGE}"),
    Index("flow_run_long_message", ("state_timestamp",), where=f"length(state_message) > {SHORT_MESSAGE}"),
    Index("flow_run_change", ("change_seq",), unique=True),
    # The queue: only waiting states have a start time, so this one stays small; agents walk it in order.
    Index("flow_run_due", ("state_start_time",), where="state_start_time IS NOT NULL"),
    Index("flow_run_key", ("idempotency_key",), where="idempotency_key IS NOT NULL"),
    Index("flow_run_agent", ("agent_id",), where="agent_id IS NOT NULL"),
)

flow_run_state = _table(
    "flow_run_state",
    _tenant(),
    _owner("flow_run_id", "flow_run"),
    *_history_columns(),
    Index("flow_run_state_version", ("flow_run_id", "version"), unique=True),
)

task_run = _table(
    "task_run",
    _tenant(),
    _owner("flow_run_id", "flow_run"),
    _owner("task_id", "task"),
    _required("map_index", Kind.INTEGER, default="-1"),
    Column("name"),
    _required("version", Kind.INTEGER, default="0"),
    _required("run_count", Kind.INTEGER, default="0"),
    Column("cache_key"),
    *_timing_columns(),
    *_state_columns(),
    Index("task_run_place", ("flow_run_id", "task_id", "map_index"), unique=True),
    Index("task_run_task", ("task_id",)),
    Index("task_run_state_time", ("state", "state_timestamp")),
    Index("task_run_due", ("state_start_time",), where="state_start_time IS NOT NULL"),
    Index("task_run_cache", ("cache_key",), where="cache_key IS NOT NULL"),
)

task_run_state = _table(
    "task_run_state",
    _tenant(),
    _owner("task_run_id", "task_run"),
    *_history_columns(),
    Index("task_run_state_version", ("task_run_id", "version"), unique=True),
)

log = _table(
    "log",
    _tenant(),
    _owner("flow_run_id", "flow_run", nullable=True),
    Column("task_run_id", Kind.UUID),
    _required("timestamp", Kind.TIMESTAMP),
    Column("name"),
    Column("level"),
    Column("message"),
    Column("info", Kind.JSON),
    Index("log_flow_run", ("flow_run_id", "timestamp")),
    Index("log_task_run", ("task_run_id", "timestamp"), where="task_run_id IS NOT NULL"),
)

agent_config = _table(
    "agent_config",
    _tenant(),
    Column("name"),
    _required("settings", Kind.JSON, default="'{}'"),
)

agent = _table(
    "agent",
    _tenant(),
    Column("agent_config_id", Kind.UUID),
    Column("name"),
    Column("type"),
    Column("core_version"),
    _required("labels", Kind.JSON, default="'[]'"),
    Column("last_queried", Kind.TIMESTAMP),
)

task_run_artifact = _table(
    "task_run_artifact",
    _tenant(),
    _owner("task_run_id", "task_run"),
    _required("kind"),
    _required("data", Kind.JSON),
    Index("artifact_task_run", ("task_run_id",)),
)

# ---- what is kept beside the tables of the wire --------------------------------------------------------------------

idempotency = Table(
    "idempotency",
    (
        Column("flow_id", Kind.UUID, nullable=False, owner="flow"),
        _required("key"),
        # checked at COMMIT: the statement that claims a key stands before the one that makes its run
        Column("flow_run_id", Kind.UUID, nullable=False, owner="flow_run", is_owner_deferred=True),
        _required("expires_at", Kind.TIMESTAMP),  # last use + window; from then on the key is free
        _required("uses", Kind.INTEGER),  # creates answered with this run, the first included
        _required("fingerprints", Kind.JSON),  # input name -> SHA-256 of its canonical JSON, at the first use
    ),
    (Index("idempotency_run", ("flow_run_id",)),),
    key=("flow_id", "key"),
    has_rowid=False,
)
"""The live idempotency keys: one row for each (flow, key), gone with its run. Source: contract.md §5."""

flow_run_label = Table(
    "flow_run_label",
    (_required("label"), _required("scheduled_start_time", Kind.TIMESTAMP), _required("run_seq", Kind.INTEGER)),
    key=("label", "scheduled_start_time", "run_seq"),
    has_rowid=False,
)
"""`flow_run.labels` taken apart, so that "newest runs with this label" is one walk. Kept by triggers."""

state_count = Table(
    "state_count", (_required("state"), _required("runs", Kind.INTEGER)), key=("state",), has_rowid=False
)
"""Number of flow runs by current state, kept by triggers: the tabs ask for it with every refresh."""

gone_run = Table(
    "gone_run", (_required("change_seq", Kind.INTEGER), _required("run_id", Kind.UUID)), key=("change_seq",)
)
"""Deleted runs, for clients that still show them; the oldest are dropped and `store_clock.gone_floor` raised."""

store_meta = Table("store_meta", (_required("name"), _required("value")), key=("name",), has_rowid=False)
"""`server_id`: UUID made with the database. `created`: when."""

store_clock = Table(
    "store_clock",
    (
        Column("one", Kind.INTEGER, nullable=False, check="one = 1"),
        _required("last_time", Kind.TIMESTAMP),  # no transaction is older than the one before it: design.md §7
        _required("change_seq", Kind.INTEGER),  # newest number of the sequence of changes
        _required("gone_floor", Kind.INTEGER),  # changes up to here may lack deleted runs
    ),
    key=("one",),
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

TABLES: tuple[Table, ...] = (
    *WIRE_TABLES,
    idempotency,
    flow_run_label,
    state_count,
    gone_run,
    store_meta,
    store_clock,
)
"""Every table, in the order in which they can be made."""

INTERNAL_COLUMNS = frozenset({"seq", "change_seq", "added_seq", "registration_key"})
"""Columns of those tables that are not shown on the wire."""
