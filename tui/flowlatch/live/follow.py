"""The one loop that follows a server: connect, watch, notice silence, try again for ever.

Push or poll is the backend's business (`Backend.watch`); here it is a stream that may fall silent or end.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from flowlatch.api.backend import Backend, Capabilities
from flowlatch.errors import BackendError, BadInput, FlowlatchError, ForeignServer, Unauthorized, Unreachable
from flowlatch.live.link import (
    HEARTBEAT_S,
    Event,
    LinkChanged,
    LinkState,
    Phase,
    Reload,
    ReloadReason,
    RunsChanged,
)
from flowlatch.model.change import ChangeBatch
from flowlatch.text import one_line

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
OPEN_TIMEOUT_S = 30.0
"""Longest time one attempt to connect may take; an embedded server is given 10 s to start."""
PROBE_TIMEOUT_S = 10.0
RESTING_BEATS = 4
"""How many heartbeats of silence are borne while nobody looks: more than the pause between two polls then."""

log = logging.getLogger(__name__)


class Follow:
    """Keeps one connection alive and tells what it hears.

    `backend` is the last good connection, kept while offline so that an answer still under way can arrive.
    """

    def __init__(
        self,
        opener: Callable[[], Awaitable[Backend]],
        *,
        clock: Callable[[], datetime],
        profile_name: str = "",
        jitter: Callable[[], float] = random.random,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.backend: Backend | None = None
        self.capabilities: Capabilities | None = None
        self.clock_offset = timedelta(0)
        self.link = LinkState(since=clock())
        self._open = opener
        self._clock = clock
        self._name = profile_name
        self._jitter = jitter
        self._heartbeat_s = heartbeat_s
        self._is_resting = False
        self._listeners: list[Callable[[Event], None]] = []
        self._retired: list[Backend] = []
        self._nudge = asyncio.Event()
        self.wait_s = 0.0
        """Seconds from the last failure to the next try."""
        self._reason_to_load = ReloadReason.CONNECTED
        self._failures = 0
        self._traffic: deque[tuple[float, int]] = deque()

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event until the returned function is called."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def retry_now(self) -> None:
        """End the wait between two tries, or ask a silent server for a sign of life."""
        self._nudge.set()

    def rest(self, is_resting: bool) -> None:
        """Ask seldom while nobody looks; when somebody does, go on, and see at once whether the server is there."""
        self._is_resting = is_resting
        if self.backend is not None:
            self.backend.rest(is_resting)
        if not is_resting:
            self.retry_now()

    @property
    def requests_per_minute(self) -> float:
        """Requests of the last 60 s, sampled at each event."""
        self._sample_traffic()
        if not self._traffic:
            return 0.0
        first, last = self._traffic[0], self._traffic[-1]
        span_s = max(last[0] - first[0], 1.0)
        return (last[1] - first[1]) * 60.0 / max(span_s, 60.0)

    async def run(self) -> None:
        """Follow until cancelled; then close every connection."""
        try:
            while True:
                await self._attempt()
                await self._wait_for_next_try()
        finally:
            await self._close_all()

    async def _attempt(self) -> None:
        """Connect and watch until it fails; the failure is told, not raised."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                backend = await self._open()
            await self._adopt(backend)
            await self._watch(backend)
        except asyncio.CancelledError:
            raise
        except TimeoutError:
            self._fail(Unreachable("no answer"))
        except FlowlatchError as error:
            self._fail(error)
        except Exception as error:  # the guard of the one loop: a bug must not freeze the screen
            log.error("following the server failed: %s", type(error).__name__, exc_info=True)
            self._fail(Unreachable(f"unexpected: {type(error).__name__}"))

    async def _adopt(self, backend: Backend) -> None:
        """Make a new connection the current one."""
        known, self.capabilities = self.capabilities, backend.capabilities
        previous, self.backend = self.backend, backend
        backend.rest(self._is_resting)
        self.clock_offset = backend.now() - self._clock()
        self._traffic.clear()
        if previous is not None:
            self._retired.append(previous)
            await self._close_retired(keep=1)
        reason = ReloadReason.CONNECTED
        if known is not None:
            is_same = known.server_id == self.capabilities.server_id and known.kind == self.capabilities.kind
            reason = ReloadReason.RECONNECTED if is_same else ReloadReason.SERVER_CHANGED
        self._reason_to_load = reason

    async def _watch(self, backend: Backend) -> None:
        """Tell every change until the stream breaks, which raises."""
        start = backend.start_cursor
        stream = aiter(backend.watch(since=start))
        pending: asyncio.Task[ChangeBatch] | None = None
        is_first = start is None
        if not is_first:  # connecting told where changes count from, so that rows can be asked for at once
            self._go_online()
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(stream))
                batch = await self._next_or_silence(pending)
                if batch is None:
                    await self._probe(backend)
                    continue
                pending = None
                if is_first:
                    is_first = False
                    self._go_online()
                self._hear(batch)
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.wait({pending})
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def _next_or_silence(self, pending: asyncio.Task[ChangeBatch]) -> ChangeBatch | None:
        """Return the next batch, or None when it is time to ask whether the server is still there."""
        nudged = asyncio.ensure_future(self._nudge.wait())
        try:
            silence_s = self._heartbeat_s * (RESTING_BEATS if self._is_resting else 1)
            await asyncio.wait({pending, nudged}, timeout=silence_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nudged.cancel()
        self._nudge.clear()
        return pending.result() if pending.done() else None

    async def _probe(self, backend: Backend) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await backend.server_now()
        except TimeoutError as error:
            raise Unreachable(f"no sign of life for {PROBE_TIMEOUT_S:.0f} s") from error
        self.clock_offset = backend.now() - self._clock()
        self._mark_alive()

    def _go_online(self) -> None:
        now = self._clock()
        self._failures = 0
        self.link = LinkState(Phase.ONLINE, since=now, last_data_at=now)
        self._tell(Reload(self._reason_to_load))  # first, so that rows are asked for before anything is painted
        self._tell(LinkChanged(self.link))

    def _hear(self, batch: ChangeBatch) -> None:
        self._mark_alive()
        if batch.resync:
            self._tell(Reload(ReloadReason.MISSED))
        elif batch.changes:
            self._tell(RunsChanged(batch))

    def _mark_alive(self) -> None:
        now = self._clock()
        was_live = self.link.is_live(now)
        self.link = replace(self.link, last_data_at=now)
        self._sample_traffic()
        if not was_live:
            self._tell(LinkChanged(self.link))

    def _fail(self, error: FlowlatchError) -> None:
        """Write down why there is no link, and when it is tried again."""
        phase = Phase.OFFLINE
        if isinstance(error, ForeignServer | BadInput):
            phase = Phase.FOREIGN
        elif isinstance(error, Unauthorized):
            phase = Phase.UNAUTHORIZED
        elif not isinstance(error, BackendError):
            log.error("connecting failed: %s", one_line(error))
        now = self._clock()
        wait_s = self._next_wait_s(is_hopeless=phase is not Phase.OFFLINE)
        is_same = self.link.phase is phase
        self.link = LinkState(
            phase,
            since=self.link.since if is_same else now,
            reason=one_line(error),
            next_try_at=now + timedelta(seconds=wait_s),
            last_data_at=self.link.last_data_at,
        )
        self.wait_s = wait_s
        self._tell(LinkChanged(self.link))

    def _next_wait_s(self, *, is_hopeless: bool) -> float:
        """Seconds until the next try: doubling from 1 to 30 with jitter, the longest when a retry hardly helps."""
        longest = LONGEST_WAIT_S if is_hopeless else min(FIRST_WAIT_S * 2**self._failures, LONGEST_WAIT_S)
        self._failures = min(self._failures + 1, 10)
        return longest * (0.5 + 0.5 * self._jitter()) if longest > FIRST_WAIT_S else longest

    async def _wait_for_next_try(self) -> None:
        try:
            async with asyncio.timeout(self.wait_s):
                await self._nudge.wait()
        except TimeoutError:
            pass
        self._nudge.clear()
        self.link = replace(self.link, next_try_at=None)
        self._tell(LinkChanged(self.link))

    def _tell(self, event: Event) -> None:
        for callback in tuple(self._listeners):
            callback(event)

    def _sample_traffic(self) -> None:
        if self.backend is None:
            return
        now_s = self._clock().timestamp()
        self._traffic.append((now_s, self.backend.traffic.requests))
        while len(self._traffic) > 2 and now_s - self._traffic[1][0] > 60:
            self._traffic.popleft()

    async def _close_retired(self, *, keep: int) -> None:
        while len(self._retired) > keep:
            await self._retired.pop(0).aclose()

    async def _close_all(self) -> None:
        await self._close_retired(keep=0)
        if self.backend is not None:
            await self.backend.aclose()


async def _next(stream: AsyncIterator[ChangeBatch]) -> ChangeBatch:
    try:
        return await anext(stream)
    except StopAsyncIteration as error:
        raise Unreachable("the server ended the stream of changes") from error
