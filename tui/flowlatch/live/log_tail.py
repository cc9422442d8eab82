"""The log lines of one run that are held here: merged by time, each once, the newest 50,000 at most. No I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from datetime import datetime, timedelta

from flowlatch.model.run import LogLine

KEPT_LINES = 50_000
"""Lines held at most; the oldest are dropped."""
OVERLAP = timedelta(seconds=5)
"""Agents send lines in batches, so an older line may arrive behind a newer one: this much is asked for again."""
OVERLAP_LINES = 200
"""… but no more lines than this."""


class LogTail:
    """The newest lines of a run's log, oldest first."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.is_whole = False
        """True when no older line exists on the server."""
        self.dropped = 0
        """Lines that were held and had to be dropped."""
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self.lines)

    def asked_after(self) -> LogLine | None:
        """Return the line to ask the server for the followers of; None while nothing is held."""
        if not self.lines:
            return None
        since = self.lines[-1].timestamp - OVERLAP
        place = bisect_left(self.lines, since, key=_time)
        return self.lines[max(place, len(self.lines) - OVERLAP_LINES, 0)]

    def merge(self, lines: Iterable[LogLine]) -> int:
        """Take lines in, each at its place in time; return how many were new."""
        fresh = [line for line in lines if not (line.id and line.id in self._ids)]
        known = self._ids
        new = 0
        for line in fresh:
            if line.id:
                if line.id in known:
                    continue
                known.add(line.id)
            if not self.lines or line.timestamp >= self.lines[-1].timestamp:
                self.lines.append(line)
            else:
                insort(self.lines, line, key=_time)
            new += 1
        self._drop()
        return new

    def replace(self, lines: list[LogLine], *, is_whole: bool) -> None:
        """Hold these lines, the newest of the log, and what was held and is not among them."""
        held, self.lines, self._ids = self.lines, [], set()
        self.is_whole = is_whole
        self.merge(sorted(lines, key=_time))
        first = self.lines[0].timestamp if self.lines else None
        self.merge(line for line in held if first is None or line.timestamp >= first)

    def place_of(self, moment: datetime) -> int:
        """Return the index of the first line behind `moment`."""
        return bisect_right(self.lines, moment, key=_time)

    def _drop(self) -> None:
        extra = len(self.lines) - KEPT_LINES
        if extra > 0:
            self._ids.difference_update(line.id for line in self.lines[:extra])
            del self.lines[:extra]
            self.dropped += extra
            self.is_whole = False


def _time(line: LogLine) -> datetime:
    return line.timestamp
