"""The variables of a mutation, coerced without asking the schema anew for each request.

graphql-core walks the types of the schema for each value; here each type becomes a function once. Whatever is not as
usual is left to graphql-core, so that both agree and its errors are the ones that are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    OperationDefinitionNode,
    Undefined,
    assert_leaf_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

from flowlatch.server.schema import schema

Read = Callable[[Any], Any]
"""Takes a value of a request and returns it coerced. Raises one of `_UNUSUAL`."""
_UNUSUAL = (GraphQLError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


class Variables:
    """The variables that an operation defines."""

    def __init__(self, operation: OperationDefinitionNode) -> None:
        self._nodes = operation.variable_definitions or ()
        self._names = [node.variable.name.value for node in self._nodes]
        self._signatures: tuple[GraphQLVariableSignature, ...] | None = None

    def quickly(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Return the coerced values if all are given and as expected, else None: then `coerced` says what is wrong."""
        if self._signatures is None:
            found = [get_variable_signature(schema(), node) for node in self._nodes]
            self._signatures = tuple(one for one in found if not isinstance(one, GraphQLError))
        try:
            values = {one.name: _reader(one.type)(given[one.name]) for one in self._signatures}
        except _UNUSUAL:
            return None
        sources = {one.name: VariableValueSource(one, given[one.name]) for one in self._signatures}
        return VariableValues(sources, values)

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the coerced values of the variables, or what is wrong with them."""
        known = {name: value for name, value in given.items() if name in self._names}
        return get_variable_values(schema(), self._nodes, known, max_errors=5)


@cache
def _reader(kind: GraphQLInputType) -> Read:
    """Return the function that coerces values of a type."""
    if isinstance(kind, GraphQLNonNull):
        return _required(_reader(kind.of_type))
    return _optional(_present(kind))


def _required(read: Read) -> Read:
    def required(value: Any) -> Any:
        if value is None:
            raise ValueError
        return read(value)

    return required


def _optional(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _present(kind: GraphQLInputType) -> Read:
    """Return the function that coerces values of a nullable type which are not null."""
    if isinstance(kind, GraphQLList):
        return _list(kind)
    if isinstance(kind, GraphQLInputObjectType):
        return _object(kind)
    read: Read = assert_leaf_type(kind).coerce_input_value
    return read


def _list(kind: GraphQLList[Any]) -> Read:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError
        item = _reader(kind.of_type)
        return [item(one) for one in value]

    return read


def _object(kind: GraphQLInputObjectType) -> Read:
    fields = kind.fields
    required = [name for name, field in fields.items() if isinstance(field.type, GraphQLNonNull)]
    is_plain = not kind.is_one_of and all(
        field.default is None and field.default_value is Undefined and field.out_name is None
        for field in fields.values()
    )
    readers: dict[str, Read] = {}

    def read(value: Any) -> dict[str, Any]:
        if not readers:  # not before all types are there: one may hold itself
            readers.update({name: _reader(field.type) for name, field in fields.items()})
        if not is_plain or not isinstance(value, dict):
            raise TypeError
        coerced = {name: readers[name](item) for name, item in value.items()}
        for name in required:
            if name not in coerced:
                raise LookupError
        return coerced

    return read
