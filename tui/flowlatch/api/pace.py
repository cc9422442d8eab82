"""How long polls wait for each other: seldom while nobody looks, soon when somebody does again (ux.md rows 1 and 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

REST_S = 14.0
"""Seconds between two polls while nobody looks: just short of the age from which data counts as old."""


class Pace:
    """The rhythm of one connection's polls."""

    def __init__(self, poll_s: float, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.poll_s = poll_s
        """Seconds between two polls while somebody looks."""
        self._sleep = sleep
        self._is_resting = False
        self._woken = asyncio.Event()

    def rest(self, is_resting: bool) -> None:
        """Slow down, or go on at once."""
        self._is_resting = is_resting
        if not is_resting:
            self._woken.set()

    async def wait(self) -> None:
        """Wait until the next poll is due; the end of the rest ends what is left of it."""
        self._woken.clear()
        await self._sleep(self.poll_s)
        if self._is_resting:
            try:
                async with asyncio.timeout(REST_S - self.poll_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
