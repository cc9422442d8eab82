"""The demo's past and its flows: believable, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from flowlatch.demo.flows import FLOWS, SampleFlow, serialized
from flowlatch.demo.plan import DAYS, OUTAGE_RUNS, OUTAGE_TROUBLE, PAST_ENDS, RUNS, late, past, whole_past
from flowlatch.model.params import read_value, show_value
from flowlatch.model.state import StateType, is_finished

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_the_same_seed_gives_the_same_past_and_another_one_another() -> None:
    assert past(7, NOW) == past(7, NOW)
    assert late(7, NOW) == late(7, NOW)
    assert past(7, NOW) != past(8, NOW)


def test_the_past_is_some_weeks_of_runs_latest_first() -> None:
    runs = past(1, NOW)
    due = [run.due_at for run in runs]
    assert len(runs) == RUNS
    assert due[0] <= NOW - PAST_ENDS
    assert timedelta(days=DAYS - 1) < NOW - due[-1] < timedelta(days=DAYS + 1)
    assert all(second <= first + timedelta(seconds=50) for first, second in pairwise(due))
    kinds = Counter(run.states[-1]["type"] for run in runs)
    assert kinds["Success"] > 0.75 * RUNS
    assert {"Failed", "Cancelled"} <= kinds.keys()
    assert any(run.states[0]["type"] == "Retrying" for run in runs)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_a_store_was_away_yesterday_by_the_operators_clock(zone: str) -> None:
    now = NOW.astimezone(ZoneInfo(zone))
    runs = whole_past(1, now)
    hit = [run for run in runs if run.states[-1].get("message") == OUTAGE_TROUBLE]
    assert (len(hit), len(runs)) == (OUTAGE_RUNS, RUNS + OUTAGE_RUNS)
    assert {(run.flow.name, run.states[-1]["type"]) for run in hit} == {("etl-orders", "Failed")}
    assert {run.due_at.astimezone(now.tzinfo).date() for run in hit} == {now.date() - timedelta(days=1)}
    assert all(first.due_at >= second.due_at for first, second in pairwise(runs)), "latest first"


def test_every_run_ends_in_a_state_that_exists() -> None:
    for run in past(3, NOW):
        assert is_finished(run.states[-1]["type"])
        assert {state["type"] for state in run.states} <= set(StateType)
        assert not any(is_finished(state["type"]) for state in run.states[:-1])


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_runs_give_what_the_flow_requires_in_its_types(flow: SampleFlow) -> None:
    random = Random(5)
    known = {parameter.name: parameter for parameter in flow.parameters}
    for _ in range(30):
        values = flow.draw(random, NOW)
        assert {name for name, parameter in known.items() if parameter.required} <= values.keys() <= known.keys()
        for name, value in values.items():
            assert read_value(known[name], show_value(value, known[name])) == value
    for parameter in flow.parameters:
        if not parameter.required:
            assert read_value(parameter, show_value(parameter.default, parameter)) == parameter.default


def test_the_documents_name_their_tasks_and_edges() -> None:
    for flow in FLOWS:
        document = serialized(flow, NOW)
        slugs = [task["slug"] for task in document["tasks"]]
        assert slugs == list(flow.tasks)
        ends = [(e["upstream_task"]["slug"], e["downstream_task"]["slug"]) for e in document["edges"]]
        assert all(slugs.index(first) < slugs.index(second) for first, second in ends), (
            "a task runs behind what it needs"
        )
        assert {second for _, second in ends} == set(slugs[1:])
        assert (document["schedule"] is not None) == (flow.cron is not None)
