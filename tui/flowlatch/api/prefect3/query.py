"""A `RunQuery` as bodies of Prefect 3's filter requests (prefect3.md §2).

The server cannot ask for everything: what it cannot is decided here, by `model.match`, over what it gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.state import Category, StateType, names_in

Body = dict[str, Any]

TYPES: dict[Category, tuple[str, ...]] = {
    Category.SCHEDULED: ("SCHEDULED", "PAUSED"),
    Category.PENDING: ("PENDING",),
    Category.RUNNING: ("RUNNING", "CANCELLING"),
    Category.SUCCESS: ("COMPLETED",),
    Category.FAILED: ("FAILED", "CRASHED"),
    Category.CANCELLED: ("CANCELLED",),
}
_FAMILIES: dict[Category, frozenset[str]] = {
    category: frozenset(names_in(category, *([Category.META] if category is Category.PENDING else [])))
    for category in TYPES
}
_NAMES: dict[str, str] = {
    StateType.SUCCESS: "Completed",
    StateType.FINISHED: "Completed",
    StateType.QUEUED: "AwaitingConcurrencySlot",
    StateType.SUBMITTED: "Pending",
    StateType.RESUME: "Resuming",
}
"""Words of Prefect 1 → those of Prefect 3, where they differ."""
_USUAL: dict[Category, tuple[str, ...]] = {
    Category.SCHEDULED: ("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Resuming", "Paused"),
    Category.PENDING: ("Pending", "Submitting", "InfrastructurePending"),
    Category.RUNNING: ("Running", "Retrying", "Cancelling"),
    Category.SUCCESS: ("Completed", "Cached"),
    Category.FAILED: ("Failed", "Crashed", "TimedOut"),
    Category.CANCELLED: ("Cancelled",),
}
_SORTS = {
    (SortKey.START, True): "EXPECTED_START_TIME_DESC",
    (SortKey.START, False): "EXPECTED_START_TIME_ASC",
    (SortKey.NAME, True): "NAME_DESC",
    (SortKey.NAME, False): "NAME_ASC",
}


@dataclass(frozen=True)
class Plan:
    """What to ask, and what is left to be decided over the rows."""

    bodies: tuple[Body, ...]
    """Filters whose results together are the answer; a run may be in several."""
    sort: str
    is_sorted: bool
    """True when the server gives the order that was asked for."""
    rest: RunQuery | None
    """Conditions to be met by the rows as well; None when the server decides all."""

    @property
    def is_direct(self) -> bool:
        """True when pages and counts of the server are those of the query."""
        return len(self.bodies) == 1 and self.is_sorted and self.rest is None


def plan(query: RunQuery) -> Plan:
    """Return how to ask for a query's runs."""
    runs: Body = {}
    flows: Body = {}
    rest: dict[str, Any] = {}
    state = _state(query)
    if state:
        runs["state"] = state
    for field in ("not_text", "not_flow", "not_labels", "id_prefix"):
        if getattr(query, field):
            rest[field] = getattr(query, field)
    if query.flow:
        flows["name"] = {"like_": _part(query.flow)}
        rest["flow"] = query.flow
    if query.name:
        runs["name"] = {"like_": _part(query.name)}
        rest["name"] = query.name
    if query.labels:
        runs["tags"] = {"all_": list(query.labels)}
    if query.flow_ids:
        runs["deployment_id"] = {"any_": list(query.flow_ids)}
    if query.ids:
        runs["id"] = {"any_": list(query.ids)}
    if "*" in query.key:
        rest["key"] = query.key
    elif query.key:
        runs["idempotency_key"] = {"any_": [query.key]}
    if query.since or query.until:
        between = {"after_": query.since, "before_": query.until}
        runs["expected_start_time"] = {name: when.isoformat() for name, when in between.items() if when}
        rest |= {"since": query.since, "until": query.until}
    bodies = [_body(runs, flows)]
    if query.text and (query.name or query.flow or set(query.text) & set("*%_")):
        rest["text"] = query.text
    elif query.text:
        contains = {"like_": query.text}
        bodies = [_body({**runs, "name": contains}, flows), _body(runs, {**flows, "name": contains})]
    sort = _SORTS.get((query.sort.key, query.sort.descending))
    return Plan(tuple(bodies), sort or "EXPECTED_START_TIME_DESC", sort is not None, _rest(rest))


def _rest(conditions: dict[str, Any]) -> RunQuery | None:
    """Return what the rows must meet; nothing where the server's own words mean the same.

    Its `like_` knows wildcards and no way to write them as themselves, so all but plain words are looked at again.
    """
    kept = dict(conditions)
    for field in ("flow", "name"):
        if field in kept and not set(kept[field]) & set("*%_"):
            del kept[field]
    if set(kept) <= {"since", "until"}:
        return None
    return replace(RunQuery(), **kept)


def _body(runs: Body, flows: Body) -> Body:
    body: Body = {}
    if runs:
        body["flow_runs"] = runs
    if flows:
        body["flows"] = flows
    return body


def _part(pattern: str) -> str:
    """Return the longest piece of a pattern without wildcards: a part of whatever meets the pattern."""
    return max(pattern.split("*"), key=len)


def _state(query: RunQuery) -> Body | None:
    asked: Body = {}
    types, names = _types_and_names(query.states)
    if query.late:
        names.append("Late")
    if types and names:  # the two are joined by "and": say all by name
        names += [name for category in _categories(query.states) for name in _USUAL[category]]
        types = []
    if types:
        asked.setdefault("type", {})["any_"] = types
    if names:
        asked.setdefault("name", {})["any_"] = list(dict.fromkeys(names))
    types, names = _types_and_names(query.not_states)
    if types:
        asked.setdefault("type", {})["not_any_"] = types
    if names:
        asked.setdefault("name", {})["not_any_"] = names
    return asked or None


def _categories(states: Iterable[str]) -> list[Category]:
    """Return the categories all of whose names are among the states."""
    given = set(states)
    return [category for category, names in _FAMILIES.items() if names <= given]


def _types_and_names(states: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return state types for whole families, and the names that are left."""
    given = tuple(states)
    categories = _categories(given)
    covered = {name for category in categories for name in _FAMILIES[category]}
    types = [kind for category in categories for kind in TYPES[category]]
    return types, [_NAMES.get(name, name) for name in given if name not in covered]


def sort_key(sort: Sort) -> Any:
    """Return a function that gives a run its place in an order that the server does not have."""

    def place(run: Any) -> tuple[bool, Any, str]:
        value = _VALUES[sort.key](run)
        return (value is None) is not sort.descending, value if value is not None else 0, run.id

    return place


def _duration(run: Any) -> float | None:
    if run.start_time is None or run.end_time is None:
        return None
    return float((run.end_time - run.start_time).total_seconds())


_VALUES: dict[SortKey, Any] = {
    SortKey.START: lambda run: run.scheduled_start_time,
    SortKey.UPDATED: lambda run: run.updated,
    SortKey.CREATED: lambda run: run.created,
    SortKey.STATE: lambda run: run.state,
    SortKey.FLOW: lambda run: run.flow_name.lower() or None,
    SortKey.NAME: lambda run: run.name.lower(),
    SortKey.VERSION: lambda run: run.version,
    SortKey.DURATION: _duration,
    SortKey.MESSAGE: lambda run: run.state_message,
}
