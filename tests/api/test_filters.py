"""A query becomes conditions of the wire: nothing typed in a search box is an operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.api import filters
from flowlatch.errors import BadInput
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import RunId

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (RunQuery(), {}),
        (RunQuery(states=("Failed", "TimedOut")), {"state": {"_in": ["Failed", "TimedOut"]}}),
        (RunQuery(not_states=("Success",)), {"state": {"_nin": ["Success"]}}),
        (RunQuery(not_flow="etl*"), {"_not": {"flow": {"name": {"_ilike": "etl%"}}}}),
        (
            RunQuery(not_labels=("a", "b")),
            {"_and": [{"_not": {"labels": {"_contains": ["a"]}}}, {"_not": {"labels": {"_contains": ["b"]}}}]},
        ),
        (RunQuery(flow="etl*"), {"flow": {"name": {"_ilike": "etl%"}}}),
        (RunQuery(flow="50%_a\\b"), {"flow": {"name": {"_ilike": "%50\\%\\_a\\\\b%"}}}),
        (RunQuery(name="lynx"), {"name": {"_ilike": "%lynx%"}}),
        (RunQuery(key="nightly_1"), {"idempotency_key": {"_eq": "nightly_1"}}),
        (RunQuery(key="nightly*"), {"idempotency_key": {"_ilike": "nightly%"}}),
        (RunQuery(labels=("a", "b")), {"labels": {"_contains": ["a", "b"]}}),
        (RunQuery(ids=(RunId("x"),)), {"id": {"_in": ["x"]}}),
        (RunQuery(since=NOW), {"scheduled_start_time": {"_gte": "2026-11-24T12:00:00+00:00"}}),
        (
            RunQuery(id_prefix="5F2d-1"),
            {"id": {"_gte": "5f2d1000-0000-0000-0000-000000000000", "_lte": "5f2d1fff-ffff-ffff-ffff-ffffffffffff"}},
        ),
        (
            RunQuery(states=("Failed",), until=NOW),
            {"_and": [{"state": {"_in": ["Failed"]}}, {"scheduled_start_time": {"_lt": "2026-11-24T12:00:00+00:00"}}]},
        ),
    ],
)
def test_conditions(query: RunQuery, where: dict[str, Any]) -> None:
    assert filters.where(query, NOW) == where


def test_late_is_15_s_past_the_start_by_the_servers_clock() -> None:
    where = filters.where(RunQuery(late=True), NOW)
    assert where["_or"][0] == {"state_start_time": {"_lt": "2026-11-24T11:59:45+00:00"}}
    assert "Running" not in where["state"]["_in"]


def test_late_with_states_means_either() -> None:
    where = filters.where(RunQuery(late=True, states=("Failed",)), NOW)
    assert where["_or"] == [{"state": {"_in": ["Failed"]}}, filters.where(RunQuery(late=True), NOW)]


@pytest.mark.parametrize(
    ("query", "is_quick"),
    [
        (RunQuery(), True),
        (RunQuery(states=("Failed",), limit=5, offset=9, sort=Sort(descending=False)), True),
        (RunQuery(late=True), False),
        (RunQuery(states=("Failed",), labels=("a",)), False),
    ],
)
def test_counts_by_state_alone_are_quick(query: RunQuery, is_quick: bool) -> None:
    assert filters.is_counted_at_once(query) is is_quick


@pytest.mark.parametrize("prefix", ["xyz", "5f2d%", "5" * 33, "-"])
def test_an_id_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(BadInput, match="first digits"):
        filters.where(RunQuery(id_prefix=prefix), NOW)


@given(st.text(max_size=30))
def test_an_escaped_text_matches_itself_only(text: str) -> None:
    escaped = filters.escaped(text)
    unescaped, index = "", 0
    while index < len(escaped):
        if escaped[index] == "\\":
            index += 1
        else:
            assert escaped[index] not in "%_"
        unescaped += escaped[index]
        index += 1
    assert unescaped == text


@pytest.mark.parametrize("key", list(SortKey))
@pytest.mark.parametrize("descending", [True, False])
def test_every_order_is_total(key: SortKey, descending: bool) -> None:
    order = filters.order_by(Sort(key=key, descending=descending))
    direction = "desc" if descending else "asc"
    assert order[-1] == {"id": direction}
    column = order[0]["flow"]["name"] if key is SortKey.FLOW else order[0][str(key)]
    assert column.startswith(direction)
    within = [{"scheduled_start_time": direction}] if key is SortKey.STATE else []
    assert order[1:-1] == within, "in the direction of the state: our server has an index for both"
