"""Tasks: the tree, the axis, the bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowlatch.model.run import TaskRun, TaskRunId
from flowlatch.ui.widgets.gantt import Axis, axis_of, summary, tree

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def task(
    slug: str, index: int = -1, *, begin: float | None = None, end: float | None = None, state: str = "Success"
) -> TaskRun:
    return TaskRun(
        id=TaskRunId(f"{slug}{index}"),
        name=slug,
        task_slug=slug,
        map_index=index,
        state=state,
        start_time=T0 + timedelta(seconds=begin) if begin is not None else None,
        end_time=T0 + timedelta(seconds=end) if end is not None else None,
    )


def test_mapped_children_stand_under_their_task_in_their_order() -> None:
    rows = tree([task("extract"), task("load", 1), task("load"), task("load", 0), task("report")])
    assert [(row.slug, [child.map_index for child in row.children]) for row in rows] == [
        ("extract", []),
        ("load", [0, 1]),
        ("report", []),
    ]


def test_children_without_a_parent_run_are_still_shown() -> None:
    rows = tree([task("load", 0), task("load", 1)])
    assert len(rows) == 1
    assert [child.map_index for child in rows[0].children] == [0, 1]


def test_the_axis_goes_from_the_first_start_to_the_last_end_or_now() -> None:
    done = [task("a", begin=5, end=10), task("b", begin=7, end=20)]
    assert axis_of(done, None, T0 + timedelta(hours=1)) == Axis(T0 + timedelta(seconds=5), T0 + timedelta(seconds=20))
    running = [*done, task("c", begin=8)]
    assert axis_of(running, T0, T0 + timedelta(seconds=60)) == Axis(T0, T0 + timedelta(seconds=60))
    assert axis_of([], None, T0).end > T0


@given(st.floats(-100, 200), st.floats(-100, 200), st.integers(1, 150))
def test_a_bar_is_always_inside_the_axis_and_at_least_one_cell(begin: float, end: float, width: int) -> None:
    axis = Axis(T0, T0 + timedelta(seconds=100))
    place = axis.columns(T0 + timedelta(seconds=begin), T0 + timedelta(seconds=end), width)
    assert place is not None
    column, cells = place
    assert 0 <= column < width
    assert 1 <= cells <= width - column


def test_bars_lie_where_their_time_is() -> None:
    axis = Axis(T0, T0 + timedelta(seconds=100))
    assert axis.columns(T0 + timedelta(seconds=25), T0 + timedelta(seconds=75), 40) == (10, 20)
    assert axis.columns(T0 + timedelta(seconds=50), None, 40) == (20, 20), "what runs goes on to the end"
    assert axis.columns(None, None, 40) is None


def test_a_folded_task_says_how_its_children_are() -> None:
    children = [task("load", n, state="Failed" if n < 2 else "Success") for n in range(10)]
    assert summary(children) == "10 mapped: 8 + Success  2 x Failed"
