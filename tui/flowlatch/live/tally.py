"""How many runs there are: the numbers on the state tabs, and the small chart of the last hour."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from flowlatch.errors import BackendError
from flowlatch.live.session import Session
from flowlatch.model.query import Count, RunQuery

EVERY_S = 1.0
"""The numbers are asked for this often at most."""
TREND_EVERY_S = 60.0
TREND_BARS = 12
TREND_SPAN = timedelta(hours=1)


class Tally:
    """Counts of named queries, kept up to date on demand. `on_change` is called after each answer."""

    def __init__(
        self,
        session: Session,
        queries: dict[str, RunQuery],
        *,
        on_change: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: dict[str, Count] = {}
        self.trend: list[int] = []
        """Runs by scheduled start in `TREND_BARS` equal parts of the last hour, oldest first; empty until asked for."""
        self.has_trend = False
        """Set by the screen when there is room for the chart."""
        self.frozen = False
        self._session = session
        self._queries = queries
        self._on_change = on_change
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._trend_at_s = -1e9

    def refresh(self) -> None:
        """Ask again soon."""
        self._wake.set()

    def clear(self) -> None:
        """Forget the numbers: another database answers now."""
        self.counts, self.trend, self._trend_at_s = {}, [], -1e9
        self._on_change()
        self.refresh()

    async def run(self) -> None:
        """Keep counting on demand, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._session.link.is_online and not self.frozen:
                await self._count()
                await asyncio.sleep(EVERY_S)

    async def _count(self) -> None:
        queries = dict(self._queries)
        is_trend_due = self.has_trend and self._monotonic() - self._trend_at_s >= TREND_EVERY_S
        if is_trend_due:
            queries.update(self._trend_queries())
        try:
            counts = await self._session.backend.counts(queries)
        except BackendError:
            return
        if is_trend_due:
            self._trend_at_s = self._monotonic()
            self.trend = [counts.pop(f"trend{bar}").value for bar in range(TREND_BARS)]
        if counts != self.counts or is_trend_due:
            self.counts = counts
            self._on_change()

    def _trend_queries(self) -> dict[str, RunQuery]:
        end = self._session.now()
        width = TREND_SPAN / TREND_BARS
        begin = end - TREND_SPAN
        return {
            f"trend{bar}": RunQuery(since=begin + bar * width, until=begin + (bar + 1) * width)
            for bar in range(TREND_BARS)
        }
