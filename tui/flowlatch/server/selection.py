"""From the fields of a document to a plan: fragments, directives and arguments are resolved here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values
from graphql.utilities import value_from_ast_untyped

from flowlatch.server.conditions import condition, order, stored_id
from flowlatch.server.plan import (
    Aggregate,
    AggregateFields,
    Constant,
    Counted,
    Folded,
    Idempotency,
    Leaf,
    ListArguments,
    Many,
    Nodes,
    One,
    Root,
    RootAggregate,
    RootList,
    Selected,
    Values,
)
from flowlatch.server.relations import RELATIONS, TABLES
from flowlatch.server.schema import schema
from flowlatch.store.base import Refusal
from flowlatch.store.tables import Table

_STEP = re.compile(r"\.([^.\[\]\"\0]+)|(\[\d{1,9}\])", re.ASCII)
_PATH = re.compile(f"(?:{_STEP.pattern})*", re.ASCII)


@dataclass(frozen=True)
class Field:
    """All nodes that share one response key, their definition and their arguments."""

    key: str
    name: str
    nodes: tuple[FieldNode, ...]

    @property
    def selections(self) -> tuple[SelectionSetNode, ...]:
        """The selection sets of all nodes, to be merged."""
        return tuple(node.selection_set for node in self.nodes if node.selection_set)


@dataclass(frozen=True)
class Request:
    """What the fields of one operation are resolved with."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    raw_variables: Mapping[str, Any]
    found: dict[tuple[int, ...], list[Field]] | None = None
    """Fields of the same document found before; see `documents.Document.fields`."""

    def fields(self, selections: tuple[SelectionSetNode, ...]) -> list[Field]:
        """Return the fields of merged selection sets, in the order of their first appearance; not to be changed."""
        if self.found is None:
            return self._fields(selections)
        place = tuple(map(id, selections))
        if place not in self.found:
            self.found[place] = self._fields(selections)
        return self.found[place]

    def _fields(self, selections: tuple[SelectionSetNode, ...]) -> list[Field]:
        grouped: dict[str, list[FieldNode]] = {}
        for selection_set in selections:
            for node in self._nodes(selection_set, frozenset()):
                grouped.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return [Field(key, nodes[0].name.value, tuple(nodes)) for key, nodes in grouped.items()]

    def _nodes(self, selection_set: SelectionSetNode, seen: frozenset[str]) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._nodes(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                fragment = self.fragments[node.name.value]
                yield from self._nodes(fragment.selection_set, seen | {node.name.value})

    def _is_included(self, node: Any) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def arguments(self, owner: GraphQLObjectType, field: Field) -> dict[str, Any]:
        """Return the coerced arguments of a field."""
        return get_argument_values(definition(owner, field.name), field.nodes[0], self.variables)

    def written(self, field: Field, argument: str) -> Any:
        """Return an argument as it was written, keys in the order of the document or of the variables."""
        for node in field.nodes[0].arguments or ():
            if node.name.value == argument:
                return value_from_ast_untyped(node.value, dict(self.raw_variables))
        return None


def definition(owner: GraphQLObjectType, name: str) -> GraphQLField:
    """Return a field of an object type."""
    field: GraphQLField = owner.fields[name]
    return field


def table_of(name: str) -> str | None:
    """Return the table that a root field reads, or None for another kind of field."""
    for suffix in ("", "_by_pk", "_aggregate"):
        base = name.removesuffix(suffix) if suffix else name
        if base in TABLES and name == base + suffix:
            return base
    return None


def root_plan(request: Request, field: Field, values: Values) -> Root:
    """Return the plan of a root field of a table. Raises `Refusal` for an operand that cannot be."""
    query = schema().query_type
    assert query is not None
    name = table_of(field.name)
    assert name is not None
    table = TABLES[name]
    if field.name.endswith("_by_pk"):
        place = values.add(stored_id(request.arguments(query, field)["id"]))
        return RootList(name, ListArguments(), _row(request, table, field, values), by_pk=place)
    arguments = _arguments(request, query, table, field, values)
    if field.name.endswith("_aggregate"):
        return RootAggregate(name, _aggregate(request, table, field, "", arguments, values))
    return RootList(name, arguments, _row(request, table, field, values))


def row_plan(request: Request, table: str, row_id: str, field: Field, values: Values) -> Root:
    """Return the plan of one row known by its id: what a mutation's payload or a live change shows of it."""
    return RootList(table, ListArguments(), _row(request, TABLES[table], field, values), by_pk=values.add(row_id))


def _type(name: str) -> GraphQLObjectType:
    kind = schema().type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return kind


def _arguments(request: Request, owner: GraphQLObjectType, table: Table, field: Field, values: Values) -> ListArguments:
    if not field.nodes[0].arguments:
        return ListArguments()
    given = request.arguments(owner, field)
    places: dict[str, int] = {}
    for name in ("limit", "offset"):
        if given.get(name) is not None:
            if given[name] < 0:
                raise Refusal("data-exception", f"{name} must be 0 or more, not {given[name]}")
            places[name] = values.add(given[name])
    written = request.written(field, "order_by") if given.get("order_by") else None
    return ListArguments(
        where=condition(table, given.get("where"), values),
        order_by=order(table, written) if written else (),
        limit=places.get("limit"),
        offset=places.get("offset"),
        distinct_on=tuple(given.get("distinct_on") or ()),
    )


def _row(request: Request, table: Table, field: Field, values: Values) -> tuple[Selected, ...]:
    owner = _type(table.name)
    return tuple(_selected(request, owner, table, child, values) for child in request.fields(field.selections))


def _selected(request: Request, owner: GraphQLObjectType, table: Table, field: Field, values: Values) -> Selected:
    if field.name == "__typename":
        return Constant(field.key, table.name)
    relation = RELATIONS[table.name].get(field.name.removesuffix("_aggregate"))
    if field.name == "idempotency" and table.name == "flow_run":
        return Idempotency(field.key, _leaves(request, field, "flow_run_idempotency"))
    if relation is None or field.name in table.columns:
        path = request.arguments(owner, field).get("path") if field.nodes[0].arguments else None
        return Leaf(field.key, field.name, None if path is None else values.add(json_path(path)))
    target = relation.target
    if not relation.many:
        return One(field.key, field.name, _row(request, target, field, values))
    arguments = _arguments(request, owner, target, field, values)
    if field.name.endswith("_aggregate"):
        return _aggregate(request, target, field, field.name.removesuffix("_aggregate"), arguments, values)
    return Many(field.key, field.name, arguments, _row(request, target, field, values))


def _leaves(request: Request, field: Field, type_name: str) -> tuple[Leaf | Constant, ...]:
    return tuple(
        Constant(child.key, type_name) if child.name == "__typename" else Leaf(child.key, child.name)
        for child in request.fields(field.selections)
    )


def _aggregate(
    request: Request, table: Table, field: Field, relation: str, arguments: ListArguments, values: Values
) -> Aggregate:
    parts: list[AggregateFields | Nodes | Constant] = []
    for child in request.fields(field.selections):
        if child.name == "__typename":
            parts.append(Constant(child.key, f"{table.name}_aggregate"))
        elif child.name == "nodes":
            parts.append(Nodes(child.key, _row(request, table, child, values)))
        else:
            parts.append(AggregateFields(child.key, _aggregate_fields(request, table, child)))
    return Aggregate(field.key, relation, arguments, tuple(parts))


def _aggregate_fields(request: Request, table: Table, field: Field) -> tuple[Counted | Folded | Constant, ...]:
    owner = _type(f"{table.name}_aggregate_fields")
    fields: list[Counted | Folded | Constant] = []
    for child in request.fields(field.selections):
        if child.name == "__typename":
            fields.append(Constant(child.key, owner.name))
        elif child.name == "count":
            given = request.arguments(owner, child)
            fields.append(Counted(child.key, tuple(given.get("columns") or ()), bool(given.get("distinct"))))
        else:
            kind = get_named_type(definition(owner, child.name).type).name
            fields.append(Folded(child.key, child.name, _leaves(request, child, kind)))
    return tuple(fields)


def json_path(path: str) -> str:
    """Return `$.a.b`, `a.b` or `a[0]` as a path of SQLite. Raises `Refusal` for text that cannot be one."""
    plain = path.removeprefix("$")
    plain = plain if plain.startswith((".", "[")) or not plain else f".{plain}"
    if _PATH.fullmatch(plain) is None:
        raise Refusal("data-exception", "path: the form is $.a.b or a[0]")
    return "$" + "".join(f'."{name}"' if name else index for name, index in _STEP.findall(plain))
