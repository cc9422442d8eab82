"""How the tables of the read side hang together, and what a column is on the wire. Source: contract.md §3.2, §3.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowlatch.store import schema as tables
from flowlatch.store.schema import INTERNAL_COLUMNS, WIRE_TABLES
from flowlatch.store.tables import Column, Table

TABLES: Mapping[str, Table] = {table.name: table for table in WIRE_TABLES}


@dataclass(frozen=True)
class Relation:
    """A way from a row of one table to one row (`many` False) or several rows of another: `target.remote = local`."""

    target: Table
    local: str
    remote: str
    many: bool


def _one(target: str, local: str) -> Relation:
    return Relation(TABLES[target], local, "id", many=False)


def _many(target: str, remote: str) -> Relation:
    return Relation(TABLES[target], "id", remote, many=True)


RELATIONS: Mapping[str, Mapping[str, Relation]] = {
    "tenant": {
        "projects": _many("project", "tenant_id"),
        "flows": _many("flow", "tenant_id"),
        "flow_groups": _many("flow_group", "tenant_id"),
    },
    "project": {"tenant": _one("tenant", "tenant_id"), "flows": _many("flow", "project_id")},
    "flow_group": {"tenant": _one("tenant", "tenant_id"), "flows": _many("flow", "flow_group_id")},
    "flow": {
        "project": _one("project", "project_id"),
        "flow_group": _one("flow_group", "flow_group_id"),
        "tenant": _one("tenant", "tenant_id"),
        "flow_runs": _many("flow_run", "flow_id"),
        "tasks": _many("task", "flow_id"),
        "edges": _many("edge", "flow_id"),
    },
    "task": {
        "flow": _one("flow", "flow_id"),
        "task_runs": _many("task_run", "task_id"),
        "upstream_edges": _many("edge", "downstream_task_id"),
        "downstream_edges": _many("edge", "upstream_task_id"),
    },
    "edge": {
        "flow": _one("flow", "flow_id"),
        "upstream_task": _one("task", "upstream_task_id"),
        "downstream_task": _one("task", "downstream_task_id"),
    },
    "flow_run": {
        "flow": _one("flow", "flow_id"),
        "tenant": _one("tenant", "tenant_id"),
        "agent": _one("agent", "agent_id"),
        "states": _many("flow_run_state", "flow_run_id"),
        "task_runs": _many("task_run", "flow_run_id"),
        "logs": _many("log", "flow_run_id"),
    },
    "flow_run_state": {"flow_run": _one("flow_run", "flow_run_id")},
    "task_run": {
        "flow_run": _one("flow_run", "flow_run_id"),
        "task": _one("task", "task_id"),
        "tenant": _one("tenant", "tenant_id"),
        "states": _many("task_run_state", "task_run_id"),
        "logs": _many("log", "task_run_id"),
        "artifacts": _many("task_run_artifact", "task_run_id"),
    },
    "task_run_state": {"task_run": _one("task_run", "task_run_id")},
    "log": {"flow_run": _one("flow_run", "flow_run_id"), "task_run": _one("task_run", "task_run_id")},
    "agent": {
        "tenant": _one("tenant", "tenant_id"),
        "agent_config": _one("agent_config", "agent_config_id"),
        "flow_runs": _many("flow_run", "agent_id"),
    },
    "agent_config": {"tenant": _one("tenant", "tenant_id")},
    "task_run_artifact": {"task_run": _one("task_run", "task_run_id")},
}

CURRENT_STATE: Mapping[str, Table] = {"flow_run": tables.flow_run_state, "task_run": tables.task_run_state}
"""Tables whose `serialized_state` is that of the state row that `state_id` names."""


def wire_columns(table: Table) -> dict[str, Column]:
    """Return the columns of a table that the wire shows, by name."""
    return {name: column for name, column in table.columns.items() if name not in INTERNAL_COLUMNS}


def scalar_of(column: Column) -> str:
    """Return the name of a column's type on the wire."""
    return str(column.kind)
