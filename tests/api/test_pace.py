"""The rhythm of polls: as set while somebody looks, seldom while nobody does, soon when somebody does again."""

from __future__ import annotations

import asyncio

import pytest

from flowlatch.api import pace
from flowlatch.api.pace import Pace
from tests.support.waiting import eventually_async


class Clockwork:
    """A sleep that ends at once and remembers how long it should have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_while_somebody_looks_polls_wait_as_set() -> None:
    clock = Clockwork()
    await asyncio.wait_for(Pace(2.0, sleep=clock.sleep).wait(), 1)
    assert clock.slept == [2.0]


async def test_a_rest_lasts_until_somebody_looks() -> None:
    rhythm = Pace(2.0, sleep=Clockwork().sleep)
    rhythm.rest(True)
    waiting = asyncio.ensure_future(rhythm.wait())
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done
    rhythm.rest(False)
    await eventually_async(waiting.done, 1, "the poll")


async def test_a_rest_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "REST_S", 2.05)
    rhythm = Pace(2.0, sleep=Clockwork().sleep)
    rhythm.rest(True)
    await asyncio.wait_for(rhythm.wait(), 5)
    assert not rhythm._woken.is_set()


async def test_polls_that_are_seldom_anyway_rest_no_longer() -> None:
    clock = Clockwork()
    rhythm = Pace(60.0, sleep=clock.sleep)
    rhythm.rest(True)
    await asyncio.wait_for(rhythm.wait(), 1)
    assert clock.slept == [60.0]
