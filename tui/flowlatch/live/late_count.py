"""The number of matches where counting them takes longer than reading the rows: asked for behind the rows.

A search in a million texts takes the server a second to count and a moment to find the newest matches of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowlatch.errors import BackendError
from flowlatch.live.session import Session
from flowlatch.model.query import Count, RunQuery

AGAIN_S = 5.0
"""The same question is counted again after this long at the earliest, and never more than a quarter of the time."""
BUSY_SHARE = 4


class LateCount:
    """Counts one query at a time; `on_count` gets the number and the generation it was asked for."""

    def __init__(
        self, session: Session, on_count: Callable[[Count, int], None], monotonic: Callable[[], float]
    ) -> None:
        self._session = session
        self._on_count = on_count
        self._monotonic = monotonic
        self._task: asyncio.Task[None] | None = None
        self._wanted: tuple[RunQuery, int] | None = None
        self._generation = -1
        self._not_before_s = 0.0

    def want(self, query: RunQuery, generation: int) -> None:
        """Ask for the number of a list: at once when it is another one, else when it is time again."""
        self._wanted = (query, generation)
        if generation != self._generation:
            self.drop()
            self._generation, self._not_before_s = generation, 0.0
        self.tick()

    def tick(self) -> None:
        """Ask again what is due by now."""
        is_busy = self._task is not None and not self._task.done()
        if self._wanted is not None and not is_busy and self._monotonic() >= self._not_before_s:
            query, generation = self._wanted
            self._wanted = None
            self._task = asyncio.create_task(self._count(query, generation))

    def drop(self) -> None:
        """Stop counting."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _count(self, query: RunQuery, generation: int) -> None:
        began_s = self._monotonic()
        try:
            count = (await self._session.backend.counts({"all": query}))["all"]
        except BackendError:
            return
        finally:
            if generation == self._generation:
                now_s = self._monotonic()
                self._not_before_s = now_s + max(AGAIN_S, BUSY_SHARE * (now_s - began_s))
        self._on_count(count, generation)
