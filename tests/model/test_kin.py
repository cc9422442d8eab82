"""What a run's key and context tell of where it comes from."""

from __future__ import annotations

import pytest

from flowlatch.model.kin import (
    How,
    child_keys,
    copies_pattern,
    key_from,
    maker_in_context,
    maker_in_key,
    source_of,
)
from flowlatch.model.run import FlowRun, RunId, TaskRunId
from flowlatch.values import validated

OLD = RunId("7c1f0000-1111-2222-3333-44445555e02a")


def run(key: str | None = None, **fields: object) -> FlowRun:
    """A run with this key."""
    return validated(FlowRun, {"id": "x", "idempotency_key": key, **fields})


@pytest.mark.parametrize("how", How)
def test_a_key_names_what_a_run_was_made_from(how: How) -> None:
    key = key_from(how, OLD, "9f31c2d07ab4")
    assert source_of(run(key)) == (how, OLD)
    assert maker_in_key(run(key)) is None, "that is no run made by a task"
    assert key.startswith(copies_pattern(how, OLD).removesuffix("%"))


@pytest.mark.parametrize("key", [None, "run-9f31c2d07ab4", "retry-x-1", f"retry-{OLD}", f"undo-{OLD}-1", f"{OLD}-x"])
def test_other_keys_name_nothing(key: str | None) -> None:
    assert source_of(run(key)) is None
    assert maker_in_key(run(key)) is None


@pytest.mark.parametrize("key", [OLD, f"{OLD}-0", f"{OLD}-12"])
def test_the_key_of_a_run_made_by_a_task_is_the_id_of_the_task_run(key: str) -> None:
    assert maker_in_key(run(key)) == OLD


def test_a_context_may_name_the_parent() -> None:
    assert maker_in_context(run(context={"parent_flow_run_id": OLD})) == OLD
    for context in (None, {}, {"parent_flow_run_id": "mine"}, {"parent_flow_run_id": 7}):
        assert maker_in_context(run(context=context)) is None


def test_children_are_looked_for_under_all_keys_that_a_run_gives() -> None:
    assert child_keys(OLD, [(TaskRunId("a"), -1), (TaskRunId("b"), 3)]) == [OLD, "a", "b-3", "b"]
