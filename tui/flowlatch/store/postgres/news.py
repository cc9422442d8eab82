"""What all servers of a database commit, told in its order to those who listen here.

The truth is the table: everything after the last number that was told is read from it. A notification only says when to
look; without one, somebody looks every `POLL_S`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import psycopg

from flowlatch.store.base import Change, Listener, Refusal
from flowlatch.store.postgres.connection import reason_of
from flowlatch.store.postgres.session import CHANNEL

POLL_S = 1.0
SILENCE_S = 3.0
"""Time without an answer after which it is said that nothing is known."""
AT_ONCE = 1000
logger = logging.getLogger(__name__)


class Since(Protocol):
    """`base.Store.changes_since`."""

    async def __call__(self, seq: int, *, limit: int) -> tuple[int, list[Change]] | None: ...


class News:
    """Follows the sequence of changes of one database. Belongs to the event loop it is used in."""

    def __init__(self, conninfo: str, since: Since, last_seq: Callable[[], Awaitable[int]]) -> None:
        self.listeners: list[Listener] = []
        self.silence_listeners: list[Callable[[], None]] = []
        self._conninfo = conninfo
        self._since = since
        self._last_seq = last_seq
        self._reached = 0
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []

    def begin(self, seq: int) -> None:
        """Tell everything after number `seq`."""
        self._reached = seq
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._listen())]

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    async def end(self) -> None:
        """Tell nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        heard_at: float | None = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
            except (Refusal, psycopg.Error) as problem:  # the next look that succeeds tells what came meanwhile
                if not isinstance(problem, Refusal):
                    logger.error("looking for changes failed: %s", reason_of(problem))
                if heard_at is not None and loop.time() - heard_at > SILENCE_S:
                    heard_at = None
                    for listener in self.silence_listeners:
                        listener()
            else:
                heard_at = loop.time()

    async def _catch_up(self) -> None:
        while True:
            found = await self._since(self._reached, limit=AT_ONCE)
            if found is None:
                self._reached = await self._last_seq()
                self._tell(None)
                return
            self._reached, changed = found
            if changed:
                self._tell(changed)
            if len(changed) < AT_ONCE:
                return

    def _tell(self, changed: list[Change] | None) -> None:
        for listener in self.listeners:
            listener(changed)

    async def _listen(self) -> None:
        is_told = False
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    is_told = False
                    self.wake()
                    async for notice in connection.notifies():
                        if not notice.payload.isdecimal() or int(notice.payload) > self._reached:
                            self.wake()
            except psycopg.Error as error:
                if not is_told:
                    logger.warning("no news from the database, it is asked every %g s: %s", POLL_S, reason_of(error))
                    is_told = True
            await asyncio.sleep(POLL_S)
