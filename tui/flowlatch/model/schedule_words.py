"""The words of a start time, one small function for each form, and the clocks they are read on.

Nothing here guesses: `Unclear` is text outside the grammar or with two meanings, `NoSuchTime` a time no clock shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from whenever import (
    Date,
    Instant,
    OffsetDateTime,
    PlainDateTime,
    RepeatedTime,
    SkippedTime,
    Time,
    TimeDelta,
    TimeZoneNotFoundError,
    Weekday,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_WORDS = {
    **{name: index for index, name in enumerate(WEEKDAYS)},
    **{
        name: index
        for index, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    },
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_OFFSET = re.compile(r"([+-])(\d{2})(?::?(\d{2}))?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?")
_TWELVE = re.compile(r"(\d{1,2})(?::(\d{2}))?(am|pm)")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})[tT](\S.*)")
_TIME_WITH_ZONE = re.compile(r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([zZ]|[+-]\d{2}(?::?\d{2})?)")
_SPAN = re.compile(r"(\d{1,5})(w|d|h|m|s|weeks?|days?|hours?|min|minutes?|sec|seconds?)")
_SLASHED = re.compile(r"\d{1,4}[/.]\d{1,2}(?:[/.]\d{1,4})?")


class Unclear(ValueError):
    """The text is outside the grammar, or can be read two ways. The message is one clause, without the list."""


class UnknownZone(Unclear):
    """No zone has that name; the message lists the allowed forms."""


class NoSuchTime(ValueError):
    """The text is clear, but names a time that does not exist. The message is one clause."""


@dataclass(frozen=True)
class Clock:
    """The clock of a zone: an IANA name, or a fixed offset (then `offset` is set)."""

    label: str
    offset: TimeDelta | None = None

    @classmethod
    def named(cls, zone: str) -> Clock:
        """Return the clock of that name, `UTC` or `±HH:MM`. Raises `Unclear`."""
        if zone.upper() in ("UTC", "Z"):
            return cls("UTC", TimeDelta())
        fixed = _OFFSET.fullmatch(zone)
        if fixed:
            sign, hours, minutes = fixed.group(1), int(fixed.group(2)), int(fixed.group(3) or 0)
            if hours > 14 or minutes > 59 or (hours == 14 and minutes):
                raise UnknownZone(f"the offset {zone} is outside -14:00 … +14:00")
            delta = TimeDelta(hours=hours, minutes=minutes)
            return cls(f"{sign}{hours:02}:{minutes:02}", delta if sign == "+" else -delta)
        named = "/".join("_".join(word.capitalize() for word in part.split("_")) for part in zone.split("/"))
        for name in (named, zone) if zone.islower() else (zone, named):
            if "/" in name and _is_zone(name):
                return cls(name)
        raise UnknownZone(f"no zone is named {_quoted(zone)}; write UTC, +02:00 or a name such as Europe/Berlin")

    def local(self, instant: Instant) -> PlainDateTime:
        """Return what this clock shows at an instant."""
        if self.offset is not None:
            return instant.to_fixed_offset(self.offset).to_plain()
        return instant.to_tz(self.label).to_plain()

    def instants(self, wall: PlainDateTime) -> list[Instant]:
        """Return when this clock shows `wall`: once, or twice with the earlier first. Raises `NoSuchTime` in a gap."""
        try:
            if self.offset is not None:
                return [wall.assume_fixed_offset(self.offset).to_instant()]
            return [wall.assume_tz(self.label, disambiguation="raise").to_instant()]
        except RepeatedTime:
            return [wall.assume_tz(self.label, disambiguation=which).to_instant() for which in ("earlier", "later")]
        except SkippedTime:
            raise NoSuchTime(self._gap(wall)) from None
        except ValueError as error:
            raise NoSuchTime("the time is outside the years 1970–9999 (in UTC)") from error

    def _gap(self, wall: PlainDateTime) -> str:
        before = wall.assume_tz(self.label, disambiguation="earlier")
        jump = before.next_transition()
        assert jump is not None
        leaves = jump.to_instant().to_fixed_offset(before.offset).to_plain()
        return (
            f"{_hour_minute(wall)} does not exist on {_day(wall.date())} in {self.label}: the clocks jump from"
            f" {_hour_minute(leaves)} to {_hour_minute(jump.to_plain())}; write a time before or after that"
        )

    def offset_at(self, instant: Instant) -> str:
        """Return this clock's offset at an instant, e.g. `+01:00`."""
        return _offset_text(self._shown(instant).offset)

    def show(self, instant: Instant) -> str:
        """Return `Tue 24 Nov 2026 07:00:00 +01:00`."""
        wall = self.local(instant)
        time = wall.to_stdlib().strftime("%H:%M:%S")
        return f"{_day(wall.date())} {time} {self.offset_at(instant)}"

    def change_between(self, start: Instant, end: Instant) -> str | None:
        """Name the first change of the clocks in `(start, end]`, or None when there is none."""
        if self.offset is not None:
            return None
        here = start.to_tz(self.label)
        change = here.next_transition()
        while change is not None and change.to_instant() <= end:
            if change.offset != here.offset:
                return (
                    f"the clocks change between now and then, on {_day(change.date())}:"
                    f" {_offset_text(here.offset)} becomes {_offset_text(change.offset)}"
                )
            here, change = change, change.next_transition()
        return None

    def _shown(self, instant: Instant) -> OffsetDateTime:
        if self.offset is not None:
            return instant.to_fixed_offset(self.offset)
        return instant.to_tz(self.label).to_fixed_offset()


