"""Conditions of a plan as SQL."""

from __future__ import annotations

from flowlatch.server.plan import Compare, Condition, Group, Related
from flowlatch.server.relations import CURRENT_STATE, RELATIONS, scalar_of
from flowlatch.server.sql import Row, Select, every, operand, some
from flowlatch.store.schema import flow_run_label
from flowlatch.store.sqlite.derived import name_matches

_ORDERINGS = {"_eq": "=", "_neq": "!=", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}


def column(row: Row, name: str) -> str:
    """Return a column of a row; `serialized_state` of a run is that of its current state's row."""
    if name == "serialized_state" and row.table.name in CURRENT_STATE:
        state = row.beside(CURRENT_STATE[row.table.name])
        found = Select([state["serialized_state"]], state.source).where(f"{state['id']} = {row['state_id']}")
        return f"({found})"
    return row[name]


def predicate(row: Row, condition: Condition) -> str:
    """Return a condition on a row."""
    match condition:
        case Group("and", members):
            return every([predicate(row, member) for member in members])
        case Group("or", members):
            return some([predicate(row, member) for member in members])
        case Group(_, members):
            return f"NOT ({every([predicate(row, member) for member in members])})"
        case Related(relation, inner):
            return _related(row, relation, inner)
        case Compare():
            return _compare(row, condition)


def _related(row: Row, name: str, condition: Condition) -> str:
    relation = RELATIONS[row.table.name][name]
    target = row.beside(relation.target)
    local, remote, meets = row[relation.local], target[relation.remote], predicate(target, condition)
    if relation.many:
        return f"EXISTS ({Select([target['seq']], target.source).where(f'{remote} = {local}', meets)})"
    # not correlated, so that the related rows are looked for once and not once for each row
    found = f"{local} IN ({Select([remote], target.source).where(meets)})"
    # a row without a related one has none that matches: false, and not unknown
    return every([f"{local} IS NOT NULL", found]) if row.table.columns[relation.local].nullable else found


def _compare(row: Row, comparison: Compare) -> str:
    subject, operator = column(row, comparison.column), comparison.operator
    if operator == "_is_null":
        return f"{subject} IS NULL" if comparison.operand else f"{subject} IS NOT NULL"
    if _is_json(row, comparison.column):
        return _compare_json(row, subject, comparison)
    if operator in ("_in", "_nin"):
        is_number = row.table.columns[comparison.column].kind.is_number
        values = operand(comparison.operand)
        return row.spelling.is_one_of(subject, values, is_number=is_number, is_negated=operator == "_nin")
    if operator.endswith("like"):
        return _like(row, subject, comparison)
    return f"{subject} {_ORDERINGS[operator]} {operand(comparison.operand)}"


def _is_json(row: Row, name: str) -> bool:
    if name == "serialized_state" and row.table.name in CURRENT_STATE:
        return True
    return scalar_of(row.table.columns[name]) == "jsonb"


def matches(row: Row, subject: str, comparison: Compare) -> str:
    """Return "this text is like that", for the operators `_like` and `_ilike` and what they deny."""
    pattern = operand(comparison.operand)
    if comparison.operator in ("_like", "_nlike"):
        assert comparison.extra is not None
        return row.spelling.is_like(subject, pattern, operand(comparison.extra))
    return row.spelling.is_like_any_case(subject, pattern, is_ascii=comparison.hint == "ascii")


def _like(row: Row, subject: str, comparison: Compare) -> str:
    found = matches(row, subject, comparison)
    if comparison.operator == "_ilike" and comparison.extra is not None and row.spelling.is_text_walked:
        found = every([f"{row['seq']} IN ({name_matches(operand(comparison.extra))})", found])
    return f"NOT ({found})" if comparison.operator.startswith("_n") else found


def _compare_json(row: Row, subject: str, comparison: Compare) -> str:
    wanted, operator = operand(comparison.operand), comparison.operator
    if operator == "_has_label":
        return _has_label(row, wanted)
    if operator == "_in":
        return f"flowlatch_json_in({subject}, {wanted}) = 1"
    if operator == "_nin":
        return f"coalesce(flowlatch_json_in({subject}, {wanted}), 1) != 1"
    if operator in _ORDERINGS:
        return f"flowlatch_json_key({subject}) {_ORDERINGS[operator]} flowlatch_json_key({wanted})"
    function = {
        "_contains": f"flowlatch_json_contains({subject}, {wanted})",
        "_contained_in": f"flowlatch_json_contains({wanted}, {subject})",
        "_has_key": f"flowlatch_json_has_keys({subject}, {wanted}, 1)",
        "_has_keys_all": f"flowlatch_json_has_keys({subject}, {wanted}, 1)",
        "_has_keys_any": f"flowlatch_json_has_keys({subject}, {wanted}, 0)",
    }[operator]
    return f"{function} = 1"


def _has_label(row: Row, wanted: str) -> str:
    """Return "has this label": a look into the label table, never a walk over all runs."""
    labelled = row.beside(flow_run_label)
    found = Select([labelled["run_seq"]], labelled.source).where(f"{labelled['label']} = {wanted}")
    return f"{row['seq']} IN ({found})"
