"""Inputs of mutations: keys in one spelling, ids and times in stored form, text that can be stored.

What depends on the database or on the rules of states is checked by the operation itself.
"""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
)

from flowlatch.server.conditions import stored_id
from flowlatch.server.schema import input_keys
from flowlatch.server.spelling import camel, snake_keys
from flowlatch.store.base import Refusal
from flowlatch.store.times import FORMS, canonical_time

MAX_ENTRIES = 1_000


def plain_inputs(kind: GraphQLInputObjectType, given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a mutation as its operation takes them. Raises `Refusal` BAD_USER_INPUT."""
    keys = input_keys(kind.name)
    try:
        inputs = snake_keys(given, set(keys))
    except ValueError as error:
        raise Refusal("BAD_USER_INPUT", str(error)) from None
    for name, is_required in keys.items():
        if is_required and inputs.get(name) is None:
            raise Refusal("BAD_USER_INPUT", f"{name} is missing")
    return {name: _plain(name, _type_of(kind, name), value) for name, value in inputs.items()}


def _type_of(kind: GraphQLInputObjectType, name: str) -> GraphQLInputType:
    found: GraphQLInputType = kind.fields[name if name in kind.fields else camel(name)].type
    return found


def _plain(name: str, kind: GraphQLInputType, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        if isinstance(get_named_type(kind), GraphQLInputObjectType) and name == "states" and len(value) > MAX_ENTRIES:
            raise Refusal("BAD_USER_INPUT", f"{name}: at most {MAX_ENTRIES} entries, not {len(value)}")
        return [_plain(name, kind.of_type, item) for item in value]
    if isinstance(kind, GraphQLInputObjectType):
        return plain_inputs(kind, value)
    match get_named_type(kind).name:
        case "UUID" | "uuid":
            return stored_id(value, "BAD_USER_INPUT", name)
        case "DateTime" | "timestamptz":
            return stored_moment(name, value)
        case "String":
            return _storable(name, value)
        case _:
            return value


def stored_moment(name: str, text: str) -> str:
    """Return a time as stored. Raises `Refusal` BAD_USER_INPUT."""
    try:
        return canonical_time(text)
    except ValueError as error:
        say = str(error) if FORMS in str(error) else f"{error}; the form is {FORMS}"
        raise Refusal("BAD_USER_INPUT", f"{name}: {say}: {text[:80]!r}") from None


def _storable(name: str, text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal("BAD_USER_INPUT", f"{name}: text may not contain NUL or an unpaired surrogate")
    return text
