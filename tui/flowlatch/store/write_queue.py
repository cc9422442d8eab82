"""Where the event loop hands its operations to the thread that writes, and gets their outcomes back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from flowlatch.store.base import NOBODY, Change, Operation, Origin, Refusal
from flowlatch.store.session import Session
from flowlatch.store.times import from_text
from flowlatch.store.tx import Sources, StoreClock
from flowlatch.store.writer import Batch, Failed, Job, Writer

T = TypeVar("T")
HELD_S = 0.01
"""After so long, at the latest after twice as long, answers no longer wait for the writer to pause; see `writer`."""


class WriteQueue:
    """The writing side of a store. Belongs to the event loop it is made in."""

    def __init__(
        self, session: Session, sources: Sources, last_time: str, committed: Callable[[list[Change]], None]
    ) -> None:
        """`last_time`: the newest time stored. `committed` is called in the event loop with each commit's changes."""
        self._last_time = from_text(last_time)
        self._machine_clock = sources.clock
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self._held: deque[Batch] = deque()
        """Done, and not handed out yet; the writer puts in, the event loop takes out."""
        self._open = 0
        """Jobs that somebody waits for."""
        self._look: asyncio.TimerHandle | None = None
        self._writer = Writer(session, sources, StoreClock(sources.clock), self._held.append, self._pausing)
        self._writer.start()

    def now(self) -> datetime:
        """Return the time as the next transaction would see it, aware UTC."""
        return max(self._machine_clock().astimezone(UTC), self._last_time)

    async def write(self, operation: Operation[T], origin: Origin = NOBODY) -> T:
        """Run one operation; see `base.Store.write`."""
        outcome = (await self._ask((operation,), origin))[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        return cast(T, outcome)

    async def write_all(self, operations: Sequence[Operation[Any]], origin: Origin = NOBODY) -> list[Any]:
        """Run operations in order, each atomic for itself; see `base.Store.write_all`.

        An operation that failed by a fault of ours, not by a rule, raises here after all have run.
        """
        if not operations:
            return []
        outcomes = [
            outcome.error if isinstance(outcome, Failed) else outcome for outcome in await self._ask(operations, origin)
        ]
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, Refusal):
                raise outcome
        return outcomes

    async def _ask(self, operations: Sequence[Operation[Any]], origin: Origin) -> list[Any]:
        if self._is_closing:
            raise Refusal("BUSY", "the server is stopping; nothing was changed")
        future: asyncio.Future[list[Any]] = self._loop.create_future()

        def answer(outcomes: list[Any]) -> None:
            if not future.done():
                future.set_result(outcomes)

        self._writer.submit(Job(operations, origin, answer))
        self._open += 1
        if self._look is None:
            self._look = self._loop.call_later(HELD_S, self._look_after)
        return await future

    def _pausing(self) -> None:
        if self._held:
            self._loop.call_soon_threadsafe(self._hand_out)

    def _look_after(self) -> None:
        """Hand out what the writer does not get to: an operation takes long, or another process has the database."""
        self._look = self._loop.call_later(HELD_S, self._look_after) if self._open else None
        if self._held and time.monotonic() - self._held[0].done_at >= HELD_S:
            self._hand_out()

    def _hand_out(self) -> None:
        while self._held:
            batch = self._held.popleft()
            self._open -= len(batch.jobs)
            self._last_time = max(self._last_time, batch.now)
            for job in batch.jobs:
                job.answer(job.outcomes)
            if batch.changes:
                self._committed(batch.changes)

    def refuse(self) -> None:
        """Take nothing more."""
        self._is_closing = True

    def finish(self) -> None:
        """Do all that was taken, then end. Blocks; call it once, after `refuse`, outside of the event loop."""
        self._writer.stop()


class WritingStore:
    """The half of a `base.Store` that writes, whatever database is below."""

    _queue: WriteQueue

    def now(self) -> datetime:
        """Return the time as the next transaction would see it, aware UTC."""
        return self._queue.now()

    async def write(self, operation: Operation[T], origin: Origin = NOBODY) -> T:
        """Run one operation; see `base.Store.write`."""
        return await self._queue.write(operation, origin)

    async def write_all(self, operations: Sequence[Operation[Any]], origin: Origin = NOBODY) -> list[Any]:
        """Run operations in order, each atomic for itself; see `base.Store.write_all`."""
        return await self._queue.write_all(operations, origin)
