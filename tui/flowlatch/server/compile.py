"""A plan becomes one SQL statement whose rows are JSON text: the database writes the answer. Source: design.md §6.

Statements are kept by plan; operands are bound, so the same question with other values is not compiled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

from flowlatch.server.plan import (
    Aggregate,
    AggregateFields,
    Compare,
    Condition,
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
from flowlatch.server.predicates import column, predicate
from flowlatch.server.relations import CURRENT_STATE, RELATIONS, TABLES, Relation, scalar_of
from flowlatch.server.sql import Row, Select, operand, some
from flowlatch.server.walks import counted_places, walked_places
from flowlatch.store.schema import idempotency, state_count
from flowlatch.store.spelling import Spelling

NOW = "now"
"""The parameter that every statement is given: the server's time as stored text."""


@dataclass(frozen=True)
class Statement:
    """SQL whose only column is JSON text."""

    sql: str
    is_single: bool
    """True when the answer is the first row, or null; else all rows in a list."""
    is_counted: bool = False
    """True when it reads the counters alone: one page of the database, in microseconds."""


@lru_cache(maxsize=1024)
def compile_plan(plan: Root, spelling: Spelling) -> Statement:
    """Return the statement of a plan for one kind of database."""
    row = Row(TABLES[plan.table], spelling)
    match plan:
        case RootList(_, arguments, selection, by_pk):
            made = [_object(row, selection)]
            if by_pk is not None:
                return Statement(str(Select(made, row.source).where(f"{row['id']} = {operand(by_pk)}")), True)
            query = _page(row, arguments, made) if arguments.limit is not None else _listed(row, arguments, made)
            return Statement(str(query), False)
        case RootAggregate(table, aggregate):
            counted = _counted_states(aggregate, spelling) if table == "flow_run" else None
            if counted is not None:
                return Statement(f"SELECT {counted}", True, is_counted=True)
            return Statement(f"SELECT {_aggregate(row, aggregate)}", True)


# ---- lists ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """The relation that ties the rows of a list to one row outside of it."""

    outer: Row
    relation: Relation

    def holds(self, row: Row) -> str:
        """Return the condition that a row of the list is one of that row's."""
        return f"{row[self.relation.remote]} = {self.outer[self.relation.local]}"


def _matching(row: Row, arguments: ListArguments, columns: Sequence[str], link: Link | None) -> Select:
    """Return all rows that a list's condition and its relation let through."""
    query = Select(columns, row.source).where(predicate(row, arguments.where))
    return query if link is None else query.where(link.holds(row))


def _listed(
    row: Row, arguments: ListArguments, columns: Sequence[str], link: Link | None = None, *, is_ordered: bool = True
) -> Select:
    """Return the rows a list means, in its order, with ties by order of insertion."""
    query = _matching(row, arguments, columns, link)
    if arguments.distinct_on:
        first = row.beside(row.table)
        partition = ", ".join(column(first, name) for name in arguments.distinct_on)
        order = ", ".join(_order(first, arguments.order_by))
        place = f"row_number() OVER (PARTITION BY {partition} ORDER BY {order}) AS place"
        numbered = _matching(first, arguments, [f"{first['seq']} AS seq", place], link)
        query = query.where(f"{row['seq']} IN (SELECT seq FROM ({numbered}) AS numbered WHERE place = 1)")
    if is_ordered:
        query = query.ordered(*_order(row, arguments.order_by))
    return query.paged(arguments.limit, arguments.offset)


def _page(row: Row, arguments: ListArguments, columns: Sequence[str]) -> Select:
    """Return one page of a list: which rows it has is found first, so that what is skipped is never written out."""
    places = walked_places(row, arguments)
    if places is None:
        candidate = row.beside(row.table)
        places = _listed(candidate, arguments, [candidate["seq"]])
    return Select(columns, row.source).where(f"{row['seq']} IN ({places})").ordered(*_order(row, arguments.order_by))


def _order(row: Row, keys: tuple[OrderBy, ...]) -> list[str]:
    ordered = [_ordered(row, key) for key in keys]
    if not any(key.column == "id" and not key.path for key in keys):
        ordered.append(row["seq"])
    return ordered


