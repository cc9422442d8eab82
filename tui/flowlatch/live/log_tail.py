"""The log lines of one run that are held here: merged by time, each once, the newest 50,000 at most. No I/O."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flowlatch.model.run import LogLine, LogMark

KEPT_LINES = 50_000
"""Lines held at most; the oldest are dropped."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any line arrived."""


class LogTail:
    """The newest lines of a run's log, oldest first."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.is_whole = False
        """True when no older line exists on the server."""
        self.dropped = 0
        """Lines that were held and had to be dropped."""
        self.mark: LogMark | None = None
        """Up to where the log was read, in the order of arrival; None until it was read at all."""
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self.lines)

    def merge(self, lines: Iterable[LogLine]) -> list[LogLine]:
        """Take lines in, each at its place in time; return the new ones."""
        known = self._ids
        new: list[LogLine] = []
        for line in lines:
            if line.id:
                if line.id in known:
                    continue
                known.add(line.id)
            if not self.lines or line.timestamp >= self.lines[-1].timestamp:
                self.lines.append(line)
            else:
                insort(self.lines, line, key=_time)
            new.append(line)
        self._drop()
        return new

    def replace(self, lines: list[LogLine], *, is_whole: bool) -> None:
        """Hold these lines, the newest of the log by time, and what was held and is not among them."""
        held, self.lines, self._ids = self.lines, [], set()
        self.is_whole = is_whole
        self.merge(sorted(lines, key=_time))
        first = self.lines[0].timestamp if self.lines else None
        self.merge(line for line in held if first is None or line.timestamp >= first)
        if self.mark is None:
            self.mark = _mark_of(lines, is_whole=is_whole)

    def take(self, page: Sequence[LogLine]) -> list[LogLine]:
        """Take a page that arrived behind `mark`; return the new lines that belong to the stretch held, by time.

        A line that arrives late and is older than the first one held belongs to the part that is not held.
        """
        if self.mark is not None:
            self.mark = self.mark.behind(page)
        first = self.lines[0].timestamp if self.lines and not self.is_whole else None
        return sorted(self.merge(line for line in page if first is None or line.timestamp >= first), key=_time)

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


def _mark_of(lines: Sequence[LogLine], *, is_whole: bool) -> LogMark:
    """Return where reading goes on behind the newest lines.

    Of lines that arrived at once with the last of them, some may not be among the newest: then all are asked again.
    """
    arrivals = [line.arrived for line in lines if line.arrived]
    if not arrivals:
        return LogMark(arrived=BEGINNING)
    last = max(arrivals)
    return LogMark(arrived=last, taken=arrivals.count(last) if is_whole else 0)
