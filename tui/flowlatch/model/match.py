"""Whether a run meets a query, decided here: the mirror of what the server decides, for rows that are pushed.

Only a hint: where it matters (order, totals) the list is asked for again.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from flowlatch.model.query import RunQuery, SortKey
from flowlatch.model.run import FlowRun
from flowlatch.model.state import Category, names_in

_MUTABLE_SORTS = frozenset({SortKey.UPDATED, SortKey.STATE, SortKey.VERSION, SortKey.DURATION, SortKey.MESSAGE})


def matches(run: FlowRun, query: RunQuery, now: datetime) -> bool:
    """True when the run meets every condition; order and page do not count. `now` is the server's clock."""
    return (
        _meets_state(run, query, now)
        and _meets_text(run, query)
        and _meets_names(run, query)
        and _meets_place(run, query)
    )


def is_volatile(query: RunQuery) -> bool:
    """True when a change of a run can move it into or out of the list, or a change of its state within it.

    Not so where the list is that of some flows, ids or keys, or of all runs, in an order that no state decides.
    """
    by_state = query.states or query.not_states or query.late or query.text or query.not_text
    by_edit = query.name or query.labels or query.not_labels or query.since or query.until
    return bool(by_state or by_edit) or query.sort.key in _MUTABLE_SORTS


def depends_on_time(query: RunQuery) -> bool:
    """True when the list changes by the mere passing of time."""
    return query.late


def _meets_state(run: FlowRun, query: RunQuery, now: datetime) -> bool:
    if _is_among(run, query.not_states):
        return False
    if not query.states and not query.late:
        return True
    return _is_among(run, query.states) or (query.late and run.late_by(now) is not None)


def _is_among(run: FlowRun, states: tuple[str, ...]) -> bool:
    """True for a state that is named, and for any of a category all of whose names are: some servers have others."""
    return run.state in states or (bool(states) and run.category in _whole(states))


@lru_cache(64)
def _whole(states: tuple[str, ...]) -> frozenset[Category]:
    names = {category: names_in(category) for category in Category if category is not Category.UNKNOWN}
    return frozenset(category for category, all_of in names.items() if set(all_of) <= {*states})


def _meets_text(run: FlowRun, query: RunQuery) -> bool:
    fields = [text.lower() for text in (run.name, run.flow_name, run.state_message or "")]
    if query.text and not any(query.text.lower() in text for text in fields):
        return False
    return not (query.not_text and any(query.not_text.lower() in text for text in fields))


def _meets_names(run: FlowRun, query: RunQuery) -> bool:
    if query.flow and not _is_like(query.flow, run.flow_name):
        return False
    if query.not_flow and _is_like(query.not_flow, run.flow_name):
        return False
    if query.name and not _is_like(query.name, run.name):
        return False
    if query.key:
        key = run.idempotency_key
        return key is not None and (_is_like(query.key, key) if "*" in query.key else key == query.key)
    return True


def _meets_place(run: FlowRun, query: RunQuery) -> bool:
    if query.flow_ids and run.flow_id not in query.flow_ids:
        return False
    if not set(query.labels) <= set(run.labels) or set(query.not_labels) & set(run.labels):
        return False
    if query.ids and run.id not in query.ids:
        return False
    if query.id_prefix and not run.id.replace("-", "").startswith(query.id_prefix.replace("-", "").lower()):
        return False
    start = run.scheduled_start_time
    if query.since and (start is None or start < query.since):
        return False
    return not (query.until and (start is None or start >= query.until))


def _is_like(pattern: str, text: str) -> bool:
    """True when `pattern` is part of `text`, or with `*` in it stands for the whole of it; case is ignored."""
    if "*" not in pattern:
        return pattern.lower() in text.lower()
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), re.IGNORECASE | re.DOTALL)
