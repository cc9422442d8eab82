"""Work that no request asks for: runs of schedules, and runs whose process died. Source: contract.md §5."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from flowlatch.store.base import Refusal, Store
from flowlatch.store.operations import care, schedules
from flowlatch.store.session import OutcomeUnknown

AT_ONCE = 100
"""Runs that one transaction of care looks at: requests wait for it in the same queue."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intervals:
    """How often each kind of work is done; None = never."""

    scheduler_s: float | None = 150.0
    zombie_killer_s: float | None = None
    lazarus_s: float | None = None


class Background:
    """The work on one store. `run` ends only by being cancelled."""

    def __init__(self, store: Store, intervals: Intervals) -> None:
        self._store = store
        self._intervals = intervals

    async def run(self) -> None:
        """Do all kinds of work that are switched on, each in its own rhythm, the first time at once."""
        works: tuple[tuple[float | None, Callable[[], Awaitable[int]], str], ...] = (
            (self._intervals.scheduler_s, self.schedule, "runs of schedules made"),
            (self._intervals.zombie_killer_s, self.kill_zombies, "runs without a sign of life ended"),
            (self._intervals.lazarus_s, self.raise_lazarus, "runs scheduled again"),
        )
        async with asyncio.TaskGroup() as group:
            for every_s, work, what in works:
                if every_s is not None:
                    group.create_task(_repeat(every_s, work, what))

    async def schedule(self) -> int:
        """Make the runs that are missing of each active schedule; one transaction for each flow. Returns how many."""
        made = 0
        for flow_id in await self._store.write(schedules.active_flow_ids):
            done = await self._store.write(partial(schedules.schedule_flow, flow_id=flow_id))
            made += len(done["flow_run_ids"])
        return made

    async def kill_zombies(self) -> int:
        """End what runs without a sign of life. Returns how many task runs and flow runs."""
        ended = 0
        while True:
            done = await self._store.write(partial(care.kill_zombies, limit=AT_ONCE))
            ended += sum(len(ids) for ids in done.values())
            if all(len(ids) < AT_ONCE for ids in done.values()):
                return ended

    async def raise_lazarus(self) -> int:
        """Schedule runs again whose process died before any task. Returns how many."""
        raised = 0
        while True:
            ids = (await self._store.write(partial(care.raise_lazarus, limit=AT_ONCE)))["flow_run_ids"]
            raised += len(ids)
            if len(ids) < AT_ONCE:
                return raised


async def _repeat(every_s: float, work: Callable[[], Awaitable[int]], what: str) -> None:
    """Do `work` at once and then every `every_s`. What the store refuses now is done the next time."""
    while True:
        try:
            done = await work()
            if done:
                logger.info("%s: %d", what, done)
        except (Refusal, OutcomeUnknown) as problem:
            logger.warning("%s: not now: %s", what, problem)
        await asyncio.sleep(every_s)