@dataclass(frozen=True)
class Moment:
    """What was read: one instant, or two where the clock shows the time twice."""

    clock: Clock
    instants: Sequence[Instant]
    notes: tuple[str, ...] = ()


def parse(text: str, clock: Clock, now: Instant) -> Moment:
    """Read a time on `clock`, or on the one that the text names. Raises `Unclear` or `NoSuchTime`."""
    if not text.isascii():
        raise Unclear(f"{_quoted(text)} has other characters than plain letters and digits")
    words = _split(text)
    if len(words) > 1 and _is_zone_word(words[-1]):
        clock = Clock.named(words.pop())
    lower = [word.lower() for word in words]
    if len(lower) > 1 and lower[-1] in ("am", "pm"):
        lower[-2:] = ["".join(lower[-2:])]
    if lower == ["now"]:
        return Moment(clock, [_whole_second(now)])
    if lower[0] == "in":
        return _later(lower[1:], clock, now, text)
    time = _time(lower[-1])
    if time is not None and len(lower) == 1:
        return _next(time, clock, now)
    day_words = lower[:-1] if time is not None else lower
    if time is not None and day_words[-1:] == ["at"]:
        day_words = day_words[:-1]
    day = _date(day_words, clock.local(now).date(), text)
    notes = () if time is not None else ("no time of day was written: 00:00",)
    return Moment(clock, clock.instants(day.at(time or Time())), notes)


def _split(text: str) -> list[str]:
    """Return the words, a `T` between date and time and a zone glued to a time taken apart."""
    text = text.strip()
    iso = _ISO.fullmatch(text)
    words = (f"{iso.group(1)} {iso.group(2)}" if iso else text).split()
    split: list[str] = []
    for word in words:
        glued = _TIME_WITH_ZONE.fullmatch(word)
        split.extend(glued.groups() if glued else [word])
    return split


def _is_zone_word(word: str) -> bool:
    return word.upper() in ("UTC", "Z") or bool(_OFFSET.fullmatch(word)) or ("/" in word and word[0].isalpha())


def _later(words: list[str], clock: Clock, now: Instant, text: str) -> Moment:
    """Read `in 2h 30m`: days and weeks by the calendar (same time of day), the rest by the stopwatch."""
    spans: dict[str, int] = {}
    for number, unit in _spans(words, text):
        if unit in spans:
            raise Unclear(f"{_quoted(text)} names {unit} twice")
        spans[unit] = number
    exact = TimeDelta(hours=spans.get("h", 0), minutes=spans.get("m", 0), seconds=spans.get("s", 0))
    days = spans.get("d", 0) + 7 * spans.get("w", 0)
    start = _whole_second(now)
    try:
        if not days:
            return Moment(clock, [start + exact])
        local = clock.local(start)
        wall = local.date().add(days=days).at(local.time())
        instants = clock.instants(wall)
        return Moment(clock, [instant + exact for instant in instants])
    except (ValueError, OverflowError) as error:
        if isinstance(error, NoSuchTime):
            raise
        raise NoSuchTime(f"{_quoted(text)} ends outside the years 1970–9999 (in UTC)") from error


def _spans(words: list[str], text: str) -> list[tuple[int, str]]:
    joined = "".join(words)
    found: list[tuple[int, str]] = []
    position = 0
    while position < len(joined):
        match = _SPAN.match(joined, position)
        longer = _longest_span(joined, position) if match else None
        if longer is None:
            raise Unclear(f"{_quoted(text)} is no length of time such as in 2h 30m")
        found.append((int(longer.group(1)), longer.group(2)[0]))
        position = longer.end()
    if not found:
        raise Unclear(f"{_quoted(text)} lacks a length of time such as 20m")
    return found


