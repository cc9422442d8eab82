"""The lines of one log: merged by time, each once, the newest kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowlatch.live import log_tail
from flowlatch.live.log_tail import LogTail
from flowlatch.model.run import LogLine

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def line(number: int, second: float | None = None) -> LogLine:
    at = number if second is None else second
    return LogLine(id=f"l{number}", timestamp=T0 + timedelta(seconds=at), message=f"m{number}")


def test_lines_are_merged_by_time_and_each_is_held_once() -> None:
    tail = LogTail()
    assert tail.merge([line(1), line(3)]) == 2
    assert tail.merge([line(3), line(2), line(4), line(4)]) == 2
    assert [each.id for each in tail.lines] == ["l1", "l2", "l3", "l4"]


def test_lines_of_one_moment_keep_the_order_they_came_in() -> None:
    tail = LogTail()
    tail.merge([line(5, 1), line(3, 1), line(4, 1)])
    tail.merge([line(9, 1)])
    assert [each.id for each in tail.lines] == ["l5", "l3", "l4", "l9"]


def test_a_late_batch_is_asked_for_again_by_an_overlap() -> None:
    tail = LogTail()
    tail.merge([line(number) for number in range(100)])
    after = tail.asked_after()
    assert after is not None
    assert after.timestamp == tail.lines[-1].timestamp - log_tail.OVERLAP


def test_the_overlap_is_bounded_when_thousands_of_lines_share_a_moment() -> None:
    tail = LogTail()
    tail.merge([line(number, 0) for number in range(5_000)])
    after = tail.asked_after()
    assert after is not None
    assert len(tail) - tail.lines.index(after) == log_tail.OVERLAP_LINES


def test_only_the_newest_lines_are_kept_and_the_loss_is_counted() -> None:
    tail = LogTail()
    tail.is_whole = True
    tail.merge([line(number) for number in range(log_tail.KEPT_LINES + 7)])
    assert len(tail) == log_tail.KEPT_LINES
    assert tail.lines[0].id == "l7"
    assert (tail.dropped, tail.is_whole) == (7, False)
    assert tail.merge([line(0)]) == 1, "a dropped line is not remembered for ever"


def test_an_empty_tail_asks_for_nothing() -> None:
    assert LogTail().asked_after() is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=60), st.integers(0, 60))
def test_whatever_the_batches_the_tail_is_sorted_and_complete(numbers: list[tuple[int, int]], cut: int) -> None:
    lines = [line(number * 10 + place, number) for place, (number, _) in enumerate(numbers)]
    tail = LogTail()
    tail.merge(lines[:cut])
    tail.merge(lines[cut:] + lines[: cut // 2])
    assert {each.id for each in tail.lines} == {each.id for each in lines}
    assert len(tail) == len({each.id for each in lines})
    assert [each.timestamp for each in tail.lines] == sorted(each.timestamp for each in tail.lines)
