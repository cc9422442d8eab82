"""How a page of runs finds its rows in an index, where the database would not see the way by itself.

The lists of the dashboard are ordered by expected start. Under several states, or under a label, an index in that order
is walked: one entry for each row shown or skipped, whatever the number of runs. Source: performance.md §0, 5 and 7.
"""

from __future__ import annotations

from flowlatch.server.plan import EVERYTHING, Compare, Condition, Group, ListArguments, OrderBy, Related
from flowlatch.server.predicates import matches, predicate
from flowlatch.server.sql import Row, Select, Union, operand
from flowlatch.store.schema import SHORT_MESSAGE, flow_run_label

MAX_BRANCHES = 24
"""States walked side by side; there are 21."""
DIFFERENT_MESSAGES = 20_000
"""Different messages that are looked up one by one, 3 µs each; those beyond are read through."""


def walked_places(row: Row, arguments: ListArguments) -> Select | None:
    """Return the `seq`s of a page in one column, or None where an ordinary list is as good."""
    direction = _direction(arguments.order_by)
    if row.table.name != "flow_run" or direction is None or arguments.distinct_on or arguments.limit is None:
        return None
    found = _labelled(arguments.where)
    if found is not None:
        return _by_label(row, *found, arguments, direction)
    text = _text(row, arguments.where)
    if text is not None:
        return _by_text(row, *text).ordered(*_order(direction)).paged(arguments.limit, arguments.offset)
    states = branches(arguments.where)
    if states is None or not 1 < len(states) <= MAX_BRANCHES:
        return None
    return _by_states(row, states, arguments, direction)


def counted_places(row: Row, arguments: ListArguments) -> Select | None:
    """Return the `seq`s of the runs of a label or with a text, in no order, up to the limit; else None."""
    if row.table.name != "flow_run" or arguments.distinct_on:
        return None
    found = _labelled(arguments.where)
    if found is None:
        text = _text(row, arguments.where)
        return None if text is None else _by_text(row, *text).paged(arguments.limit, arguments.offset)
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
    order = (f"at {direction}", f"id {direction}")
    return Select(["seq"], f"({Union(tops, row.spelling, order, arguments.limit, arguments.offset)}) AS merged")


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


# ---- free text -----------------------------------------------------------------------------------------------------


def _text(row: Row, condition: Condition) -> tuple[tuple[Condition, ...], Condition] | None:
    """Return the members of an "or" that looks for text, and what else has to be met; None without one."""
    if not row.spelling.is_text_walked:
        return None
    members = _members(condition)
    for index, member in enumerate(members):
        either = member.members if isinstance(member, Group) and member.kind == "or" else (member,)
        if any(_is_message(one) for one in either) and all(_is_text(one) for one in either):
            return either, Group("and", (*members[:index], *members[index + 1 :]))
    return None


def _is_message(condition: Condition) -> bool:
    return isinstance(condition, Compare) and condition.column == "state_message" and _is_text(condition)


def _is_text(condition: Condition) -> bool:
    """Return whether the runs that meet a condition can be found without looking at every row."""
    if isinstance(condition, Related):
        return condition.relation == "flow"
    return (
        isinstance(condition, Compare)
        and condition.column in ("name", "state_message")
        and condition.operator in ("_like", "_ilike")
    )


def _by_text(row: Row, either: tuple[Condition, ...], rest: Condition) -> Select:
    """Gather the runs with a text, each part by its own index; the list is then walked without a look at its rows."""
    run = row.beside(row.table)
    parts = []
    for part in either:
        other = row.beside(row.table)
        found = Select([other["seq"]], other.source).where(predicate(other, part))
        parts.append(_with_message(row, part) if isinstance(part, Compare) and _is_message(part) else str(found))
    # the plus keeps the database from taking the gathered runs one by one where the order is walked
    is_found = f"+{run['seq']} IN ({' UNION ALL '.join(parts)})"
    return Select([run["seq"]], run.source).where(is_found, predicate(run, rest))


def _with_message(row: Row, comparison: Compare) -> str:
    """Return the `seq`s of the runs whose message is like that: each different short message is looked at once."""
    first, following, some, beyond, long = (row.beside(row.table) for _ in range(5))

    def short(run: Row) -> str:
        return f"length({run['state_message']}) <= {SHORT_MESSAGE}"

    begin = Select([f"min({first['state_message']})"], first.source).where(
        short(first), f"{first['state_message']} >= ''"
    )
    further = Select([f"min({following['state_message']})"], following.source)
    further = further.where(short(following), f"{following['state_message']} > words")
    walk = f"{begin} UNION ALL SELECT ({further}) FROM message WHERE words IS NOT NULL LIMIT {DIFFERENT_MESSAGES}"
    same = f"{some['state_message']} IN (SELECT words FROM message WHERE {matches(first, 'words', comparison)})"
    rest = f"{beyond['state_message']} > (SELECT max(words) FROM message)"
    is_long = f"length({long['state_message']}) > {SHORT_MESSAGE}"
    found = (
        Select([f"{some['seq']} AS seq"], some.source).where(short(some), same),
        Select([beyond["seq"]], beyond.source).where(
            short(beyond), rest, matches(beyond, beyond["state_message"], comparison)
        ),
        Select([long["seq"]], long.source).where(is_long, matches(long, long["state_message"], comparison)),
    )
    return f"SELECT seq FROM (WITH RECURSIVE message(words) AS ({walk}) {' UNION ALL '.join(map(str, found))})"


def _order(direction: str) -> tuple[str, ...]:
    return f"scheduled_start_time {direction}", f"id {direction}"
