"""The state bar: stretches, places, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.model.state import State, StateType
from flowlatch.ui.widgets.timeline import placed, stretches

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def history(*states: tuple[str, float]) -> list[State]:
    return [
        State(name=name, version=version, timestamp=T0 + timedelta(seconds=at))
        for version, (name, at) in enumerate(states, start=1)
    ]


NIGHT = history(("Scheduled", 0), ("Submitted", 27), ("Running", 28), ("Failed", 69))


def test_each_state_lasts_until_the_next_and_the_end_takes_no_time() -> None:
    found = stretches(NIGHT, T0 + timedelta(hours=9))
    assert [(part.state, part.seconds) for part in found] == [
        ("Scheduled", 27),
        ("Submitted", 1),
        ("Running", 41),
        ("Failed", 0),
    ]


def test_what_still_runs_lasts_until_now() -> None:
    found = stretches(NIGHT[:3], T0 + timedelta(seconds=88))
    assert (found[-1].state, found[-1].seconds) == ("Running", 60)


def test_times_that_go_back_or_are_missing_never_make_a_negative_stretch() -> None:
    states = history(("Scheduled", 50), ("Running", 20), ("Success", 60))
    states.insert(1, State(name="Odd"))
    found = stretches(states, T0)
    assert [part.state for part in found] == ["Scheduled", "Running", "Success"]
    assert all(part.seconds >= 0 for part in found)


def test_words_stand_where_they_fit_and_are_left_out_where_not() -> None:
    parts = stretches(NIGHT, T0)
    assert [place.word for place in placed(parts, 78)] == ["Scheduled", "Submitted", "Running", "Failed"]
    assert [place.word for place in placed(parts, 20)] == ["", "", "", ""]


names = st.sampled_from([str(kind) for kind in StateType])


@given(st.lists(st.tuples(names, st.integers(0, 10**6)), max_size=80), st.integers(1, 200))
def test_the_bar_never_leaves_its_width_and_no_stretch_is_lost_while_there_is_room(
    states: list[tuple[str, int]], width: int
) -> None:
    parts = stretches(history(*[(name, float(at)) for name, at in states]), T0 + timedelta(days=1))
    places = placed(parts, width)
    assert len(places) == min(len(parts), max(width // 2, 1))
    for place in places:
        assert place.cells >= 1
        assert place.column + (len(place.word) + 1 if place.word else 0) + place.cells <= width + (width == 1)
    columns = [place.column for place in places]
    assert columns == sorted(set(columns))


@pytest.mark.parametrize("width", [0, -3])
def test_no_room_is_no_bar(width: int) -> None:
    assert placed(stretches(NIGHT, T0), width) == []
