"""One transaction, as operations see it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flowlatch.store.base import Change, Origin
from flowlatch.store.session import Session
from flowlatch.store.times import from_text, utc_text

logger = logging.getLogger(__name__)

STEP_S = 60.0
"""A clock that runs away from the monotonic one by more than this was set by somebody: logged, once each time."""


def wall_clock() -> datetime:
    """Return the time of the machine, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Sources:
    """Where a store gets what is not in it; injected by tests."""

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    words: Callable[[], str]
    idempotency_window_s: float


class StoreClock:
    """A clock that never runs backwards: max(machine, last time stored), so that a clock set back neither revives nor
    shortens an idempotency key (design.md §7)."""

    def __init__(self, machine: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._machine = machine
        self._monotonic = monotonic
        self._last_seen: tuple[datetime, float] | None = None
        self.last = datetime.fromtimestamp(0, UTC)
        """The newest time it gave."""

    def now(self, stored: datetime) -> datetime:
        """Return the machine's time, or `stored` if that is later."""
        machine, monotonic = self._machine(), self._monotonic()
        if self._last_seen is not None:
            step_s = (machine - self._last_seen[0]).total_seconds() - (monotonic - self._last_seen[1])
            if abs(step_s) > STEP_S:
                logger.warning("the clock of this machine was set by %+.0f s", step_s)
        self._last_seen = (machine, monotonic)
        self.last = max(machine, stored)
        return self.last


class StoreTx:
    """The open transaction of one batch, a `base.Tx`; `begin_operation` starts the turn of the next operation in it."""

    now: datetime
    now_text: str

    def __init__(self, session: Session, last_time: str, change_seq: int, sources: Sources, clock: StoreClock) -> None:
        self._clock = clock
        self.change_seq = change_seq
        self.now, self.now_text = from_text(last_time), last_time
        self.origin = Origin()
        self.idempotency_window_s = sources.idempotency_window_s
        self.changes: list[Change] = []
        self.new_id = sources.new_id
        self.new_name = sources.words
        self.execute = session.execute
        self.execute_many = session.execute_many

    def begin_operation(self, origin: Origin) -> None:
        """Take the time for the next operation and note who asks for it."""
        self.now = self._clock.now(self.now)
        self.now_text = utc_text(self.now)
        self.origin = origin

    def new_row_id(self) -> str:
        """Return a fresh UUID that begins with the time; see `base.Tx`."""
        ms = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{ms[:8]}-{ms[8:12]}-7{self.new_id()[15:]}"

    def changed(self, run_id: str, kind: str) -> int:
        """Note a change of a run and return its place in the sequence; see `base.Tx`."""
        self.change_seq += 1
        self.changes.append(Change(self.change_seq, run_id, kind))
        return self.change_seq

    def store_clock(self) -> None:
        """Write down the time and the sequence reached; the last statement of a batch."""
        self.execute("UPDATE store_clock SET last_time = ?, change_seq = ?", (self.now_text, self.change_seq))
