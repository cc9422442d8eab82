"""What changed since a cursor: the poll, and the values that poll and push both show. Source: design.md §9."""

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
    """Return `flow_run_changes` cut to its selection: what came after the cursor, each run once, newest row."""
    limit = arguments.get("limit")
    limit = LIMIT if limit is None else limit
    if not 0 < limit <= LIMIT:
        raise Refusal("BAD_USER_INPUT", f"limit must be 1 to {LIMIT}")
    ids = wanted_ids(arguments)
    cursor = arguments.get("since")
    seq = None if cursor is None else cursor_seq(service, cursor)
    found = None if seq is None else await later(service, seq, ids, limit)
    if found is None:
        return await told(service, request, field, await service.store.last_seq(), [], resync=cursor is not None)
    return await told(service, request, field, *found)


async def later(
    service: Service, seq: int, ids: frozenset[str] | None, limit: int = LIMIT
) -> tuple[int, list[Change]] | None:
    """Return (place reached, changes after `seq`), at most `limit`; None when all must be loaded anew."""
    return await service.store.changes_since(seq, ids=None if ids is None else sorted(ids), limit=limit)


async def told(
    service: Service, request: Request, field: Field, seq: int, changed: Sequence[Change], *, resync: bool = False
) -> dict[str, Any]:
    """Return changes up to `seq` cut to the selection of `field`. Rows are read in one statement for each selection.

    A run that is gone by the time it is read is told as gone. Raises `Refusal` when the rows are too large.
    """
    ids = [change.run_id for change in changed if change.kind != "gone"]
    rows = {_place(part): await _rows(service, request, part, ids) for part in _row_fields(request, field)}
    gone = {run_id for found in rows.values() for run_id in ids if run_id not in found}
    value = {
        "cursor": cursor_text(service.store.server_id, seq),
        "resync": resync,
        "changes": [
            {"id": change.run_id, "kind": "gone" if change.run_id in gone else change.kind} for change in changed
        ],
    }

    async def row(_table: str, run_id: str, part: Field) -> Any:
        return None if run_id in gone else rows[_place(part)].get(run_id)

    kind = schema().type_map["flow_run_changes"]
    assert isinstance(kind, GraphQLObjectType)
    return dict(await selected(request, kind, request.fields(field.selections), value, row))


def _place(part: Field) -> tuple[int, ...]:
    """Return what tells a field of the document from all others."""
    return tuple(id(node) for node in part.nodes)


def _row_fields(request: Request, field: Field) -> list[Field]:
    """Return the fields `flow_run` within `changes`, under whatever names."""
    return [
        part
        for listed in request.fields(field.selections)
        if listed.name == "changes"
        for part in request.fields(listed.selections)
        if part.name == "flow_run"
    ]


async def _rows(service: Service, request: Request, part: Field, ids: list[str]) -> dict[str, Any]:
    """Return the selected columns of runs by id."""
    if not ids:
        return {}
    values = Values()
    plan = row_plan(request, "flow_run", "", part, values)
    assert isinstance(plan, RootList)
    place = values.add(orjson.dumps(ids).decode())
    listed = RootList("flow_run", ListArguments(Compare("id", "_in", place)), (Leaf(_ID, "id"), *plan.selection))
    rows = [orjson.loads(text) for text in await service.rows(compile_plan(listed, service.store.spelling), values)]
    return {row.pop(_ID): row for row in rows}