def _ordered(row: Row, key: OrderBy) -> str:
    """Return one key of an order. Nulls are last in `asc` and first in `desc`; said only where it is not natural."""
    subject = _reached(row, key.path, key.column)
    can_be_null = bool(key.path and key.column) or (not key.path and _is_nullable(row, key.column))
    word, _, nulls = key.direction.partition("_")
    ordered = f"{subject} DESC" if word == "desc" else subject
    if not can_be_null:
        return ordered
    is_first = nulls == "nulls_first" if nulls else word == "desc"
    if is_first == row.spelling.are_nulls_first(is_descending=word == "desc"):
        return ordered
    return f"{ordered} NULLS {'FIRST' if is_first else 'LAST'}"


def _is_nullable(row: Row, name: str) -> bool:
    found = row.table.columns.get(name)
    return found is None or found.nullable


def _reached(row: Row, path: tuple[str, ...], name: str) -> str:
    if not path:
        return column(row, name)
    relation = RELATIONS[row.table.name][path[0]]
    target = row.beside(relation.target)
    inner = "count(*)" if not name and len(path) == 1 else _reached(target, path[1:], name)
    return f"({Select([inner], target.source).where(Link(row, relation).holds(target))})"


# ---- rows ----------------------------------------------------------------------------------------------------------


def _json_object(spelling: Spelling, members: Sequence[tuple[str, str]]) -> str:
    """Return a JSON object of any number of members."""
    most = spelling.pairs
    chunks = [members[start : start + most] for start in range(0, len(members), most)] or [members]
    objects = [spelling.json_object(chunk) for chunk in chunks]
    return objects[0] if len(objects) == 1 else spelling.joined(objects)


def _object(row: Row, selection: Sequence[Selected]) -> str:
    return _json_object(row.spelling, [(part.key, _member(row, part)) for part in selection])


def _member(row: Row, part: Selected) -> str:
    match part:
        case Constant(_, text):
            return f"'{text}'"
        case Leaf():
            return _leaf(row, part)
        case Idempotency(_, fields):
            live = row.beside(idempotency)
            made = _json_object(row.spelling, [(leaf.key, _plain(live, leaf)) for leaf in fields])
            is_its, is_live = f"{live['flow_run_id']} = {row['id']}", f"{live['expires_at']} > :{NOW}"
            return row.spelling.json_in(str(Select([made], live.source).where(is_its, is_live)))
        case One(_, name, selection):
            relation = RELATIONS[row.table.name][name]
            target = row.beside(relation.target)
            found = Select([_object(target, selection)], target.source).where(Link(row, relation).holds(target))
            return row.spelling.json_in(str(found))
        case Many(_, name, arguments, selection):
            relation = RELATIONS[row.table.name][name]
            return row.spelling.json_column(
                _array(row.beside(relation.target), arguments, selection, Link(row, relation))
            )
        case Aggregate(_, name, _, _):
            relation = RELATIONS[row.table.name][name]
            return row.spelling.json_column(_aggregate(row.beside(relation.target), part, Link(row, relation)))


def _leaf(row: Row, leaf: Leaf) -> str:
    value = column(row, leaf.column)
    is_state = leaf.column == "serialized_state" and row.table.name in CURRENT_STATE
    kind = "jsonb" if is_state else scalar_of(row.table.columns[leaf.column])
    match kind:
        case "jsonb" if leaf.path is not None:
            return row.spelling.json_at(value, operand(leaf.path))
        case "jsonb":
            return row.spelling.json_column(value)
        case "Boolean":
            return row.spelling.json_boolean(value)
        case "interval":
            return f"flowlatch_interval({value})"
        case _:
            return value


def _plain(row: Row, leaf: Leaf | Constant) -> str:
    return f"'{leaf.text}'" if isinstance(leaf, Constant) else row[leaf.column]


def _array(row: Row, arguments: ListArguments, selection: Sequence[Selected], link: Link | None) -> str:
    """Return the rows of a list as one JSON array."""
    return row.spelling.json_list(str(_listed(row, arguments, [f"{_object(row, selection)} AS member"], link)))


# ---- aggregates ----------------------------------------------------------------------------------------------------


