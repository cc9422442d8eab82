"""The state of the link to one server, and what is told about it: values without I/O.

Times are aware UTC on this machine's clock (`Session.now` is the server's).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowlatch.model.change import ChangeBatch

LIVE_S = 10.0
"""Data younger than this is shown as `live`, without a number (design.md §5)."""
HEARTBEAT_S = 5.0
"""A server that was silent for this long is asked whether it is still there."""
STALE_S = 3 * HEARTBEAT_S
"""Three missed signs of life: rows are dimmed and edits ask for a refresh first (reliability.md P11)."""


class Phase(StrEnum):
    """Where the link stands."""

    CONNECTING = "connecting"
    """Never connected yet, or switching."""
    ONLINE = "online"
    OFFLINE = "offline"
    """No answer; it is tried again for ever."""
    FOREIGN = "foreign"
    """Something answers that is no server this program speaks to."""
    UNAUTHORIZED = "unauthorized"
    """The token is wrong or missing."""


class ReloadReason(StrEnum):
    """Why everything shown must be loaded anew."""

    CONNECTED = "connected"
    RECONNECTED = "reconnected"
    MISSED = "missed"
    """The server could not tell every change."""
    SERVER_CHANGED = "server_changed"
    """It has another database now: whatever was known is void, no edit may go through."""


@dataclass(frozen=True)
class LinkState:
    """The link at one moment."""

    phase: Phase = Phase.CONNECTING
    since: datetime | None = None
    """When this phase began."""
    reason: str = ""
    """One clean line: why it is not online."""
    next_try_at: datetime | None = None
    """None while a try is running, and online."""
    last_data_at: datetime | None = None
    """The server's last sign of life; None before the first."""

    @property
    def is_online(self) -> bool:
        """True while the server answers."""
        return self.phase is Phase.ONLINE

    def age_s(self, now: datetime) -> float | None:
        """Seconds since the last sign of life, never negative; None before the first."""
        return max((now - self.last_data_at).total_seconds(), 0.0) if self.last_data_at else None

    def is_live(self, now: datetime) -> bool:
        """True when what is shown is the present: online and heard of within `LIVE_S`."""
        age = self.age_s(now)
        return self.is_online and age is not None and age < LIVE_S

    def is_stale(self, now: datetime) -> bool:
        """True when what is shown may be wrong: not online, or silent for three heartbeats."""
        age = self.age_s(now)
        return not self.is_online or age is None or age >= STALE_S


@dataclass(frozen=True)
class LinkChanged:
    """Phase, reason, or next try changed, or data got stale or fresh again."""

    link: LinkState


@dataclass(frozen=True)
class RunsChanged:
    """Some runs changed on the server."""

    batch: ChangeBatch


@dataclass(frozen=True)
class Reload:
    """Load whatever is shown anew."""

    reason: ReloadReason


Event = LinkChanged | RunsChanged | Reload
