"""Conditions of a plan as SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Table,
    and_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy import exists as sql_exists
from sqlalchemy.sql import column as sql_column
from sqlalchemy.sql import table as sql_table

from flowlatch.server.plan import Compare, Condition, Group, Related
from flowlatch.server.relations import CURRENT_STATE, RELATIONS, TABLES, scalar_of
from flowlatch.store.schema import flow_run_label

_names = sql_table("flow_run_name", sql_column("rowid"), sql_column("flow_run_name"))

Row = FromClause
"""An alias of a table: the row a condition is about."""


def operand(place: int) -> BindParameter[Any]:
    """Return the parameter that holds an operand."""
    return bindparam(f"p{place}")


def alias(name: str) -> Row:
    """Return a fresh alias of a table."""
    return TABLES[name].alias()


def table_name(row: Row) -> str:
    """Return the name of the table behind an alias."""
    return cast(Table, row.element).name  # type: ignore[attr-defined]


def column(row: Row, name: str) -> ColumnElement[Any]:
    """Return a column of a row; `serialized_state` of a run is that of its current state's row."""
    if name == "serialized_state" and table_name(row) in CURRENT_STATE:
        state = CURRENT_STATE[table_name(row)].alias()
        return select(state.c.serialized_state).where(state.c.id == row.c.state_id).scalar_subquery()
    return row.c[name]


def predicate(row: Row, condition: Condition) -> ColumnElement[bool]:
    """Return a condition on a row."""
    match condition:
        case Group("and", members):
            return and_(true(), *(predicate(row, member) for member in members))
        case Group("or", members):
            return or_(false(), *(predicate(row, member) for member in members))
        case Group(_, members):
            return not_(and_(true(), *(predicate(row, member) for member in members)))
        case Related(relation, inner):
            return _related(row, relation, inner)
        case Compare():
            return _compare(row, condition)


def _related(row: Row, name: str, condition: Condition) -> ColumnElement[bool]:
    relation = RELATIONS[table_name(row)][name]
    target = alias(relation.target.name)
    if relation.many:
        return sql_exists(
            select(target.c.seq).where(target.c[relation.remote] == row.c[relation.local], predicate(target, condition))
        )
    # not correlated, so that the related rows are looked for once and not once for each row
    local = row.c[relation.local]
    found = local.in_(select(target.c[relation.remote]).where(predicate(target, condition)))
    # a row without a related one has none that matches: false, and not unknown
    return and_(local.is_not(None), found) if TABLES[table_name(row)].c[relation.local].nullable else found


def _listed(place: int) -> Any:
    return select(func.json_each(operand(place)).table_valued("value").c.value)


def _compare(row: Row, comparison: Compare) -> ColumnElement[bool]:
    subject, operator = column(row, comparison.column), comparison.operator
    if operator == "_is_null":
        return subject.is_(None) if comparison.operand else subject.is_not(None)
    if _is_json(row, comparison.column):
        return _compare_json(row, subject, comparison)
    if operator == "_in":
        return subject.in_(_listed(comparison.operand))
    if operator == "_nin":
        return subject.not_in(_listed(comparison.operand))
    if operator.endswith("like"):
        return _like(row, subject, comparison)
    return _ORDERINGS[operator](subject, operand(comparison.operand))


_ORDERINGS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "_eq": lambda left, right: left == right,
    "_neq": lambda left, right: left != right,
    "_gt": lambda left, right: left > right,
    "_gte": lambda left, right: left >= right,
    "_lt": lambda left, right: left < right,
    "_lte": lambda left, right: left <= right,
}


def _is_json(row: Row, name: str) -> bool:
    if name == "serialized_state" and table_name(row) in CURRENT_STATE:
        return True
    return scalar_of(TABLES[table_name(row)].c[name]) == "jsonb"


def _like(row: Row, subject: ColumnElement[Any], comparison: Compare) -> ColumnElement[bool]:
    pattern = operand(comparison.operand)
    if comparison.operator in ("_like", "_nlike"):
        found: ColumnElement[bool] = subject.bool_op("GLOB")(pattern)
    elif comparison.hint == "ascii":
        found = subject.like(pattern, escape="\\")
    else:
        found = func.flowlatch_ilike(pattern, subject) == 1
    if comparison.extra is not None:
        matches = select(_names.c.rowid).where(_names.c.flow_run_name.op("MATCH")(operand(comparison.extra)))
        found = and_(row.c.seq.in_(matches), found)
    return not_(found) if comparison.operator.startswith("_n") else found


def _compare_json(row: Row, subject: ColumnElement[Any], comparison: Compare) -> ColumnElement[bool]:
    wanted, operator = operand(comparison.operand), comparison.operator
    if operator == "_has_label":
        return _has_label(row, wanted)
    if operator in ("_in", "_nin"):
        found = func.flowlatch_json_in(subject, wanted) == 1
        return found if operator == "_in" else func.coalesce(not_(found), 0) == 1
    if operator in _ORDERINGS:
        return _ORDERINGS[operator](func.flowlatch_json_key(subject), func.flowlatch_json_key(wanted))
    function = {
        "_contains": func.flowlatch_json_contains(subject, wanted),
        "_contained_in": func.flowlatch_json_contains(wanted, subject),
        "_has_key": func.flowlatch_json_has_keys(subject, wanted, 1),
        "_has_keys_all": func.flowlatch_json_has_keys(subject, wanted, 1),
        "_has_keys_any": func.flowlatch_json_has_keys(subject, wanted, 0),
    }[operator]
    return function == 1


def _has_label(row: Row, wanted: BindParameter[Any]) -> ColumnElement[bool]:
    """Return "has this label": a look into the label table, never a walk over all runs."""
    return row.c.seq.in_(select(flow_run_label.c.run_seq).where(flow_run_label.c.label == wanted))
