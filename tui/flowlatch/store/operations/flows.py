"""Flows: registered, archived, deleted, scheduled. Source: contract.md §2.2, §5."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from flowlatch.model.state_type import StateType
from flowlatch.store.base import Tx
from flowlatch.store.operations.flow_documents import insert_edges, insert_tasks
from flowlatch.store.operations.flow_run_edits import note_gone
from flowlatch.store.operations.flow_run_states import put_flow_run_state
from flowlatch.store.operations.rows import (
    bad_input,
    check_text,
    column,
    insert,
    not_found,
    one,
    optional_json,
    success,
    to_json,
    update,
)
from flowlatch.store.operations.schedules import drop_scheduled_runs, schedule_flow
from flowlatch.store.operations.states import read_state, state_document

NAME_LIMIT = 1_024
"""Characters of a flow's name at most."""
UNPACKED_LIMIT = 64 * 1024 * 1024
"""Bytes of a compressed flow once unpacked at most."""


def create_flow(
    tx: Tx,
    *,
    project_id: str,
    serialized_flow: Any,
    set_schedule_active: bool | None = None,
    version_group_id: str | None = None,
    idempotency_key: str | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """Register a flow: `{id}`. Older versions of its group are archived.

    Without a group it joins the newest flow of that name in the project. The same key as the group's last
    registration, while that one is not archived, returns that flow and creates nothing. Source: contract.md §2.2.1.
    """
    document = _read_document(serialized_flow)
    project = one(tx, "SELECT tenant_id FROM project WHERE id = ?", (project_id,))
    if project is None:
        raise not_found("project", project_id)
    name = document["name"]
    group_name = version_group_id or _group_of(tx, project_id, name) or tx.new_id()
    last = one(
        tx,
        "SELECT id, version, archived, registration_key FROM flow WHERE version_group_id = ? AND tenant_id IS ? "
        "ORDER BY version DESC LIMIT 1",
        (group_name, project[0]),
    )
    if last is not None and idempotency_key and not last[2] and last[3] == idempotency_key:
        return {"id": last[0]}
    _archive_group(tx, group_name, project[0])
    flow_id = _insert_flow(
        tx,
        document,
        {
            "tenant_id": project[0],
            "project_id": project_id,
            "flow_group_id": _flow_group(tx, group_name, project[0]),
            "version_group_id": group_name,
            "version": 1 if last is None else last[1] + 1,
            "description": description,
            "registration_key": idempotency_key,
        },
    )
    if set_schedule_active is not False:
        activate_schedule(tx, flow_id=flow_id)
    return {"id": flow_id}


def create_flow_from_compressed_string(tx: Tx, *, project_id: str, serialized_flow: str, **rest: Any) -> dict[str, Any]:
    """Register a flow that comes as base64 of gzip of JSON; `rest` as `create_flow`."""
    return create_flow(tx, project_id=project_id, serialized_flow=unpack_flow(serialized_flow), **rest)


def unpack_flow(packed: str) -> Any:
    """Return the document in base64 of gzip of JSON. Raises `Refusal`; unpacks `UNPACKED_LIMIT` bytes at most."""
    try:
        raw = base64.b64decode(packed, validate=True)
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        text = unpacker.decompress(raw, UNPACKED_LIMIT)
        if unpacker.unconsumed_tail:
            raise bad_input(f"serialized_flow has more than {UNPACKED_LIMIT} bytes when unpacked")
        if not unpacker.eof:
            raise ValueError("cut short")
        return json.loads(text)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise bad_input("serialized_flow must be base64 of gzip of JSON") from None


def _read_document(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise bad_input("serialized_flow must be a JSON object")
    check_text(document.get("name"), "serialized_flow.name", NAME_LIMIT)
    for key in ("parameters", "tasks", "edges"):
        if document.get(key) is not None and not isinstance(document[key], list):
            raise bad_input(f"serialized_flow.{key} must be a list")
    if not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in document.get("parameters") or []
    ):
        raise bad_input("serialized_flow.parameters must be a list of objects with a name")
    return document


def _group_of(tx: Tx, project_id: str, name: str) -> str | None:
    row = one(
        tx,
        "SELECT version_group_id FROM flow WHERE project_id = ? AND name = ? ORDER BY seq DESC LIMIT 1",
        (project_id, name),
    )
    return row[0] if row else None


def _flow_group(tx: Tx, name: str, tenant_id: str | None) -> str:
    row = one(tx, "SELECT id FROM flow_group WHERE tenant_id IS ? AND name = ?", (tenant_id, name))
    return str(row[0]) if row else insert(tx, "flow_group", {"tenant_id": tenant_id, "name": name})


def _insert_flow(tx: Tx, document: dict[str, Any], place: dict[str, Any]) -> str:
    version = document.get("__version__")
    flow_id = insert(
        tx,
        "flow",
        {
            **place,
            "name": document["name"],
            "core_version": version if isinstance(version, str) else None,
            "parameters": to_json(document.get("parameters") or [], "serialized_flow.parameters"),
            "storage": optional_json(document.get("storage"), "serialized_flow.storage"),
            "environment": optional_json(document.get("environment"), "serialized_flow.environment"),
            "run_config": optional_json(document.get("run_config"), "serialized_flow.run_config"),
            "serialized_flow": to_json(document, "serialized_flow"),
            "schedule": optional_json(document.get("schedule"), "serialized_flow.schedule"),
        },
    )
    insert_tasks(tx, flow_id, place["tenant_id"], document.get("tasks") or [])
    insert_edges(tx, flow_id, place["tenant_id"], document.get("edges") or [], document)
    return flow_id


def archive_flow(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Archive a flow: `{success}`. Its auto-scheduled waiting runs are deleted, its other Scheduled ones cancelled."""
    row = one(tx, "SELECT archived FROM flow WHERE id = ?", (flow_id,))
    if row is None:
        raise not_found("flow", flow_id)
    if not row[0]:
        _archive(tx, flow_id)
    return success()


def _archive_group(tx: Tx, version_group_id: str, tenant_id: str | None) -> None:
    sql = "SELECT id FROM flow WHERE version_group_id = ? AND tenant_id IS ? AND archived = 0"
    for flow_id in column(tx, sql, (version_group_id, tenant_id)):
        _archive(tx, flow_id)


def _archive(tx: Tx, flow_id: str) -> None:
    update(tx, "flow", flow_id, {"archived": 1, "is_schedule_active": 0})
    drop_scheduled_runs(tx, flow_id)
    waiting = "SELECT id, version FROM flow_run WHERE flow_id = ? AND state = 'Scheduled' ORDER BY seq"
    document = state_document(StateType.CANCELLED, "The flow was archived.")
    for run_id, version in tx.execute(waiting, (flow_id,)).fetchall():
        put_flow_run_state(tx, run_id, version, read_state(tx, document))


def delete_flow(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Delete a flow with its runs: `{success}`, false if there is no such flow."""
    note_gone(tx, column(tx, "SELECT id FROM flow_run WHERE flow_id = ?", (flow_id,)))
    return success(bool(tx.execute("DELETE FROM flow WHERE id = ?", (flow_id,)).rowcount))


def update_flow_project(tx: Tx, *, flow_id: str, project_id: str) -> dict[str, Any]:
    """Move a flow to another project: `{id}`."""
    if not one(tx, "SELECT 1 FROM project WHERE id = ?", (project_id,)):
        raise not_found("project", project_id)
    if not update(tx, "flow", flow_id, {"project_id": project_id}):
        raise not_found("flow", flow_id)
    return {"id": flow_id}


def set_schedule_active(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Let the flow's schedule make runs: `{success}`. Nothing happens for a flow without one; clients do that."""
    if not one(tx, "SELECT 1 FROM flow WHERE id = ?", (flow_id,)):
        raise not_found("flow", flow_id)
    activate_schedule(tx, flow_id=flow_id)
    return success()


def activate_schedule(tx: Tx, *, flow_id: str) -> None:
    """Switch a schedule on if the flow or its group has one, and make its next runs."""
    has_schedule = """SELECT coalesce(flow_group.schedule, flow.schedule) FROM flow
        JOIN flow_group ON flow_group.id = flow.flow_group_id WHERE flow.id = ? AND flow.archived = 0"""
    row = one(tx, has_schedule, (flow_id,))
    if row is not None and row[0] is not None:
        update(tx, "flow", flow_id, {"is_schedule_active": 1})
        schedule_flow(tx, flow_id=flow_id)


def set_schedule_inactive(tx: Tx, *, flow_id: str) -> dict[str, Any]:
    """Stop the flow's schedule: `{success}`. The runs it made that still wait are deleted."""
    if not update(tx, "flow", flow_id, {"is_schedule_active": 0}):
        raise not_found("flow", flow_id)
    drop_scheduled_runs(tx, flow_id)
    return success()
