"""A `RunQuery` as `where` and `order_by` of the GraphQL tables (contract.md §3.4, §3.5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flowlatch.errors import BadInput
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.text import one_line

Where = dict[str, Any]

LATE_STATES = ("Scheduled", "Retrying", "Resume", "Queued")
LATE_AFTER = timedelta(seconds=15)
_NULLABLE = {SortKey.STATE, SortKey.DURATION, SortKey.MESSAGE, SortKey.NAME, SortKey.FLOW}
"""Columns that may be null; such rows come last in both directions."""


def where(query: RunQuery, now: datetime) -> Where:
    """Return the condition, `{}` for none. `now` is the server's time, for runs that are late."""
    parts: list[Where] = []
    if query.text:
        parts.append({"_or": _text_parts("_ilike", query.text)})
    if query.not_text:
        parts.append(_without_text(query.not_text))
    if query.states or query.late:
        parts.append(_states(query, now))
    if query.not_states:
        parts.append({"state": {"_nin": list(query.not_states)}})
    if query.flow:
        parts.append({"flow": {"name": {"_ilike": pattern(query.flow)}}})
    if query.not_flow:
        parts.append({"_not": {"flow": {"name": {"_ilike": pattern(query.not_flow)}}}})
    if query.flow_ids:
        parts.append({"flow_id": {"_in": list(query.flow_ids)}})
    if query.labels:
        parts.append({"labels": {"_contains": list(query.labels)}})
    parts += [{"_not": {"labels": {"_contains": [label]}}} for label in query.not_labels]
    if query.name:
        parts.append({"name": {"_ilike": pattern(query.name)}})
    if query.key:
        is_pattern = "*" in query.key
        parts.append({"idempotency_key": {"_ilike": pattern(query.key)} if is_pattern else {"_eq": query.key}})
    if query.ids:
        parts.append({"id": {"_in": list(query.ids)}})
    if query.id_prefix:
        parts.append({"id": _id_range(query.id_prefix)})
    if query.since:
        parts.append({"scheduled_start_time": {"_gte": query.since.isoformat()}})
    if query.until:
        parts.append({"scheduled_start_time": {"_lt": query.until.isoformat()}})
    if len(parts) == 1:
        return parts[0]
    return {"_and": parts} if parts else {}


def order_by(sort: Sort) -> list[dict[str, Any]]:
    """Return the order, made total by the run id; within a state by start, as our server has an index for it."""
    direction = "desc" if sort.descending else "asc"
    first = "desc_nulls_last" if sort.descending and sort.key in _NULLABLE else direction
    column: dict[str, Any] = {"flow": {"name": first}} if sort.key is SortKey.FLOW else {str(sort.key): first}
    within = [{str(SortKey.START): direction}] if sort.key is SortKey.STATE else []
    return [column, *within, {"id": direction}]


def escaped(text: str) -> str:
    r"""Return text as part of a `_like` pattern that means itself: `%`, `_` and `\` are escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def pattern(text: str) -> str:
    """Return a pattern where `*` stands for any text; without one, a part of the value is meant."""
    return escaped(text).replace("*", "%") if "*" in text else contains(text)


def contains(text: str) -> str:
    """Return the pattern for a part of a value."""
    return f"%{escaped(text)}%"


def _text_parts(operator: str, text: str) -> list[Where]:
    operand = {operator: contains(text)}
    return [{"name": operand}, {"flow": {"name": operand}}, {"state_message": operand}]


def _without_text(text: str) -> Where:
    """A null does not contain the text: spelled out, because SQL would leave such a row out."""
    absent = {"_nilike": contains(text)}
    return {
        "_and": [
            {"_or": [{"name": absent}, {"name": {"_is_null": True}}]},
            {"_not": {"flow": {"name": {"_ilike": contains(text)}}}},
            {"_or": [{"state_message": absent}, {"state_message": {"_is_null": True}}]},
        ]
    }


def _states(query: RunQuery, now: datetime) -> Where:
    """Any of the states; with `late` these runs as well, or only these."""
    states: Where = {"state": {"_in": list(query.states)}}
    if not query.late:
        return states
    return {"_or": [states, _late(now)]} if query.states else _late(now)


def is_counted_at_once(query: RunQuery) -> bool:
    """True when our server counts the matches from its counters by state: then no count needs to stop early."""
    plain = RunQuery(states=query.states, sort=query.sort, limit=query.limit, offset=query.offset)
    return query == plain


def _late(now: datetime) -> Where:
    before = {"_lt": (now - LATE_AFTER).isoformat()}
    return {
        "state": {"_in": list(LATE_STATES)},
        "_or": [
            {"state_start_time": before},
            {"state_start_time": {"_is_null": True}, "scheduled_start_time": before},
        ],
    }


def _id_range(prefix: str) -> Where:
    """Ids that begin so, as a range: uuid columns have no pattern operators."""
    digits = prefix.replace("-", "").lower()
    if not digits or len(digits) > 32 or any(digit not in "0123456789abcdef" for digit in digits):
        raise BadInput(f"id {one_line(prefix, 40)!r}: wants the first digits (0-9 a-f) of a run id")
    return {"_gte": _uuid(digits.ljust(32, "0")), "_lte": _uuid(digits.ljust(32, "f"))}


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
