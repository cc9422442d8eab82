"""Scalars: what may be written where, and what stands in for what. Source: contract.md §7.

A malformed id or time is no validation error: the value passes here as text, and the mutation (BAD_USER_INPUT) or the
query (data-exception) refuses it at HTTP 200, as old clients expect.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, ValueNode
from graphql.language import StringValueNode, print_ast
from graphql.utilities import value_from_ast_untyped

SAME: tuple[frozenset[str], ...] = (
    frozenset({"uuid", "UUID", "String"}),
    frozenset({"timestamptz", "DateTime", "String"}),
    frozenset({"interval", "String"}),
    frozenset({"jsonb", "JSON"}),
)
"""Types that stand in for each other in every position of a variable."""

_TEXTUAL = ("uuid", "UUID", "timestamptz", "DateTime", "interval")


def _text_value(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"{name} must be text")
    return value


def _text_literal(name: str, node: ValueNode) -> str:
    if not isinstance(node, StringValueNode):
        raise GraphQLError(f"{name} must be text in quotes, not {print_ast(node)[:40]}", node)
    return node.value


def _json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
    return value_from_ast_untyped(node, variables)


def _as_it_is(value: Any) -> Any:
    return value


def give_meaning(schema: GraphQLSchema) -> None:
    """Give the scalars of a schema built from SDL their parsing."""
    for name in _TEXTUAL:
        scalar = _scalar(schema, name)
        scalar.coerce_input_value = partial(_text_value, name)
        scalar.coerce_input_literal = partial(_text_literal, name)
    for name in ("jsonb", "JSON"):
        scalar = _scalar(schema, name)
        scalar.coerce_input_value = _as_it_is
        # the older hook: it is handed the variables, so that what is in them is never turned into a literal and back
        vars(scalar)["parse_literal"] = _json_literal


def _scalar(schema: GraphQLSchema, name: str) -> GraphQLScalarType:
    scalar = schema.type_map[name]
    assert isinstance(scalar, GraphQLScalarType)
    return scalar
