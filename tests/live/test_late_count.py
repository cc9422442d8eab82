"""A number that is counted behind the rows: for the list that is shown, seldom, and never for one that was left."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from flowlatch.live.board import Board
from flowlatch.live.late_count import AGAIN_S, BUSY_SHARE, LateCount
from flowlatch.model.query import PAGE_LIMIT, Count, RunPage, RunQuery
from flowlatch.model.run import FlowRun, RunId
from tests.support.waiting import eventually_async

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUERY, OTHER = RunQuery(text="refused"), RunQuery(text="timeout")


class Counter:
    """Answers when it is told to; knows what it was asked and what was given up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dropped: list[str] = []
        self.heard: list[tuple[int, int]] = []
        self.now_s = 100.0
        self.may_answer = asyncio.Event()
        session: Any = SimpleNamespace(backend=self)
        self.late = LateCount(session, lambda count, of: self.heard.append((count.value, of)), lambda: self.now_s)

    async def counts(self, queries: dict[str, RunQuery]) -> dict[str, Count]:
        (query,) = queries.values()
        self.asked.append(query.text)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.dropped.append(query.text)
            raise
        return {"all": Count(value=len(self.asked))}


async def test_another_question_ends_the_count_of_the_one_before() -> None:
    counter = Counter()
    counter.late.want(QUERY, 1)
    await eventually_async(lambda: counter.asked == ["refused"])
    counter.late.want(OTHER, 2)
    await eventually_async(lambda: counter.asked == ["refused", "timeout"])
    counter.may_answer.set()
    await eventually_async(lambda: counter.heard == [(2, 2)])
    assert counter.dropped == ["refused"]


async def test_the_same_question_is_counted_again_only_after_a_while() -> None:
    counter = Counter()
    counter.late.want(QUERY, 1)
    await eventually_async(lambda: counter.asked == ["refused"])
    counter.now_s += 2 * AGAIN_S
    counter.may_answer.set()
    await eventually_async(lambda: counter.heard == [(1, 1)])
    counter.now_s += BUSY_SHARE * 2 * AGAIN_S - 0.1
    counter.late.want(QUERY, 1)
    assert len(counter.asked) == 1, "a count that took long is not asked for soon again"
    counter.now_s += 0.2
    counter.late.tick()
    await eventually_async(lambda: counter.heard == [(1, 1), (2, 1)])


def page(rows: int) -> RunPage:
    return RunPage(rows=[FlowRun(id=RunId(f"id-{number}"), name="refused") for number in range(rows)])


def test_the_number_of_the_list_before_is_never_shown_for_this_one() -> None:
    board = Board()
    board.take(RunPage(rows=page(PAGE_LIMIT).rows, total=1_000_000), generation=0)
    board.ask(QUERY, NOW)
    assert not board.settle(Count(value=7), generation=0)
    board.take(page(PAGE_LIMIT), generation=board.generation)
    assert (board.total, board.total_is_exact) == (2 * PAGE_LIMIT, False)
    assert board.settle(Count(value=531), generation=board.generation)
    assert (board.total, board.total_is_exact) == (531, True)
    board.ask(OTHER, NOW)
    assert not board.settle(Count(value=531), generation=board.generation), "no rows of it are there yet"
    board.take(page(3), generation=board.generation)
    assert (board.total, board.total_is_exact) == (3, True), "a page that is not full holds them all"