def _longest_span(text: str, position: int) -> re.Match[str] | None:
    """Match a number with the whole word behind it, so that `20minutes` is not `20m` and a rest."""
    match = re.compile(r"\d{1,5}[a-z]+").match(text, position)
    return _SPAN.fullmatch(text, position, match.end()) if match else None


def _time(word: str) -> Time | None:
    """Return the time of day that a word names, None when it is no time at all. Raises `Unclear`."""
    if word == "noon":
        return Time(12)
    twelve = _TWELVE.fullmatch(word)
    if twelve:
        hour, minute, half = int(twelve.group(1)), int(twelve.group(2) or 0), twelve.group(3)
        if hour == 12:
            raise Unclear(f"{_quoted(word)} can be read two ways: write noon or 00:00")
        if not 1 <= hour <= 11 or minute > 59:
            raise Unclear(f"{_quoted(word)} is no time of day")
        return Time(hour + (12 if half == "pm" else 0), minute)
    clock = _TIME.fullmatch(word)
    if clock is None:
        return None
    hour, minute, second = int(clock.group(1)), int(clock.group(2)), int(clock.group(3) or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise Unclear(f"{_quoted(word)} is no time of day")
    nanosecond = int((clock.group(4) or "0").ljust(9, "0"))
    return Time(hour, minute, second, nanosecond=nanosecond // 1000 * 1000)


def _next(time: Time, clock: Clock, now: Instant) -> Moment:
    """Return the next moment after now at which the clock shows that time."""
    today = clock.local(now).date()
    ahead = [instant for instant in clock.instants(today.at(time)) if instant > now]
    return Moment(clock, ahead or clock.instants(today.add(days=1).at(time)))


def _date(words: list[str], today: Date, text: str) -> Date:
    match words:
        case ["today"]:
            return today
        case ["tomorrow"]:
            return today.add(days=1)
        case ["month", "end"]:
            return today.end_of("month")
        case ["next", "month", "end"]:
            return today.start_of("month").add(months=1).end_of("month")
        case [word] if word in _WEEKDAY_WORDS:
            return _coming(_WEEKDAY_WORDS[word], today, word)
        case ["next", word] if word in _WEEKDAY_WORDS:
            return _coming_next(_WEEKDAY_WORDS[word], today, word)
        case [word] if _DATE.fullmatch(word):
            try:
                return Date.parse_iso(word)
            except ValueError as error:
                raise NoSuchTime(f"there is no day {word}") from error
        case _:
            raise Unclear(_why_unclear(words, text))


def _coming(weekday: int, today: Date, word: str) -> Date:
    ahead = (weekday - _index(today.day_of_week())) % 7
    if ahead == 0:
        in_a_week = today.add(days=7).format_iso()
        raise Unclear(f"{word} can be read two ways, today is {word}: write today, next {word} or {in_a_week}")
    return today.add(days=ahead)


def _coming_next(weekday: int, today: Date, word: str) -> Date:
    """Return that weekday of the next week; refused when the same weekday is still ahead in this week."""
    ahead = (weekday - _index(today.day_of_week())) % 7 or 7
    if weekday > _index(today.day_of_week()):
        first, second = today.add(days=ahead), today.add(days=ahead + 7)
        raise Unclear(f"next {word} can be read two ways: write {word} for {_day(first)} or {second.format_iso()}")
    return today.add(days=ahead)


def _why_unclear(words: list[str], text: str) -> str:
    slashed = next((word for word in words if _SLASHED.fullmatch(word)), None)
    if slashed is not None:
        return f"{_quoted(slashed)} can be read two ways, as day and month or month and day: write 2026-12-01"
    last = text.split()[-1]
    if last != "UTC" and last.isupper() and last.isalpha() and 2 <= len(last) <= 5:
        return f"the short zone name {_quoted(last)} means several zones: write UTC, +01:00 or Europe/Berlin"
    return f"{_quoted(text)} is in none of the allowed forms"


def _index(weekday: Weekday) -> int:
    return weekday.value - 1


def _whole_second(instant: Instant) -> Instant:
    return instant.round("second", mode="floor")


def _hour_minute(wall: PlainDateTime) -> str:
    return f"{wall.hour:02}:{wall.minute:02}"


def _day(date: Date) -> str:
    weekday = WEEKDAYS[_index(date.day_of_week())].capitalize()
    return f"{weekday} {date.day} {_MONTHS[date.month - 1]} {date.year:04}"


def _offset_text(offset: TimeDelta) -> str:
    minutes = round(offset.total("minutes"))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _is_zone(name: str) -> bool:
    try:
        Instant.from_utc(2026, 1, 1).to_tz(name)
    except (TimeZoneNotFoundError, ValueError):
        return False
    return True


def _quoted(text: str) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return f"'{plain[:40]}…'" if len(plain) > 40 else f"'{plain}'"
