"""Tenants and their projects. Source: contract.md §2.2."""

from __future__ import annotations

import re
from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.flow_run_edits import note_gone
from flowlatch.store.operations.rows import (
    bad_input,
    check_text,
    column,
    insert,
    not_found,
    one,
    success,
    uniqueness,
    update,
)

NAME_LIMIT = 1_024
"""Characters of the name of a tenant or a project at most."""
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def create_tenant(tx: Tx, *, name: str, slug: str) -> dict[str, Any]:
    """Create a tenant: `{id}`. The slug is lower-case words joined by hyphens, and unique."""
    check_text(name, "name", NAME_LIMIT)
    if not _SLUG.fullmatch(slug):
        raise bad_input("slug must be lower-case letters and digits in words joined by hyphens, like my-team")
    if one(tx, "SELECT 1 FROM tenant WHERE slug = ?", (slug,)):
        raise uniqueness()
    return {"id": insert(tx, "tenant", {"name": name, "slug": slug})}


def tenant_or_default(tx: Tx, tenant_id: str | None) -> str:
    """Return the given tenant, else the request's, else the oldest one. Raises `Refusal` NOT_FOUND."""
    wanted = tenant_id or tx.origin.tenant_id
    if wanted is None:
        return str(column(tx, "SELECT id FROM tenant ORDER BY seq LIMIT 1")[0])
    if not one(tx, "SELECT 1 FROM tenant WHERE id = ?", (wanted,)):
        raise not_found("tenant", wanted)
    return wanted


def create_project(
    tx: Tx, *, name: str, tenant_id: str | None = None, description: str | None = None
) -> dict[str, Any]:
    """Create a project: `{id}`. A name that the tenant has already is refused by `Uniqueness violation.`"""
    check_text(name, "name", NAME_LIMIT)
    tenant = tenant_or_default(tx, tenant_id)
    _refuse_taken(tx, tenant, name)
    return {"id": insert(tx, "project", {"tenant_id": tenant, "name": name, "description": description})}


def _refuse_taken(tx: Tx, tenant_id: str, name: str) -> None:
    if one(tx, "SELECT 1 FROM project WHERE tenant_id IS ? AND name = ?", (tenant_id, name)):
        raise uniqueness()


def set_project_name(tx: Tx, *, project_id: str, name: str) -> dict[str, Any]:
    """Rename a project: `{id}`."""
    check_text(name, "name", NAME_LIMIT)
    row = one(tx, "SELECT tenant_id, name FROM project WHERE id = ?", (project_id,))
    if row is None:
        raise not_found("project", project_id)
    if row[1] != name:
        _refuse_taken(tx, row[0], name)
        update(tx, "project", project_id, {"name": name})
    return {"id": project_id}


def set_project_description(tx: Tx, *, project_id: str, description: str | None = None) -> dict[str, Any]:
    """Describe a project: `{id}`."""
    if not update(tx, "project", project_id, {"description": description}):
        raise not_found("project", project_id)
    return {"id": project_id}


def delete_project(tx: Tx, *, project_id: str) -> dict[str, Any]:
    """Delete a project with its flows and their runs: `{success}`, false if there is no such project."""
    runs = "SELECT flow_run.id FROM flow_run JOIN flow ON flow.id = flow_run.flow_id WHERE flow.project_id = ?"
    note_gone(tx, column(tx, runs, (project_id,)))
    return success(bool(tx.execute("DELETE FROM project WHERE id = ?", (project_id,)).rowcount))
