"""A plan becomes one SQL statement whose rows are JSON text: the database writes the answer. Source: design.md §6.

Statements are kept by plan; operands are bound, so the same question with other values is not compiled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, bindparam, false, func, literal_column, or_, select
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from flowlatch.server.plan import (
    Aggregate,
    AggregateFields,
    Compare,
    Constant,
    Counted,
    Folded,
    Group,
    Idempotency,
    Leaf,
    ListArguments,
    Many,
    Nodes,
    One,
    OrderBy,
    Root,
    RootAggregate,
    RootList,
    Selected,
)
from flowlatch.server.predicates import Row, alias, column, operand, predicate, table_name
from flowlatch.server.relations import CURRENT_STATE, RELATIONS, TABLES, Relation, scalar_of
from flowlatch.server.walks import counted_places, walked_places
from flowlatch.store.schema import idempotency, state_count

_PAIRS = 60
"""Members of one json_object: SQLite takes 127 arguments."""
NOW = "now"
"""The parameter that every statement is given: the server's time as stored text."""
_DIALECT = sqlite_dialect(paramstyle="named")


@dataclass(frozen=True)
class Statement:
    """SQL whose only column is JSON text."""

    sql: str
    constants: dict[str, Any]
    """Parameters that belong to the statement and not to the question."""
    is_single: bool
    """True when the answer is the first row, or null; else all rows in a list."""


@lru_cache(maxsize=1024)
def compile_plan(plan: Root) -> Statement:
    """Return the statement of a plan."""
    match plan:
        case RootList(table, arguments, selection, by_pk):
            row = alias(table)
            if by_pk is not None:
                query = select(_object(row, selection)).where(row.c.id == operand(by_pk))
            elif arguments.limit is not None:
                query = _page(row, arguments, [_object(row, selection)])
            else:
                query = _listed(row, arguments, [_object(row, selection)])
            return _statement(query, by_pk is not None)
        case RootAggregate(table, aggregate):
            counted = _counted_states(aggregate) if table == "flow_run" else None
            row = alias(table)
            return _statement(counted if counted is not None else select(_aggregate(row, aggregate)), True)


def _statement(query: Select[Any], is_single: bool) -> Statement:
    compiled = query.compile(dialect=_DIALECT)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Statement(str(compiled), constants, is_single)


# ---- lists ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """The relation that ties the rows of a list to one row outside of it."""

    outer: Row
    relation: Relation

    def holds(self, row: Row) -> ColumnElement[bool]:
        """Return the condition that a row of the list is one of that row's."""
        return row.c[self.relation.remote] == self.outer.c[self.relation.local]


def _matching(
    row: Row, arguments: ListArguments, columns: Sequence[ColumnElement[Any]], link: Link | None
) -> Select[Any]:
    """Return all rows that a list's condition and its relation let through."""
    query = select(*columns).select_from(row).where(predicate(row, arguments.where))
    return query if link is None else query.where(link.holds(row)).correlate(link.outer)


def _listed(
    row: Row,
    arguments: ListArguments,
    columns: Sequence[ColumnElement[Any]],
    link: Link | None = None,
    *,
    is_ordered: bool = True,
) -> Select[Any]:
    """Return the rows a list means, in its order, with ties by order of insertion."""
    query = _matching(row, arguments, columns, link)
    if arguments.distinct_on:
        first = alias(table_name(row))
        partition = [column(first, name) for name in arguments.distinct_on]
        rank = func.row_number().over(partition_by=partition, order_by=_order(first, arguments.order_by))
        numbered = _matching(first, arguments, [first.c.seq, rank.label("place")], link).subquery()
        query = query.where(row.c.seq.in_(select(numbered.c.seq).where(numbered.c.place == 1)))
    if is_ordered:
        query = query.order_by(*_order(row, arguments.order_by))
    if arguments.limit is not None:
        query = query.limit(operand(arguments.limit))
    if arguments.offset is not None:
        query = query.offset(operand(arguments.offset))
    return query


