"""Inputs of mutations: keys in one spelling, ids and times in stored form, text that can be stored.

What depends on the database or on the rules of states is checked by the operation itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
)

from flowlatch.server.conditions import is_storable, stored_id
from flowlatch.server.schema import input_keys
from flowlatch.server.spelling import camel
from flowlatch.store.base import Refusal
from flowlatch.store.times import FORMS, canonical_time

MAX_ENTRIES = 1_000
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Form:
    """What an input type says of its keys."""

    names: dict[str, str]
    """Key in either spelling → the snake_case one."""
    required: tuple[str, ...]
    converters: dict[str, Convert]
    """Of the keys whose values are kept in another form than they are sent, or must be looked at."""


@cache
def _form(kind: GraphQLInputObjectType) -> _Form:
    keys = input_keys(kind.name)
    types = {name: kind.fields[name if name in kind.fields else camel(name)].type for name in keys}
    found = {name: _converter(name, given) for name, given in types.items()}
    return _Form(
        {spelled: name for name in keys for spelled in (name, camel(name))},
        tuple(name for name, is_required in keys.items() if is_required),
        {name: convert for name, convert in found.items() if convert is not None},
    )


def plain_inputs(kind: GraphQLInputObjectType, given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a mutation as its operation takes them. Raises `Refusal` BAD_USER_INPUT."""
    form, inputs = _form(kind), {}
    for key, value in given.items():
        name = form.names[key]
        if name in inputs:
            raise Refusal("BAD_USER_INPUT", f"{name} is given twice, as {name} and as {camel(name)}")
        inputs[name] = value
    for name in form.required:
        if inputs.get(name) is None:
            raise Refusal("BAD_USER_INPUT", f"{name} is missing")
    for name, convert in form.converters.items():
        if inputs.get(name) is not None:
            inputs[name] = convert(inputs[name])
    return inputs


def _converter(name: str, kind: GraphQLInputType) -> Convert | None:
    """Return what turns a value of a type, which is not null, into its stored form; None if nothing needs to."""
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        return _list_converter(name, kind.of_type)
    if isinstance(kind, GraphQLInputObjectType):
        return partial(plain_inputs, kind)
    match get_named_type(kind).name:
        case "UUID" | "uuid":
            return lambda value: stored_id(value, "BAD_USER_INPUT", name)
        case "DateTime" | "timestamptz":
            return partial(stored_moment, name)
        case "String":
            return partial(_storable, name)
        case _:
            return None


def _list_converter(name: str, kind: GraphQLInputType) -> Convert | None:
    convert = _converter(name, kind)
    is_bounded = name == "states" and isinstance(get_named_type(kind), GraphQLInputObjectType)
    if convert is None:
        return None
    each = convert

    def converted(values: list[Any]) -> list[Any]:
        if is_bounded and len(values) > MAX_ENTRIES:
            raise Refusal("BAD_USER_INPUT", f"{name}: at most {MAX_ENTRIES} entries, not {len(values)}")
        return [None if value is None else each(value) for value in values]

    return converted


def stored_moment(name: str, text: str) -> str:
    """Return a time as stored. Raises `Refusal` BAD_USER_INPUT."""
    try:
        return canonical_time(text)
    except ValueError as error:
        say = str(error) if FORMS in str(error) else f"{error}; the form is {FORMS}"
        raise Refusal("BAD_USER_INPUT", f"{name}: {say}: {text[:80]!r}") from None


def _storable(name: str, text: str) -> str:
    if not is_storable(text):
        raise Refusal("BAD_USER_INPUT", f"{name}: text may not contain NUL or an unpaired surrogate")
    return text
