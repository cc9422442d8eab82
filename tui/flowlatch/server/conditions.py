"""Conditions and orders as clients write them, checked and taken apart. Source: contract.md §3.4 and §3.5.

A null operand makes a comparison true. Operands are brought into the form they are stored in; one that cannot be is a
`Refusal` with the code data-exception.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from flowlatch.server.plan import EVERYTHING, Compare, Condition, Group, OrderBy, Related, Values
from flowlatch.server.relations import CURRENT_STATE, RELATIONS, scalar_of, wire_columns
from flowlatch.store.base import Refusal
from flowlatch.store.sqlite.functions import like_to_glob
from flowlatch.store.tables import Table
from flowlatch.store.times import canonical_time

NODES = 50
PATTERN_LENGTH = 1000
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INTERVAL = re.compile(r"(?:(-?\d+) days?\s*)?(?:(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?)?", re.ASCII)
_PLAIN = re.compile(r"%([^%_\\\"]{3,})%")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ARRAYS = ("_in", "_nin", "_has_keys_any", "_has_keys_all")


def condition(table: Table, where: dict[str, Any] | None, values: Values) -> Condition:
    """Return the condition that a coerced `T_bool_exp` means. Raises `Refusal`."""
    budget = iter(range(NODES))
    return _all(table, where, values, budget)


def _all(table: Table, where: dict[str, Any] | None, values: Values, budget: Iterable[int]) -> Condition:
    members: list[Condition] = []
    for name, value in (where or {}).items():
        if value is None:
            continue
        if next(iter(budget), None) is None:
            raise Refusal("LIMIT", f"a filter may have at most {NODES} conditions")
        if name == "_and":
            members += (_all(table, part, values, budget) for part in value)
        elif name == "_or":
            members.append(Group("or", tuple(_all(table, part, values, budget) for part in value)))
        elif name == "_not":
            members.append(Group("not", (_all(table, value, values, budget),)))
        elif name in RELATIONS[table.name]:
            target = RELATIONS[table.name][name].target
            members.append(Related(name, _all(target, value, values, budget)))
        else:
            members += _comparisons(table, name, value, values)
    return members[0] if len(members) == 1 else Group("and", tuple(members)) if members else EVERYTHING


def _comparisons(table: Table, column: str, operators: dict[str, Any], values: Values) -> list[Condition]:
    kind = "jsonb" if column == "serialized_state" and table.name in CURRENT_STATE else ""
    kind = kind or scalar_of(wire_columns(table)[column])
    return [
        _compare(table, column, kind, operator, operand, values)
        for operator, operand in operators.items()
        if operand is not None
    ]


def _compare(table: Table, column: str, kind: str, operator: str, operand: Any, values: Values) -> Condition:
    if operator == "_is_null":
        return Compare(column, operator, bool(operand))
    if operator == "_contains" and (table.name, column) == ("flow_run", "labels"):
        return _labelled(column, operand, values)
    if operator == "_in" and (table.name, column) == ("flow_run", "state"):
        # one by one, so that a page can walk the index of each state (walks.py)
        kinds = dict.fromkeys(stored_value(kind, item) for item in operand)
        return Group("or", tuple(Compare(column, "_eq", values.add(item)) for item in kinds))
    if operator in ("_in", "_nin"):
        stored = [stored_value(kind, item) for item in operand]
        return Compare(column, operator, values.add(json.dumps(stored)))
    if operator.endswith("like"):
        return _pattern(table, column, operator, operand, values)
    if kind == "jsonb":
        if operator == "_has_key":
            operand = [operand]
        return Compare(column, operator, values.add(json.dumps(operand)))
    return Compare(column, operator, values.add(stored_value(kind, operand)))


def _labelled(column: str, wanted: Any, values: Values) -> Condition:
    """Return "has each of these labels"; labels are text, and an array contains a bare scalar."""
    labels = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(label, str) for label in labels):
        return Group("or", ())
    return Group("and", tuple(Compare(column, "_has_label", values.add(label)) for label in dict.fromkeys(labels)))


def _pattern(table: Table, column: str, operator: str, pattern: str, values: Values) -> Condition:
    if len(pattern) > PATTERN_LENGTH:
        raise Refusal("data-exception", f"a pattern may have at most {PATTERN_LENGTH} characters")
    if "\0" in pattern:
        raise Refusal("data-exception", "a pattern may not contain the character NUL")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        pattern += "\\"  # an escape at the end has nothing to escape: it means itself
    if operator in ("_like", "_nlike"):
        return Compare(column, operator, values.add(pattern), extra=values.add(like_to_glob(pattern)))
    hint = "ascii" if pattern.isascii() else "unicode"
    extra = None
    plain = _PLAIN.fullmatch(pattern)
    if plain and operator == "_ilike" and (table.name, column) == ("flow_run", "name"):
        extra = values.add(f'"{plain[1]}"')
    return Compare(column, operator, values.add(pattern), hint, extra)


def stored_value(kind: str, operand: Any) -> Any:
    """Return an operand as its column keeps it. Raises `Refusal` data-exception."""
    convert = _CONVERTERS.get(kind)
    return convert(operand) if convert else operand


def stored_id(text: str, code: str = "data-exception", what: str = "") -> str:
    """Return a UUID in lower case with hyphens. Raises `Refusal` with `code`."""
    if _UUID.fullmatch(text):
        return text
    try:
        if len(text) not in (32, 36) or not text.isascii() or (len(text) == 36) != (text.count("-") == 4):
            raise ValueError
        return str(uuid.UUID(text))
    except ValueError:
        raise Refusal(code, f"{what or 'uuid'}: not a UUID: {text[:80]!r}") from None


def stored_time(text: str) -> str:
    """Return a time of a filter as stored; a date alone is its first moment in UTC. Raises `Refusal`."""
    try:
        return canonical_time(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError as error:
        raise Refusal("data-exception", f"timestamptz: {error}: {text[:80]!r}") from None


def _stored_interval(text: str) -> int:
    match = _INTERVAL.fullmatch(text.strip())
    if match is None or not text.strip():
        raise Refusal("data-exception", f"interval: the form is [N days ]HH:MM:SS: {text[:80]!r}")
    days, sign, hours, minutes, seconds, fraction = match.groups()
    clock = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * 1_000_000
    clock += int((fraction or "").ljust(6, "0"))
    return int(days or 0) * 86_400_000_000 + (-clock if sign else clock)


def is_storable(text: str) -> bool:
    """Return whether every character of a text can be kept: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def _text(text: str) -> str:
    if not is_storable(text):
        raise Refusal("data-exception", "text may not contain NUL or an unpaired surrogate")
    return text


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "uuid": stored_id,
    "timestamptz": stored_time,
    "interval": _stored_interval,
    "Boolean": int,
    "String": _text,
}


def order(table: Table, written: Any, path: tuple[str, ...] = ()) -> tuple[OrderBy, ...]:
    """Return the keys of an `order_by` in the order they were written; `written` is an object or a list of them."""
    keys: list[OrderBy] = []
    for part in written if isinstance(written, list) else [written]:
        for name, value in (part or {}).items():
            if value is None:
                continue
            relation = RELATIONS[table.name].get(name)
            if name.endswith("_aggregate"):
                if value.get("count"):
                    keys.append(OrderBy((*path, name.removesuffix("_aggregate")), "", value["count"]))
            elif relation is not None:
                keys += order(relation.target, value, (*path, name))
            else:
                keys.append(OrderBy(path, name, value))
    return tuple(keys)