def _page(row: Row, arguments: ListArguments, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Return one page of a list: which rows it has is found first, so that what is skipped is never written out."""
    candidate = alias(table_name(row))
    places = walked_places(table_name(row), arguments)
    if places is None:
        places = _listed(candidate, arguments, [candidate.c.seq])
    return select(*columns).where(row.c.seq.in_(places)).order_by(*_order(row, arguments.order_by))


def _order(row: Row, keys: tuple[OrderBy, ...]) -> list[ColumnElement[Any]]:
    ordered = [_ordered(row, key) for key in keys]
    if not any(key.column == "id" and not key.path for key in keys):
        ordered.append(row.c.seq.asc())
    return ordered


def _ordered(row: Row, key: OrderBy) -> ColumnElement[Any]:
    """Return one key of an order. Nulls are last in `asc` and first in `desc`; said only where it is not natural."""
    subject = _reached(row, key.path, key.column)
    can_be_null = bool(key.path and key.column) or (not key.path and _is_nullable(row, key.column))
    word, _, nulls = key.direction.partition("_")
    ordered = subject.desc() if word == "desc" else subject.asc()
    if not can_be_null:
        return ordered
    nulls = nulls or ("nulls_first" if word == "desc" else "nulls_last")
    if (word, nulls) in (("asc", "nulls_first"), ("desc", "nulls_last")):
        return ordered
    return ordered.nulls_first() if nulls == "nulls_first" else ordered.nulls_last()


def _is_nullable(row: Row, name: str) -> bool:
    return name not in row.c or bool(TABLES[table_name(row)].c[name].nullable)


def _reached(row: Row, path: tuple[str, ...], name: str) -> ColumnElement[Any]:
    if not path:
        return column(row, name)
    relation = RELATIONS[table_name(row)][path[0]]
    target = alias(relation.target.name)
    inner = func.count() if not name and len(path) == 1 else _reached(target, path[1:], name)
    joined = target.c[relation.remote] == row.c[relation.local]
    return select(inner).select_from(target).where(joined).correlate(row).scalar_subquery()


# ---- rows ----------------------------------------------------------------------------------------------------------


def _json_object(members: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """Return a JSON object of any number of members; keys are GraphQL names, which need no quoting."""
    chunks = [members[start : start + _PAIRS] for start in range(0, len(members), _PAIRS)] or [members]
    objects = [
        func.json_object(*(part for key, value in chunk for part in (literal_column(f"'{key}'"), value)))
        for chunk in chunks
    ]
    if len(objects) == 1:
        return objects[0]
    inner = [func.substr(made, 2, func.length(made) - 2) for made in objects]
    joined: ColumnElement[Any] = literal_column("'{'")
    for index, part in enumerate(inner):
        joined = joined.concat(literal_column("','")).concat(part) if index else joined.concat(part)
    return func.json(joined.concat(literal_column("'}'")))


def _object(row: Row, selection: Sequence[Selected]) -> ColumnElement[Any]:
    return _json_object([(part.key, _member(row, part)) for part in selection])


def _member(row: Row, part: Selected) -> ColumnElement[Any]:
    match part:
        case Constant(_, text):
            return literal_column(f"'{text}'")
        case Leaf():
            return _leaf(row, part)
        case Idempotency(_, fields):
            live = idempotency.alias()
            made = _json_object([(leaf.key, _plain(live, leaf)) for leaf in fields])
            found = select(made).where(live.c.flow_run_id == row.c.id, live.c.expires_at > bindparam(NOW))
            return func.json(found.correlate(row).scalar_subquery())
        case One(_, name, selection):
            relation = RELATIONS[table_name(row)][name]
            target = alias(relation.target.name)
            found = select(_object(target, selection)).where(target.c[relation.remote] == row.c[relation.local])
            return func.json(found.correlate(row).scalar_subquery())
        case Many(_, name, arguments, selection):
            return func.json(_array(row, name, arguments, selection))
        case Aggregate(_, name, _, _):
            relation = RELATIONS[table_name(row)][name]
            return func.json(_aggregate(alias(relation.target.name), part, Link(row, relation)))


def _leaf(row: Row, leaf: Leaf) -> ColumnElement[Any]:
    value = column(row, leaf.column)
    is_state = leaf.column == "serialized_state" and table_name(row) in CURRENT_STATE
    kind = "jsonb" if is_state else scalar_of(TABLES[table_name(row)].c[leaf.column])
    match kind:
        case "jsonb" if leaf.path is not None:
            return func.json(value.op("->")(operand(leaf.path)))
        case "jsonb":
            return func.json(value)
        case "Boolean":
            return func.json(func.iif(value, literal_column("'true'"), literal_column("'false'")))
        case "interval":
            return func.flowlatch_interval(value)
        case _:
            return value


def _plain(row: Any, leaf: Leaf | Constant) -> ColumnElement[Any]:
    return literal_column(f"'{leaf.text}'") if isinstance(leaf, Constant) else row.c[leaf.column]


def _array(row: Row, name: str, arguments: ListArguments, selection: Sequence[Selected]) -> ColumnElement[Any]:
    relation = RELATIONS[table_name(row)][name]
    target = alias(relation.target.name)
    members = _listed(target, arguments, [_object(target, selection).label("member")], Link(row, relation)).subquery()
    return select(func.json_group_array(func.json(members.c.member))).scalar_subquery()


# ---- aggregates ----------------------------------------------------------------------------------------------------


def _aggregate(row: Row, aggregate: Aggregate, link: Link | None = None) -> ColumnElement[Any]:
    members: list[tuple[str, ColumnElement[Any]]] = []
    for part in aggregate.parts:
        match part:
            case Constant(key, text):
                members.append((key, literal_column(f"'{text}'")))
            case AggregateFields(key, fields):
                base = _base(row, aggregate.arguments, fields, link)
                made = _json_object([(field.key, _folded(base, field)) for field in fields])
                members.append((key, func.json(select(made).select_from(base).scalar_subquery())))
            case Nodes(key, selection):
                nodes = _listed(row, aggregate.arguments, [_object(row, selection).label("member")], link).subquery()
                grouped = select(func.json_group_array(func.json(nodes.c.member))).scalar_subquery()
                members.append((key, func.json(grouped)))
    return _json_object(members)


def _base(
    row: Row,
    arguments: ListArguments,
    fields: Sequence[Counted | Folded | Constant],
    link: Link | None,
) -> Subquery:
    """Return the rows that are counted and folded, with the columns needed for it.

    How many there are does not depend on their order; said to the database, an order would choose the wrong index.
    """
    is_number = all(not isinstance(field, Folded) and not getattr(field, "columns", ()) for field in fields)
    if is_number and link is None:
        places = counted_places(table_name(row), arguments)
        if places is not None:
            return places.subquery()
    names: set[str] = set()
    for field in fields:
        match field:
            case Counted(_, counted, _):
                names |= set(counted)
            case Folded(_, _, leaves):
                names |= {leaf.column for leaf in leaves if isinstance(leaf, Leaf)}
    columns = [row.c.seq, *(column(row, name).label(name) for name in sorted(names))]
    if not arguments.is_page:
        return _matching(row, arguments, columns, link).subquery()
    return _listed(row, arguments, columns, link, is_ordered=not is_number).subquery()


def _folded(base: Subquery, field: Counted | Folded | Constant) -> ColumnElement[Any]:
    match field:
        case Constant(_, text):
            return literal_column(f"'{text}'")
        case Counted(_, (), _):
            return func.count(base.c.seq)
        case Counted(_, columns, distinct):
            counted = base.c[columns[0]] if len(columns) == 1 else func.json_array(*(base.c[name] for name in columns))
            return func.count(counted.distinct()) if distinct else func.count(counted)
        case Folded(_, function, leaves):
            return _json_object([(leaf.key, _fold(base, function, leaf)) for leaf in leaves])


def _fold(base: Subquery, function: str, leaf: Leaf | Constant) -> ColumnElement[Any]:
    if isinstance(leaf, Constant):
        return literal_column(f"'{leaf.text}'")
    folded: ColumnElement[Any] = getattr(func, function)(base.c[leaf.column])
    return func.flowlatch_interval(folded) if leaf.column in ("duration", "retry_delay") else folded


def _is_one_state(condition: Compare) -> bool:
    return (condition.column, condition.operator) == ("state", "_eq")


def _counted_states(aggregate: Aggregate) -> Select[Any] | None:
    """Return the count of all runs, or of those in some states, from the counters; None for any other question."""
    arguments = aggregate.arguments
    if arguments.offset is not None or arguments.distinct_on or len(aggregate.parts) != 1:
        return None
    part = aggregate.parts[0]
    if not isinstance(part, AggregateFields) or not all(
        isinstance(field, Counted) and not field.columns for field in part.fields
    ):
        return None
    query = select(func.coalesce(func.sum(state_count.c.runs), 0))
    match arguments.where:
        case Group("and", ()):
            pass
        case Compare("state", "_eq", place):
            query = query.where(state_count.c.state == operand(place))
        case Group("or", members) if all(isinstance(one, Compare) and _is_one_state(one) for one in members):
            places = [one.operand for one in members if isinstance(one, Compare)]
            query = query.where(or_(false(), *(state_count.c.state == operand(place) for place in places)))
        case _:
            return None
    total: ColumnElement[Any] = query.scalar_subquery()
    if arguments.limit is not None:
        total = func.min(total, operand(arguments.limit))
    counted = _json_object([(field.key, total) for field in part.fields])
    return select(_json_object([(part.key, counted)]))