def _aggregate(row: Row, aggregate: Aggregate, link: Link | None = None) -> str:
    members: list[tuple[str, str]] = []
    for part in aggregate.parts:
        match part:
            case Constant(key, text):
                members.append((key, f"'{text}'"))
            case AggregateFields(key, fields):
                base = _base(row, aggregate.arguments, fields, link)
                made = _json_object(row.spelling, [(field.key, _folded(row.spelling, field)) for field in fields])
                source = f" FROM ({base}) AS base" if any(map(_is_of_rows, fields)) else ""
                members.append((key, row.spelling.json_in(f"SELECT {made}{source}")))
            case Nodes(key, selection):
                members.append((key, row.spelling.json_column(_array(row, aggregate.arguments, selection, link))))
    return _json_object(row.spelling, members)


def _is_of_rows(field: Counted | Folded | Constant) -> bool:
    """Return whether rows are looked at for a field: one without that would be told once for each of them."""
    if isinstance(field, Folded):
        return any(isinstance(leaf, Leaf) for leaf in field.fields)
    return isinstance(field, Counted)


def _base(
    row: Row, arguments: ListArguments, fields: Sequence[Counted | Folded | Constant], link: Link | None
) -> Select:
    """Return the rows that are counted and folded, with the columns needed for it.

    How many there are does not depend on their order; said to the database, an order would choose the wrong index.
    """
    is_number = all(not isinstance(field, Folded) and not getattr(field, "columns", ()) for field in fields)
    if is_number and link is None:
        places = counted_places(row, arguments)
        if places is not None:
            return places
    names: set[str] = set()
    for field in fields:
        match field:
            case Counted(_, counted, _):
                names |= set(counted)
            case Folded(_, _, leaves):
                names |= {leaf.column for leaf in leaves if isinstance(leaf, Leaf)}
    columns = [f"{row['seq']} AS seq", *(f"{column(row, name)} AS {name}" for name in sorted(names))]
    if not arguments.is_page:
        return _matching(row, arguments, columns, link)
    return _listed(row, arguments, columns, link, is_ordered=not is_number)


def _folded(spelling: Spelling, field: Counted | Folded | Constant) -> str:
    match field:
        case Constant(_, text):
            return f"'{text}'"
        case Counted(_, (), _):
            return "count(*)"
        case Counted(_, columns, distinct):
            names = [f"base.{name}" for name in columns]
            counted = names[0] if len(columns) == 1 else spelling.several(names)
            return f"count({'DISTINCT ' if distinct else ''}{counted})"
        case Folded(_, function, leaves):
            return _json_object(spelling, [(leaf.key, _fold(spelling, function, leaf)) for leaf in leaves])


def _fold(spelling: Spelling, function: str, leaf: Leaf | Constant) -> str:
    if isinstance(leaf, Constant):
        return f"'{leaf.text}'"
    value = f"base.{leaf.column}"
    folded = spelling.average(value) if function == "avg" else f"{function}({value})"
    return f"flowlatch_interval({folded})" if leaf.column in ("duration", "retry_delay") else folded


def _is_one_state(condition: Condition) -> TypeGuard[Compare]:
    return isinstance(condition, Compare) and (condition.column, condition.operator) == ("state", "_eq")


def _counted_states(aggregate: Aggregate, spelling: Spelling) -> str | None:
    """Return the count of all runs, or of those in some states, from the counters; None for any other question."""
    arguments = aggregate.arguments
    if arguments.offset is not None or arguments.distinct_on or len(aggregate.parts) != 1:
        return None
    part = aggregate.parts[0]
    if not isinstance(part, AggregateFields) or not all(
        isinstance(field, Counted) and not field.columns for field in part.fields
    ):
        return None
    count = Row(state_count, spelling)
    query = Select([f"coalesce(sum({count['runs']}), 0)"], count.source)
    match arguments.where:
        case Group("and", ()):
            pass
        case Compare("state", "_eq", place):
            query = query.where(f"{count['state']} = {operand(place)}")
        case Group("or", members) if all(_is_one_state(one) for one in members):
            places = [one.operand for one in members if _is_one_state(one)]
            query = query.where(some([f"{count['state']} = {operand(place)}" for place in places]))
        case _:
            return None
    total = f"({query})"
    if arguments.limit is not None:
        total = spelling.least(total, operand(arguments.limit))
    counted = _json_object(spelling, [(field.key, total) for field in part.fields])
    return _json_object(spelling, [(part.key, counted)])
