"""Answers that are values and no rows: payloads of mutations and meta queries, cut to what was selected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from graphql import GraphQLObjectType, get_named_type

from flowlatch.server.relations import TABLES
from flowlatch.server.selection import Field, Request, definition

RowReader = Callable[[str, str, Field], Awaitable[Any]]
"""(table, id, field) → the selected columns of that row, ready for the answer."""


async def selected(request: Request, kind: Any, fields: list[Field], value: dict[str, Any], row: RowReader) -> Any:
    """Return the selected members of a value; a field whose type is a table is read by `row` with the value's id."""
    named = get_named_type(kind)
    assert isinstance(named, GraphQLObjectType)
    answer: dict[str, Any] = {}
    for field in fields:
        if field.name == "__typename":
            answer[field.key] = named.name
            continue
        inner = get_named_type(definition(named, field.name).type)
        member = value.get(field.name)
        if inner.name in TABLES:
            answer[field.key] = await row(inner.name, value["id"], field) if value.get("id") else None
        elif isinstance(inner, GraphQLObjectType) and isinstance(member, list):
            below = request.fields(field.selections)
            answer[field.key] = [await selected(request, inner, below, item, row) for item in member]
        elif isinstance(inner, GraphQLObjectType) and member is not None:
            answer[field.key] = await selected(request, inner, request.fields(field.selections), member, row)
        else:
            answer[field.key] = member
    return answer
