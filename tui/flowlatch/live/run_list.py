"""Keeps a board loaded: asks the server for what the screen needs, one request at a time, no more often than needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from flowlatch.errors import BackendError, Unreachable
from flowlatch.live.board import Board
from flowlatch.live.late_count import LateCount
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeBatch
from flowlatch.model.match import depends_on_time
from flowlatch.model.query import PAGE_LIMIT, Count, RunPage, RunQuery, is_end
from flowlatch.model.run import RunId

RELOAD_EVERY_S = 0.5
"""A window that keeps getting dirty is asked for this often at most, and never more than a quarter of the time."""
BUSY_SHARE = 4

T = TypeVar("T")


class RunList:
    """A board and the loop that loads it. Callbacks run in the event loop.

    `on_change` gets the runs whose row was patched (empty after a load); `on_problem` one clean line, or None once a
    load works again.
    """

    def __init__(
        self,
        session: Session,
        *,
        on_change: Callable[[set[RunId]], None],
        on_problem: Callable[[str | None], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = Board()
        self._session = session
        self._on_change = on_change
        self._on_problem = on_problem
        self._monotonic = monotonic
        self._seen = (0, PAGE_LIMIT // 4)
        self._wake = asyncio.Event()
        self._asked = asyncio.Event()
        self._frozen = False
        self._is_rank_wanted = False
        self._was_sought = False
        self._is_stalled = False
        self._last_load_at_s = -1e9
        self._last_load_took_s = 0.0
        self._loaded_generation = -1
        self._late_count = LateCount(session, self._take_count, monotonic)

    @property
    def is_behind(self) -> bool:
        """True while the rows are those of the question before."""
        return self.board.generation != self._loaded_generation

    @property
    def frozen(self) -> bool:
        """True while the view is held still: pushed changes and reloads wait, scrolling still loads rows."""
        return self._frozen

    @frozen.setter
    def frozen(self, value: bool) -> None:
        if self._frozen and not value:
            self.reload()
        self._frozen = value

    def ask(self, query: RunQuery) -> None:
        """Look at another list."""
        is_filter_new = replace(query, sort=self.board.query.sort) != self.board.query
        self.board.ask(query, self._session.now())
        self._late_count.drop()
        self._is_rank_wanted = is_filter_new and self.board.selected is not None
        self._is_stalled = False
        self._asked.set()
        self._wake.set()

    def ask_again(self, query: RunQuery) -> None:
        """Ask the same question as it is meant now: `since:2h` has moved. What is shown answers it until rows come."""
        if replace(query, offset=0, limit=PAGE_LIMIT) == self.board.query:
            self.reload()
            return
        was_behind = self.is_behind
        self.board.move_on(query)
        if not was_behind:
            self._loaded_generation = self.board.generation
        self._is_stalled = False
        self._wake.set()

    def see(self, first: int, last: int) -> None:
        """Say which rows are on the screen."""
        if (first, last) != self._seen:
            self._seen = (first, last)
            self._wake.set()

    def reload(self) -> None:
        """Ask again for what is on the screen."""
        self.board.is_dirty = True
        self._is_stalled = False
        self._wake.set()

    def clear(self) -> None:
        """Forget every row: another database answers now."""
        self.board.clear()
        self._asked.set()
        self._on_change(set())
        self.reload()

    def tick(self) -> None:
        """Let time pass: a list of late runs grows by itself."""
        if depends_on_time(self.board.query) and not self._frozen:
            self.reload()
        self._late_count.tick()

    def apply(self, batch: ChangeBatch) -> None:
        """Take pushed changes."""
        if self._frozen:
            self.board.is_dirty = True
            return
        patched = self.board.apply(batch, self._session.now())
        if patched or self.board.is_dirty:
            self._on_change(patched)
        if self.board.is_dirty:
            self._wake.set()

    async def run(self) -> None:
        """Load what is needed, until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (query := self._needed()) is not None:
                    await self._rest()
                    await self._load(self._needed() or query)
        finally:
            self._late_count.drop()

    def _needed(self) -> RunQuery | None:
        if self._is_stalled or not self._session.link.is_online:
            return None
        return self.board.wanted(*self._seen, still=self._frozen and self.board.generation == self._loaded_generation)

    async def _rest(self) -> None:
        """Wait between two reloads of the same list; a new question of the operator ends the wait."""
        self._asked.clear()
        if not self.board.is_dirty or self.board.generation != self._loaded_generation:
            return
        gap_s = max(RELOAD_EVERY_S, BUSY_SHARE * self._last_load_took_s)
        left_s = self._last_load_at_s + gap_s - self._monotonic()
        if left_s > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self._asked.wait()
            except TimeoutError:
                pass

    async def _load(self, query: RunQuery) -> None:
        self._asked.clear()
        started_at_s = self._last_load_at_s = self._monotonic()
        generation = self.board.generation
        is_reload = self.board.is_dirty or not self.board.is_loaded
        is_counted_later = is_reload and bool(query.text or query.not_text)
        try:
            if self._is_rank_wanted:
                query = await self._unless_asked(self._at_rank(query)) or query
            self.board.expect()
            page = await self._unless_asked(self._page(query, with_total=is_reload and not is_counted_later))
        except BackendError as error:
            self._stall(error)
            return
        if page is None:
            return
        self._last_load_took_s = self._monotonic() - started_at_s
        if self.board.take(page, generation=generation):
            self._loaded_generation = generation
            if is_counted_later and not is_end(page.received, page.offset, PAGE_LIMIT):
                self._late_count.want(query, generation)
            self._seek()
            self._on_problem(f"{page.unreadable} rows could not be read" if page.unreadable else None)
            self._on_change(set())

    def _take_count(self, count: Count, generation: int) -> None:
        if self.board.settle(count, generation=generation):
            self._on_change(set())

    def _seek(self) -> None:
        """Load the rows around the selected run where so many came before it that it is not among those loaded."""
        is_away = self.board.is_guest_listed(self._session.now()) and self.board.rank_query() is not None
        if is_away and not self._was_sought:
            self._is_rank_wanted = self.board.is_dirty = True
        self._was_sought = is_away

    async def _page(self, query: RunQuery, *, with_total: bool) -> RunPage:
        return await self._session.backend.page(query, with_total=with_total)

    async def _at_rank(self, query: RunQuery) -> RunQuery:
        """Return the page in whose middle the selected run stands, as far as that can be known."""
        self._is_rank_wanted = False
        rank_query = self.board.rank_query()
        if rank_query is None:
            return query
        rank = (await self._session.backend.counts({"rank": rank_query}))["rank"]
        if not rank.is_exact:
            return query
        return replace(query, offset=max(0, rank.value - PAGE_LIMIT // 2))

    async def _unless_asked(self, request: Awaitable[T]) -> T | None:
        """Return the answer; None when the operator asked something else meanwhile and this request was dropped."""
        task = asyncio.ensure_future(request)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _stall(self, error: BackendError) -> None:
        """Stop asking until there is a reason to: a new link, another question, the refresh key."""
        self._is_stalled = True
        if isinstance(error, Unreachable):
            self._session.retry_now()
        else:
            self._on_problem(str(error))
