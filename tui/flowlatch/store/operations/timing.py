"""When a run began and ended, by the states it is given. Source: contract.md §4.3."""

from __future__ import annotations

from typing import Any

from flowlatch.model.state_type import StateType
from flowlatch.store.operations.states import StateValue
from flowlatch.store.times import microseconds_between


def timing(state: StateValue, timestamp: str, start_time: str | None, end_time: str | None) -> dict[str, Any]:
    """Return the run's new `start_time` (its first Running), `end_time` (its last finished state) and `duration`."""
    if state.type == StateType.RUNNING:
        start_time = min(start_time, timestamp) if start_time else timestamp
    if state.is_finished:
        end_time = max(end_time, timestamp) if end_time else timestamp
    duration = microseconds_between(start_time, end_time) if start_time and end_time else None
    return {"start_time": start_time, "end_time": end_time, "duration": duration}
