"""How a page of runs finds its rows in an index, where the database would not see the way by itself.

The lists of the dashboard are ordered by expected start. Under several states, or under a label, an index in that order
is walked: one entry for each row shown or skipped, whatever the number of runs. Source: performance.md §0, 5 and 7.
"""

from __future__ import annotations

from flowlatch.server.plan import EVERYTHING, Compare, Condition, Group, ListArguments, OrderBy
from flowlatch.server.predicates import predicate
from flowlatch.server.sql import Row, Select, Union, operand
from flowlatch.store.schema import flow_run_label

MAX_BRANCHES = 24
"""States walked side by side; there are 21."""


def walked_places(row: Row, arguments: ListArguments) -> Select | None:
    """Return the `seq`s of a page in one column, or None where an ordinary list is as good."""
    direction = _direction(arguments.order_by)
    if row.table.name != "flow_run" or direction is None or arguments.distinct_on or arguments.limit is None:
        return None
    found = _labelled(arguments.where)
    if found is not None:
        return _by_label(row, *found, arguments, direction)
    states = branches(arguments.where)
    if states is None or not 1 < len(states) <= MAX_BRANCHES:
        return None
    return _by_states(row, states, arguments, direction)


def counted_places(row: Row, arguments: ListArguments) -> Select | None:
    """Return the `seq`s of the runs of a label, in no order, up to the limit; None for other conditions."""
    found = _labelled(arguments.where) if row.table.name == "flow_run" and not arguments.distinct_on else None
    if found is None:
        return None
    label, rest = found
    if rest != EVERYTHING:
        return _runs_of(row, label, rest)[0].paged(arguments.limit, arguments.offset)
    labelled = row.beside(flow_run_label)
    query = Select([f"{labelled['run_seq']} AS seq"], labelled.source)
    return query.where(f"{labelled['label']} = {operand(label.operand)}").paged(arguments.limit, arguments.offset)


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


def _by_states(row: Row, states: list[Condition], arguments: ListArguments, direction: str) -> Select:
    """Walk one index range for each state, merged in order."""
    tops = []
    for state in states:
        run = row.beside(row.table)
        columns = (f"{run['seq']} AS seq", f"{run['scheduled_start_time']} AS at", f"{run['id']} AS id")
        tops.append(Select(columns, run.source).where(predicate(run, state)))
    merged = Union(tops, (f"at {direction}", f"id {direction}"), arguments.limit, arguments.offset)
    return Select(["seq"], f"({merged})")


def _by_label(row: Row, label: Compare, rest: Condition, arguments: ListArguments, direction: str) -> Select:
    """Walk the runs of a label."""
    query, *places = _runs_of(row, label, rest)
    return query.ordered(*(f"{place} {direction}" for place in places)).paged(arguments.limit, arguments.offset)


def _runs_of(row: Row, label: Compare, rest: Condition) -> tuple[Select, str, str]:
    """Return the `seq`s of the runs of a label, and by what they are put in the order of the list."""
    run, labelled = row.beside(row.table), row.beside(flow_run_label)
    query = Select([run["seq"]], f"{labelled.source} JOIN {run.source} ON {run['seq']} = {labelled['run_seq']}")
    is_labelled = f"{labelled['label']} = {operand(label.operand)}"
    return query.where(is_labelled, predicate(run, rest)), labelled["scheduled_start_time"], run["id"]
