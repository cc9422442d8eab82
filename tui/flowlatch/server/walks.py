"""How a page of runs finds its rows in an index, where the database would not see the way by itself.

The lists of the dashboard are ordered by expected start. Under several states, or under a label, an index in that order
is walked: one entry for each row shown or skipped, whatever the number of runs. Source: performance.md §0, 5 and 7.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, select, union

from flowlatch.server.plan import EVERYTHING, Compare, Condition, Group, ListArguments, OrderBy
from flowlatch.server.predicates import alias, operand, predicate
from flowlatch.store.schema import flow_run_label

MAX_BRANCHES = 24
"""States walked side by side; there are 21."""


def walked_places(table: str, arguments: ListArguments) -> Select[Any] | None:
    """Return the `seq`s of a page in one column, or None where an ordinary list is as good."""
    direction = _direction(arguments.order_by)
    if table != "flow_run" or direction is None or arguments.distinct_on or arguments.limit is None:
        return None
    found = _labelled(arguments.where)
    if found is not None:
        return _by_label(*found, arguments, direction)
    states = branches(arguments.where)
    if states is None or not 1 < len(states) <= MAX_BRANCHES:
        return None
    return _by_states(states, arguments, direction)


def counted_places(table: str, arguments: ListArguments) -> Select[Any] | None:
    """Return the `seq`s of the runs of a label, in no order, up to the limit; None for other conditions."""
    found = _labelled(arguments.where) if table == "flow_run" and not arguments.distinct_on else None
    if found is None:
        return None
    label, rest = found
    labelled = flow_run_label.alias()
    query = (
        select(labelled.c.run_seq.label("seq")).where(labelled.c.label == operand(label.operand))
        if rest == EVERYTHING
        else _runs_of(label, rest)[0]
    )
    if arguments.limit is not None:
        query = query.limit(operand(arguments.limit))
    return query if arguments.offset is None else query.offset(operand(arguments.offset))


def _labelled(condition: Condition) -> tuple[Compare, Condition] | None:
    """Return the first label that has to be there and what else has to be met; None without one."""
    members = _members(condition)
    for index, member in enumerate(members):
        if isinstance(member, Compare) and member.operator == "_has_label":
            return member, Group("and", (*members[:index], *members[index + 1 :]))
    return None


def _direction(keys: tuple[OrderBy, ...]) -> str | None:
    """Return `asc` or `desc` for an order by expected start, ties by id in the same direction; else None."""
    if [(key.path, key.column) for key in keys] != [((), "scheduled_start_time"), ((), "id")]:
        return None
    words = {key.direction.partition("_")[0] for key in keys}
    return words.pop() if len(words) == 1 else None


def _members(condition: Condition) -> tuple[Condition, ...]:
    """Return what must be met all at once."""
    if not isinstance(condition, Group) or condition.kind != "and":
        return (condition,)
    return tuple(inner for member in condition.members for inner in _members(member))


def branches(condition: Condition) -> list[Condition] | None:
    """Return conditions that mean the given one when joined by "or", each about one state; None if there are none."""
    match condition:
        case Compare("state", "_eq"):
            return [condition]
        case Group("or", members) if members:
            found = [branches(member) for member in members]
            return [branch for each in found if each for branch in each] if all(found) else None
        case Group("and", members):
            for index, member in enumerate(members):
                inner = branches(member)
                if inner is not None:
                    rest = (*members[:index], *members[index + 1 :])
                    return [Group("and", (branch, *rest)) for branch in inner]
    return None


def _by_states(states: list[Condition], arguments: ListArguments, direction: str) -> Select[Any]:
    """Walk one index range for each state, merged in order."""
    tops = []
    for state in states:
        row = alias("flow_run")
        columns = (row.c.seq.label("seq"), row.c.scheduled_start_time.label("at"), row.c.id.label("id"))
        tops.append(select(*columns).where(predicate(row, state)))
    merged = union(*tops)
    names = merged.selected_columns
    merged = merged.order_by(*(_ordered(names[name], direction) for name in ("at", "id")))
    return select(_paged(merged, arguments).subquery().c.seq)


def _by_label(label: Compare, rest: Condition, arguments: ListArguments, direction: str) -> Select[Any]:
    """Walk the runs of a label."""
    query, *places = _runs_of(label, rest)
    query = query.order_by(*(_ordered(place, direction) for place in places))
    return select(_paged(query, arguments).subquery().c.seq)


def _runs_of(label: Compare, rest: Condition) -> tuple[Select[Any], ColumnElement[Any], ColumnElement[Any]]:
    """Return the `seq`s of the runs of a label, and by what they are put in the order of the list."""
    row, labelled = alias("flow_run"), flow_run_label.alias()
    query = (
        select(row.c.seq)
        .select_from(labelled)
        .join(row, row.c.seq == labelled.c.run_seq)
        .where(labelled.c.label == operand(label.operand), predicate(row, rest))
    )
    return query, labelled.c.scheduled_start_time, row.c.id


def _ordered(column: ColumnElement[Any], direction: str) -> ColumnElement[Any]:
    return column.desc() if direction == "desc" else column.asc()


def _paged(query: Any, arguments: ListArguments) -> Any:
    assert arguments.limit is not None
    query = query.limit(operand(arguments.limit))
    return query if arguments.offset is None else query.offset(operand(arguments.offset))
