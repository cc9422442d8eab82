"""Answers of any shape become values or count as unreadable; nothing else is ever raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.api import convert
from flowlatch.model.change import ChangeKind
from flowlatch.model.state import Category
from flowlatch.values import dumped

ROW: dict[str, Any] = {
    "id": "5f2d1f4e-0000-4000-8000-000000000001",
    "name": "amber-lynx",
    "flow_id": "5f2d1f4e-0000-4000-8000-000000000002",
    "version": 7,
    "state": "Failed",
    "state_message": "Timeout",
    "state_timestamp": "2026-11-24T12:00:00.000001+00:00",
    "state_start_time": None,
    "scheduled_start_time": "2026-11-24T11:00:00.5+00:00",
    "start_time": "2026-11-24T13:00:01.250000+01:00",
    "end_time": None,
    "created": "2026-11-24T10:59:59Z",
    "updated": "2026-11-24T12:00:00",
    "labels": ["a", "b"],
    "auto_scheduled": False,
    "idempotency_key": None,
    "flow": {"name": "etl", "version": 3},
    "actor": "ann",
}


def test_a_row_becomes_a_run() -> None:
    run = convert.flow_run(ROW)
    assert (run.id, run.version, run.state, run.flow_name, run.flow_version) == (ROW["id"], 7, "Failed", "etl", 3)
    assert run.start_time == datetime(2026, 11, 24, 12, 0, 1, 250000, UTC)
    assert run.scheduled_start_time == datetime(2026, 11, 24, 11, 0, 0, 500000, UTC)
    assert run.created == datetime(2026, 11, 24, 10, 59, 59, tzinfo=UTC)
    assert run.updated == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert run.start_time.tzinfo is UTC
    assert run.raw is None
    assert run.parameters is None
    assert convert.flow_run(ROW, is_whole=True).raw == ROW


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("id", ""),
        ("id", 5),
        ("version", None),
        ("version", "7"),
        ("version", 7.0),
        ("version", True),
        ("state", 3),
        ("state", ["Failed"]),
        ("name", {"a": 1}),
        ("state_timestamp", "yesterday"),
        ("state_timestamp", 1764000000),
        ("updated", "0001-01-01T00:00:00+14:00"),
        ("labels", "a"),
        ("auto_scheduled", "yes"),
        ("flow", "etl"),
    ],
)
def test_a_wrong_shape_is_unreadable_and_the_others_stay(field: str, value: Any) -> None:
    good = {**ROW, "id": "other"}
    runs, unreadable = convert.rows([{**ROW, field: value}, good, None, 5, []], convert.flow_run)
    assert [run.id for run in runs] == ["other"]
    assert unreadable == 4


def test_an_unknown_state_keeps_its_name() -> None:
    run = convert.flow_run({**ROW, "state": "Dreaming"})
    assert run.state == "Dreaming"
    assert run.category is Category.UNKNOWN


def test_a_run_before_its_first_state_is_readable() -> None:
    assert convert.flow_run({**ROW, "state": None, "version": 0}).state == ""


def test_an_id_that_comes_twice_counts_once() -> None:
    runs, _ = convert.rows([ROW, {**ROW, "version": 9}, {**ROW, "id": "x"}], convert.flow_run)
    once, repeats = convert.without_repeats(runs)
    assert [(run.id, run.version) for run in once] == [(ROW["id"], 7), ("x", 7)]
    assert repeats == 1


def test_changes_are_read() -> None:
    batch, unreadable = convert.change_batch(
        {
            "cursor": "c1",
            "resync": False,
            "changes": [
                {"id": ROW["id"], "kind": "added", "flow_run": ROW},
                {"id": "gone", "kind": "gone", "flow_run": None},
                {"id": "vanished", "kind": "updated", "flow_run": None},
                {"id": "odd", "kind": "exploded", "flow_run": ROW},
                {"id": "bad", "kind": "updated", "flow_run": {}},
            ],
        }
    )
    kinds = [(change.id, change.kind) for change in batch.changes]
    assert kinds == [(ROW["id"], ChangeKind.ADDED), ("gone", ChangeKind.GONE), ("vanished", ChangeKind.GONE)]
    assert unreadable == 2


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MORE_FIELDS = (
    "parameters context idempotency task timestamp message level map_index serialized_state result run_config kind"
    " cursor changes flow_run project"
)
FIELDS = sorted({*ROW, *MORE_FIELDS.split()})


@given(st.dictionaries(st.sampled_from(FIELDS), ANY_JSON), st.sampled_from(["id", "version", "none"]))
def test_no_answer_of_any_shape_raises_anything_else(changes: dict[str, Any], kept: str) -> None:
    row = {**ROW, **changes, **({kept: ROW[kept]} if kept in ROW else {})}
    converters = (
        convert.flow_run,
        convert.state,
        convert.task_run,
        convert.log_line,
        convert.agent,
        convert.flow,
        convert.change_batch,
    )
    for converter in converters:
        values, unreadable = convert.rows([row], converter)
        assert len(values) + unreadable == 1
    runs, _ = convert.rows([row], convert.flow_run)
    for run in runs:
        assert json.loads(json.dumps(dumped(run)))["id"] == row["id"]


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-14, 14))
def test_a_time_in_any_zone_is_the_same_moment(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert convert.time({"t": moment.isoformat()}, "t") == moment
    assert convert.time({"t": naive.isoformat(" ")}, "t") == naive.replace(tzinfo=UTC)
