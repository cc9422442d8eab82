"""The lines of one log: merged by time, each once, the newest kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowlatch.live import log_tail
from flowlatch.live.log_tail import LogTail
from flowlatch.model.run import LogLine, LogMark

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def line(number: int, second: float | None = None, *, arrived_s: float | None = None) -> LogLine:
    at = number if second is None else second
    arrived = None if arrived_s is None else T0 + timedelta(seconds=arrived_s)
    return LogLine(id=f"l{number}", timestamp=T0 + timedelta(seconds=at), message=f"m{number}", arrived=arrived)


def test_lines_are_merged_by_time_and_each_is_held_once() -> None:
    tail = LogTail()
    assert tail.merge([line(1), line(3)]) == [line(1), line(3)]
    assert tail.merge([line(3), line(2), line(4), line(4)]) == [line(2), line(4)]
    assert [each.id for each in tail.lines] == ["l1", "l2", "l3", "l4"]


def test_lines_of_one_moment_keep_the_order_they_came_in() -> None:
    tail = LogTail()
    tail.merge([line(5, 1), line(3, 1), line(4, 1)])
    tail.merge([line(9, 1)])
    assert [each.id for each in tail.lines] == ["l5", "l3", "l4", "l9"]


def test_the_log_is_read_on_in_the_order_of_arrival() -> None:
    tail = LogTail()
    tail.replace([line(1, arrived_s=5), line(2, arrived_s=7), line(3, arrived_s=7)], is_whole=True)
    assert tail.mark == LogMark(arrived=T0 + timedelta(seconds=7), taken=2)
    assert tail.take([line(4, arrived_s=7), line(0, -3_600, arrived_s=7)]) == [
        line(0, -3_600, arrived_s=7),
        line(4, arrived_s=7),
    ]
    assert tail.mark == LogMark(arrived=T0 + timedelta(seconds=7), taken=4)
    tail.take([line(5, arrived_s=8)])
    assert tail.mark == LogMark(arrived=T0 + timedelta(seconds=8), taken=1)
    assert [each.id for each in tail.lines] == ["l0", "l1", "l2", "l3", "l4", "l5"]


def test_of_the_newest_lines_the_last_arrival_is_asked_again_whole() -> None:
    tail = LogTail()
    tail.replace([line(8, arrived_s=9), line(9, arrived_s=9)], is_whole=False)
    assert tail.mark == LogMark(arrived=T0 + timedelta(seconds=9))
    page = [line(number, arrived_s=9) for number in range(6, 10)]
    assert tail.take(page) == [], "what is older than the stretch held belongs to the part that is not"
    assert [each.id for each in tail.lines] == ["l8", "l9"]
    assert tail.mark == LogMark(arrived=T0 + timedelta(seconds=9), taken=4)


def test_an_empty_log_is_read_from_its_beginning() -> None:
    tail = LogTail()
    assert tail.mark is None
    tail.replace([], is_whole=True)
    assert tail.mark == LogMark(arrived=log_tail.BEGINNING)


def test_only_the_newest_lines_are_kept_and_the_loss_is_counted() -> None:
    tail = LogTail()
    tail.is_whole = True
    tail.merge([line(number) for number in range(log_tail.KEPT_LINES + 7)])
    assert len(tail) == log_tail.KEPT_LINES
    assert tail.lines[0].id == "l7"
    assert (tail.dropped, tail.is_whole) == (7, False)
    assert tail.merge([line(0)]) == [line(0)], "a dropped line is not remembered for ever"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=60), st.integers(0, 60))
def test_whatever_the_batches_the_tail_is_sorted_and_complete(numbers: list[tuple[int, int]], cut: int) -> None:
    lines = [line(number * 10 + place, number) for place, (number, _) in enumerate(numbers)]
    tail = LogTail()
    tail.merge(lines[:cut])
    tail.merge(lines[cut:] + lines[: cut // 2])
    assert {each.id for each in tail.lines} == {each.id for each in lines}
    assert len(tail) == len({each.id for each in lines})
    assert [each.timestamp for each in tail.lines] == sorted(each.timestamp for each in tail.lines)
