"""One server as the screens see it: its link, its clock, whether it may be written to.

The screens get a `Session` and nothing else of `live` unless they edit: no screen opens a connection of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flowlatch.api.backend import Backend, Capabilities, Locking
from flowlatch.config import Profile, Target, places
from flowlatch.errors import Unreachable
from flowlatch.live.follow import Follow
from flowlatch.live.guard import guarded
from flowlatch.live.link import Event, LinkChanged, LinkState, Phase, Reload, ReloadReason, RunsChanged

if TYPE_CHECKING:
    from flowlatch.live.drafts import Drafts
    from flowlatch.live.journal import Journal

__all__ = [
    "Event",
    "LinkChanged",
    "LinkState",
    "Phase",
    "Reload",
    "ReloadReason",
    "RunsChanged",
    "Session",
    "TimeStyle",
    "utc_now",
]


class TimeStyle(StrEnum):
    """How times are written in lists."""

    RELATIVE = "relative"
    LOCAL = "local"
    UTC = "utc"


def utc_now() -> datetime:
    """Return this machine's clock, aware, UTC."""
    return datetime.now(UTC)


class Session:
    """A server that is followed, and the operator's standing towards it.

    `opener` connects and returns a backend; it is called again after each loss. Nothing is sent before `run`.
    """

    def __init__(
        self,
        target: Target,
        opener: Callable[[], Awaitable[Backend]],
        *,
        clock: Callable[[], datetime] = utc_now,
        zone: str | None = None,
        follow: Follow | None = None,
    ) -> None:
        self.target = target
        self.zone = zone or local_zone()
        """IANA name of the operator's zone."""
        self.time_style = TimeStyle.RELATIVE
        self.read_only = target.profile.read_only
        """Switched by the operator; the server and the profile may refuse on their own."""
        self._clock = clock
        self._follow = follow or Follow(opener, clock=clock, profile_name=target.profile.name)

    @property
    def profile(self) -> Profile:
        """The profile of this server."""
        return self.target.profile

    def remember_profile(self, profile: Profile) -> None:
        """Take a changed profile of the same server, e.g. with one more saved filter."""
        self.target = replace(self.target, profile=profile)

    @property
    def link(self) -> LinkState:
        """The link right now."""
        return self._follow.link

    @property
    def capabilities(self) -> Capabilities | None:
        """What the server can do, as last probed; None before the first connection."""
        return self._follow.capabilities

    @property
    def server_id(self) -> str:
        """Names the database that is shown; empty where the server has no such name."""
        return self.capabilities.server_id if self.capabilities else ""

    @property
    def backend(self) -> Backend:
        """The connection. Raises `Unreachable` while there is none; its writes raise `ReadOnly` when switched off."""
        backend = self._follow.backend
        if backend is None or not self.link.is_online:
            raise Unreachable(self.link.reason or "not connected yet")
        return guarded(backend, self._why_refused)

    @property
    def url(self) -> str:
        """The server's address, as connected to or as configured; empty for an embedded one not yet found."""
        return self._follow.backend.url if self._follow.backend else self.profile.url or ""

    @property
    def local_zone(self) -> ZoneInfo:
        """The operator's zone."""
        return ZoneInfo(self.zone)

    @property
    def requests_per_minute(self) -> float:
        """Requests sent in the last minute."""
        return self._follow.requests_per_minute

    def now(self) -> datetime:
        """Return the server's clock (aware UTC): this machine's plus the difference last measured."""
        return self._clock() + self._follow.clock_offset

    def local_now(self) -> datetime:
        """Return this machine's clock (aware UTC): what `LinkState` is written in."""
        return self._clock()

    @property
    def clock_skew(self) -> timedelta:
        """How far the server's clock is ahead of this machine's."""
        return self._follow.clock_offset

    @property
    def can_write(self) -> bool:
        """True when a change would be sent now."""
        return self.why_read_only is None

    @property
    def why_read_only(self) -> str | None:
        """One plain line why nothing can be changed now, None when changes are on."""
        if not self.link.is_online:
            return f"{self.link.phase}: {self.link.reason}" if self.link.reason else f"{self.link.phase}"
        if self.link.is_stale(self._clock()):
            return "the data shown is old: :refresh first"
        return self._why_refused()

    def _why_refused(self) -> str | None:
        if self.read_only:
            by = "the profile" if self.profile.read_only else "you (:read-only switches it)"
            return f"read-only, set by {by}"
        if self.capabilities is None:
            return "not connected yet"
        if self.capabilities.read_only:
            return "read-only, set by the server"
        if self.capabilities.locking is Locking.NONE and not self.profile.allow_unlocked:
            return "this server does not lock versions; the profile's allow_unlocked permits edits"
        return None

    @cached_property
    def journal(self) -> Journal:
        """The record of what was done from here."""
        from flowlatch.live.journal import Journal

        return Journal(places().state / "journal.jsonl", clock=self._clock)

    @cached_property
    def drafts(self) -> Drafts:
        """What was typed and not sent."""
        from flowlatch.live.drafts import Drafts

        return Drafts(places().state / "drafts")

    async def run(self) -> None:
        """Follow the server until cancelled. Never gives up; closes the connection at the end."""
        await self._follow.run()

    def retry_now(self) -> None:
        """Try to connect, or ask the server for a sign of life, without waiting any longer."""
        self._follow.retry_now()

    def rest(self, is_resting: bool) -> None:
        """Ask the server seldom while nobody looks; catch up when somebody does again."""
        self._follow.rest(is_resting)

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Have `callback` called in the event loop with each event; the returned function ends it."""
        return self._follow.listen(callback)

    async def connected(self) -> Capabilities:
        """Wait until the server has answered, and return what it can do."""
        ready = asyncio.Event()
        stop = self.listen(lambda event: ready.set() if self.link.is_online else None)
        try:
            if not self.link.is_online:
                await ready.wait()
        finally:
            stop()
        assert self.capabilities is not None
        return self.capabilities


def local_zone() -> str:
    """Return the IANA name of this machine's zone, `UTC` where it has none."""
    if "TZ" not in os.environ and (name := _zone_name(os.path.realpath("/etc/localtime").partition("zoneinfo/")[2])):
        return name  # what the next lines find too, without their import of 10 ms
    from whenever import SYSTEM_TZ, Instant

    found = str(getattr(Instant.now().to_tz(SYSTEM_TZ), "tz_id", "") or "")
    return _zone_name(found) or _zone_name(os.environ.get("TZ", "")) or "UTC"


def _zone_name(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (ValueError, OSError):
        return ""
