"""What changed since a cursor: the poll, and the rows that poll and push both show. Source: design.md §9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from graphql import GraphQLObjectType

from flowlatch.server.compile import compile_plan
from flowlatch.server.conditions import stored_id
from flowlatch.server.payloads import selected
from flowlatch.server.plan import Compare, Leaf, ListArguments, RootList, Values
from flowlatch.server.schema import schema
from flowlatch.server.selection import Field, Request, row_plan
from flowlatch.server.service import Service
from flowlatch.store.base import Change, Refusal

LIMIT = 1_000
_ID = "id of the row"


def cursor_text(server_id: str, seq: int) -> str:
    """Return the cursor of a place in the sequence of changes."""
    return f"{server_id}.{seq}"


def cursor_seq(service: Service, cursor: str) -> int | None:
    """Return the place a cursor names, or None when it is of another database. Raises `Refusal` for other text."""
    server_id, dot, seq = cursor.rpartition(".")
    if not dot or not (seq.isascii() and seq.isdigit()) or len(seq) > 18:
        raise Refusal("BAD_USER_INPUT", "since: not a cursor of flow_run_changes")
    stored_id(server_id, "BAD_USER_INPUT", "since")
    return int(seq) if server_id == service.store.server_id else None


def wanted_ids(arguments: dict[str, Any]) -> frozenset[str] | None:
    """Return the run ids to watch, None for all. Raises `Refusal`."""
    ids = arguments.get("ids")
    return None if ids is None else frozenset(stored_id(run_id, "BAD_USER_INPUT", "ids") for run_id in ids)


async def since(service: Service, request: Request, field: Field, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the value of `flow_run_changes`: what came after the cursor, each run once, newest row."""
    limit = arguments.get("limit")
    limit = LIMIT if limit is None else limit
    if not 0 < limit <= LIMIT:
        raise Refusal("BAD_USER_INPUT", f"limit must be 1 to {LIMIT}")
    ids = wanted_ids(arguments)
    cursor = arguments.get("since")
    seq = None if cursor is None else cursor_seq(service, cursor)
    if seq is None:
        return await start(service, resync=cursor is not None)
    found = await service.store.changes_since(seq, ids=None if ids is None else sorted(ids), limit=limit)
    if found is None:
        return await start(service, resync=True)
    return await batch(service, request, field, *found)


async def start(service: Service, *, resync: bool) -> dict[str, Any]:
    """Return an empty batch at the newest change."""
    seq = await service.store.last_seq()
    return {"cursor": cursor_text(service.store.server_id, seq), "resync": resync, "changes": []}


async def batch(
    service: Service, request: Request, field: Field, seq: int, changed: Sequence[Change]
) -> dict[str, Any]:
    """Return changes with the rows that `field` selects, ready to be cut to the selection.

    A run that is gone by the time it is read is told as gone.
    """
    part = _row_field(request, field)
    ids = [change.run_id for change in changed if change.kind != "gone"]
    rows = await _rows(service, request, part, ids) if part is not None else dict.fromkeys(ids)
    told = [
        {
            "id": change.run_id,
            "kind": change.kind if change.run_id in rows else "gone",
            "flow_run": rows.get(change.run_id),
        }
        for change in changed
    ]
    return {"cursor": cursor_text(service.store.server_id, seq), "resync": False, "changes": told}


def _row_field(request: Request, field: Field) -> Field | None:
    """Return the field `flow_run` within `changes`, merged, or None when it is not selected."""
    for changes in request.fields(field.selections):
        if changes.name == "changes":
            for part in request.fields(changes.selections):
                if part.name == "flow_run":
                    return part
    return None


async def _rows(service: Service, request: Request, part: Field, ids: list[str]) -> dict[str, Any]:
    """Return the selected columns of runs by id, as finished JSON."""
    if not ids:
        return {}
    values = Values()
    plan = row_plan(request, "flow_run", "", part, values)
    assert isinstance(plan, RootList)
    place = values.add(orjson.dumps(ids).decode())
    listed = RootList("flow_run", ListArguments(Compare("id", "_in", place)), (Leaf(_ID, "id"), *plan.selection))
    rows = [orjson.loads(text) for text in await service.rows(compile_plan(listed), values)]
    return {row.pop(_ID): row for row in rows}


async def cut(request: Request, field: Field, value: dict[str, Any]) -> dict[str, Any]:
    """Return a batch cut to what was selected."""
    kind = schema().type_map["flow_run_changes"]
    assert isinstance(kind, GraphQLObjectType)

    async def row(_table: str, _row_id: str, _part: Field) -> Any:
        raise AssertionError("rows are read in one statement before")

    return {field.key: await selected(request, kind, request.fields(field.selections), value, row)}
