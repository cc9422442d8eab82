"""When a run shall start: plain words and a zone become one aware UTC instant, or a line that says why not.

The grammar is small and listed (`FORMS`), because a misread time starts production jobs: what can be read two ways is
refused. Gaps and overlaps of the clock are named, never bridged. Source: ux.md §3 "Times it reads".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from whenever import Instant, PlainDateTime

from flowlatch.errors import BadInput
from flowlatch.model.schedule_words import Clock, Moment, NoSuchTime, Unclear, UnknownZone, parse

FORMS = (
    "now · in 20m · in 2h 30m · in 3d · 17:30 · today, tomorrow, fri, next mon, month end or next month end, each with"
    " 9:00, 7am or noon · 2026-12-01 · 2026-12-01 09:00 · ISO 8601; a zone behind it: UTC, +02:00, Europe/Berlin"
)
"""The allowed forms, on one line."""
EXAMPLES = ("in 20m", "17:30", "fri 9:00 UTC", "2026-12-01 00:00", "month end")
"""A few to try, for the form."""
FIRST_YEAR, LAST_YEAR = 1970, 9999
MAX_TEXT = 100
"""Characters; longer text is no time."""


@dataclass(frozen=True)
class StartTime:
    """A time that was read without a guess."""

    at: datetime
    """Aware, UTC; whole seconds unless a fraction was written."""
    zone: str
    """The zone it was read in: an IANA name, `UTC` or an offset such as `+02:00`."""
    offset: str
    """That zone's offset at that time, e.g. `+01:00`."""
    is_past: bool = False
    notes: tuple[str, ...] = ()
    """Plain sentences: past, clock changes between now and then, a time filled in."""

    @property
    def wire(self) -> str:
        """The exact value sent: ISO 8601 in UTC with `Z`."""
        text = self.at.astimezone(UTC).isoformat(timespec="microseconds" if self.at.microsecond else "seconds")
        return text.replace("+00:00", "Z")


@dataclass(frozen=True)
class TwoTimes:
    """The clock shows this time twice: somebody has to say which is meant."""

    problem: str
    """One line that names both, with their offsets."""
    earlier: StartTime
    later: StartTime


@dataclass(frozen=True)
class NotATime:
    """The text cannot be used. `problem` is one line: what, where, allowed form."""

    problem: str


TimeReading = StartTime | TwoTimes | NotATime


def read_time(text: str, zone: str, now: datetime) -> TimeReading:
    """Read `text` in `zone` (an IANA name, `UTC` or `+HH:MM`) unless it names a zone itself; `now` is aware."""
    if len(text) > MAX_TEXT:
        return NotATime(f"start: over {MAX_TEXT} characters; write {FORMS}")
    if not text.strip():
        return NotATime(f"start: empty; write {FORMS}")
    try:
        moment = parse(text, Clock.named(zone), Instant(now))
        return _reading(moment, Instant(now))
    except UnknownZone as problem:
        return NotATime(f"zone: {problem}")
    except Unclear as problem:
        return NotATime(f"start: {problem}; write {FORMS}")
    except NoSuchTime as problem:
        return NotATime(f"start: {problem}")


def start_time(text: str, zone: str, now: datetime) -> StartTime:
    """Return the time that `text` names. Raises `BadInput` with one line, also for a time that happens twice."""
    match read_time(text, zone, now):
        case StartTime() as reading:
            return reading
        case TwoTimes(problem=problem) | NotATime(problem=problem):
            raise BadInput(problem)


def zone_problem(zone: str) -> str | None:
    """Return why `zone` cannot be used, as one line, or None when it can."""
    try:
        Clock.named(zone)
    except UnknownZone as problem:
        return f"zone: {problem}"
    return None


def local_text(at: datetime, zone: str) -> str:
    """Return `Tue 24 Nov 2026 07:00:00 +01:00`: weekday, date, time and offset of an instant in a zone."""
    clock = Clock.named(zone)
    return clock.show(Instant(at))


def _reading(moment: Moment, now: Instant) -> TimeReading:
    if len(moment.instants) == 1:
        return _start_time(moment, moment.instants[0], now)
    earlier, later = (_start_time(moment, instant, now) for instant in moment.instants)
    wall = _wall(moment.clock.local(moment.instants[0]))
    return TwoTimes(
        f"start: {wall} happens twice in {moment.clock.label}, the clocks go back: write the offset,"
        f" {wall} {earlier.offset} ({_utc_wall(earlier)} UTC) or {wall} {later.offset} ({_utc_wall(later)} UTC)",
        earlier,
        later,
    )


def _start_time(moment: Moment, instant: Instant, now: Instant) -> StartTime:
    at = instant.to_stdlib()
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise NoSuchTime(f"the year {at.year} is outside {FIRST_YEAR}–{LAST_YEAR} (in UTC)")
    this_second = now.round("second", mode="floor")
    is_past = instant < this_second
    notes = list(moment.notes)
    if instant == this_second:
        notes.append("the run starts at once")
    elif is_past:
        notes.append("this is in the past: the run starts at once")
    else:
        notes.append(moment.clock.change_between(now, instant) or "clocks do not change between now and then")
    return StartTime(at, moment.clock.label, moment.clock.offset_at(instant), is_past, tuple(notes))


def _wall(local: PlainDateTime) -> str:
    return local.to_stdlib().strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")


def _utc_wall(reading: StartTime) -> str:
    return reading.at.strftime("%H:%M:%S" if reading.at.second else "%H:%M")
