"""The time grammar: every listed form, every refusal, gaps and overlaps of real zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.errors import BadInput
from flowlatch.model.schedule import (
    FORMS,
    NotATime,
    StartTime,
    TwoTimes,
    local_text,
    read_time,
    start_time,
    zone_problem,
)

NOW = datetime(2026, 11, 24, 11, 20, 5, 123456, tzinfo=UTC)
"""A Tuesday, 12:20:05 in Berlin."""
BERLIN = "Europe/Berlin"


def read(text: str, zone: str = BERLIN, now: datetime = NOW) -> StartTime:
    """Read a text that must be a time."""
    reading = read_time(text, zone, now)
    assert isinstance(reading, StartTime), reading
    return reading


def refused(text: str, zone: str = BERLIN, now: datetime = NOW) -> str:
    """Return the problem of a text that must be refused."""
    reading = read_time(text, zone, now)
    assert isinstance(reading, NotATime), reading
    assert "\n" not in reading.problem
    return reading.problem


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("now", "2026-11-24T11:20:05Z"),
        ("in 20m", "2026-11-24T11:40:05Z"),
        ("in 2h 30m", "2026-11-24T13:50:05Z"),
        ("in 2h30m", "2026-11-24T13:50:05Z"),
        ("in 20 minutes", "2026-11-24T11:40:05Z"),
        ("in 90s", "2026-11-24T11:21:35Z"),
        ("in 3d", "2026-11-27T11:20:05Z"),
        ("in 2w", "2026-12-08T11:20:05Z"),
        ("IN 3D", "2026-11-27T11:20:05Z"),
        ("17:30", "2026-11-24T16:30:00Z"),
        ("12:20", "2026-11-25T11:20:00Z"),
        ("12:21", "2026-11-24T11:21:00Z"),
        ("9:00", "2026-11-25T08:00:00Z"),
        ("7am", "2026-11-25T06:00:00Z"),
        ("7 pm", "2026-11-24T18:00:00Z"),
        ("7:45pm", "2026-11-24T18:45:00Z"),
        ("noon", "2026-11-25T11:00:00Z"),
        ("today 23:00", "2026-11-24T22:00:00Z"),
        ("today", "2026-11-23T23:00:00Z"),
        ("tomorrow", "2026-11-24T23:00:00Z"),
        ("tomorrow 7am", "2026-11-25T06:00:00Z"),
        ("tomorrow at 7am", "2026-11-25T06:00:00Z"),
        ("  Tomorrow   NOON ", "2026-11-25T11:00:00Z"),
        ("fri", "2026-11-26T23:00:00Z"),
        ("friday 9:00", "2026-11-27T08:00:00Z"),
        ("fri 9:00 UTC", "2026-11-27T09:00:00Z"),
        ("mon 9:00", "2026-11-30T08:00:00Z"),
        ("next mon", "2026-11-29T23:00:00Z"),
        ("next tue 9:00", "2026-12-01T08:00:00Z"),
        ("month end", "2026-11-29T23:00:00Z"),
        ("month end 17:30", "2026-11-30T16:30:00Z"),
        ("next month end", "2026-12-30T23:00:00Z"),
        ("next month end noon", "2026-12-31T11:00:00Z"),
        ("2026-12-01", "2026-11-30T23:00:00Z"),
        ("2026-12-01 09:00", "2026-12-01T08:00:00Z"),
        ("2026-12-01 09:00:30", "2026-12-01T08:00:30Z"),
        ("2026-12-01 7am", "2026-12-01T06:00:00Z"),
        ("2026-12-01T09:00", "2026-12-01T08:00:00Z"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00.5Z", "2026-12-01T09:00:00.500000Z"),
        ("2026-12-01T09:00:00.123456789Z", "2026-12-01T09:00:00.123456Z"),
        ("2026-12-01T09:00+0200", "2026-12-01T07:00:00Z"),
        ("2026-12-01T09:00-05:30", "2026-12-01T14:30:00Z"),
        ("2026-12-01 09:00 +02:00", "2026-12-01T07:00:00Z"),
        ("2026-12-01 09:00 America/New_York", "2026-12-01T14:00:00Z"),
        ("2026-12-01 09:00 america/new_york", "2026-12-01T14:00:00Z"),
        ("2026-12-01 utc", "2026-12-01T00:00:00Z"),
        ("2024-02-29 00:00", "2024-02-28T23:00:00Z"),
    ],
)
def test_reads_the_listed_forms(text: str, wire: str) -> None:
    assert read(text).wire == wire


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("03/04", "two ways"),
        ("3.4.2026", "two ways"),
        ("12am", "write noon or 00:00"),
        ("12pm", "write noon or 00:00"),
        ("tue", "write today, next tue or 2026-12-01"),
        ("next fri", "write fri for Fri 27 Nov 2026 or 2026-12-04"),
        ("9:00 CET", "means several zones"),
        ("9:00 Mars/Olympus", "no zone is named 'Mars/Olympus'"),
        ("2026-12-01 09:00 +15:00", "outside -14:00"),
        ("0900", "none of the allowed forms"),
        ("midnight", "none of the allowed forms"),
        ("next week", "none of the allowed forms"),
        ("2026-12-01 9", "none of the allowed forms"),
        ("2026-12-01T", "none of the allowed forms"),
        ("17:30 tomorrow", "none of the allowed forms"),
        ("UTC", "none of the allowed forms"),
        ("25:00", "no time of day"),
        ("24:00", "no time of day"),
        ("13pm", "no time of day"),
        ("9:60", "no time of day"),
        ("2026-12-01 09:00:60", "no time of day"),
        ("2026-02-30", "there is no day 2026-02-30"),
        ("2026-13-01", "there is no day"),
        ("0000-01-01", "there is no day"),
        ("in", "lacks a length of time"),
        ("in 5", "no length of time"),
        ("in 5 moons", "no length of time"),
        ("in -5m", "no length of time"),
        ("in 1h 1h", "names h twice"),
        ("in 99999999m", "no length of time"),
        ("１7:30", "other characters"),
        ("tomorrow\u202e", "other characters"),
        ("tomorrow \x1b[0m", "none of the allowed forms"),
        ("x" * 101, "over 100 characters"),
    ],
)
def test_refuses_all_else_in_one_line(text: str, part: str) -> None:
    problem = refused(text)
    assert part in problem
    assert problem.isprintable()


def test_a_refusal_lists_the_allowed_forms() -> None:
    assert refused("soon").endswith(FORMS)


@pytest.mark.parametrize(
    ("text", "zone", "part"),
    [
        ("2027-03-28 02:30", BERLIN, "the clocks jump from 02:00 to 03:00"),
        ("2027-03-14 02:00", "America/New_York", "the clocks jump from 02:00 to 03:00"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "the clocks jump from 02:00 to 02:30"),
        ("2011-12-30 10:00", "Pacific/Apia", "does not exist on Fri 30 Dec 2011"),
    ],
)
def test_refuses_a_time_in_a_gap(text: str, zone: str, part: str) -> None:
    assert part in refused(text, zone)


@pytest.mark.parametrize(
    ("text", "zone", "earlier", "later"),
    [
        ("2027-10-31 02:30", BERLIN, "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"),
        ("2027-11-07 01:30", "America/New_York", "2027-11-07T05:30:00Z", "2027-11-07T06:30:00Z"),
        ("2027-04-04 01:45", "Australia/Lord_Howe", "2027-04-03T14:45:00Z", "2027-04-03T15:15:00Z"),
    ],
)
def test_asks_which_of_two_times(text: str, zone: str, earlier: str, later: str) -> None:
    reading = read_time(text, zone, NOW)
    assert isinstance(reading, TwoTimes)
    assert (reading.earlier.wire, reading.later.wire) == (earlier, later)
    assert reading.earlier.offset in reading.problem
    assert reading.later.offset in reading.problem
    with pytest.raises(BadInput, match="happens twice"):
        start_time(text, zone, NOW)


def test_the_edges_of_gap_and_overlap_are_ordinary_times() -> None:
    assert read("2027-03-28 01:59:59").wire == "2027-03-28T00:59:59Z"
    assert read("2027-03-28 03:00").wire == "2027-03-28T01:00:00Z"
    assert read("2027-10-31 03:00").wire == "2027-10-31T02:00:00Z"
    assert read("2027-10-31 01:59").wire == "2027-10-30T23:59:00Z"


def test_a_written_offset_settles_an_overlap() -> None:
    assert read("2027-10-31 02:30 +01:00").wire == "2027-10-31T01:30:00Z"
    assert read("2027-10-31 02:30 +02:00").wire == "2027-10-31T00:30:00Z"


def test_the_next_time_within_an_overlap_is_the_one_ahead() -> None:
    between = datetime(2027, 10, 31, 0, 45, tzinfo=UTC)
    assert read("02:30", now=between).wire == "2027-10-31T01:30:00Z"


def test_days_keep_the_time_of_day_and_hours_are_exact() -> None:
    before_summer_time = datetime(2027, 3, 27, 11, 0, tzinfo=UTC)
    assert read("in 1d", now=before_summer_time).wire == "2027-03-28T10:00:00Z"
    assert read("in 24h", now=before_summer_time).wire == "2027-03-28T11:00:00Z"


def test_days_that_end_in_a_gap_are_refused() -> None:
    day_before = datetime(2027, 3, 27, 1, 30, tzinfo=UTC)
    assert "does not exist" in refused("in 1d", now=day_before)


def test_names_a_clock_change_before_the_start() -> None:
    assert "Sun 28 Mar 2027: +01:00 becomes +02:00" in read("2027-04-01 09:00").notes[-1]
    assert read("2027-03-01 09:00").notes == ("clocks do not change between now and then",)
    assert read("2027-04-01 09:00 UTC").notes == ("clocks do not change between now and then",)


def test_says_that_a_past_time_starts_at_once() -> None:
    reading = read("today 5:00")
    assert reading.is_past
    assert reading.notes == ("this is in the past: the run starts at once",)
    assert not read("now").is_past


def test_says_when_it_filled_in_midnight() -> None:
    assert read("fri").notes[0] == "no time of day was written: 00:00"


def test_the_day_is_that_of_the_zone_in_which_it_is_read() -> None:
    late_evening = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert read("tomorrow 9:00", now=late_evening).wire == "2026-11-26T08:00:00Z"
    assert read("tomorrow 9:00 UTC", now=late_evening).wire == "2026-11-25T09:00:00Z"
    assert read("fri 9:00 UTC").zone == "UTC"


@pytest.mark.parametrize(
    ("day", "month_end", "next_month_end"),
    [
        ((2027, 1, 31), "2027-01-31", "2027-02-28"),
        ((2028, 1, 30), "2028-01-31", "2028-02-29"),
        ((2027, 12, 5), "2027-12-31", "2028-01-31"),
        ((2027, 2, 28), "2027-02-28", "2027-03-31"),
    ],
)
def test_month_ends(day: tuple[int, int, int], month_end: str, next_month_end: str) -> None:
    now = datetime(*day, 6, 0, tzinfo=UTC)
    assert read("month end noon", "UTC", now).wire.startswith(month_end)
    assert read("next month end noon", "UTC", now).wire.startswith(next_month_end)


@pytest.mark.parametrize("text", ["1969-12-31", "1970-01-01 00:30", "9999-12-31 23:59 -01:00", "0001-01-01"])
def test_years_outside_the_range_are_refused(text: str) -> None:
    assert "1970–9999" in refused(text)


def test_the_range_includes_its_ends() -> None:
    assert read("1970-01-01T00:00:00Z").wire == "1970-01-01T00:00:00Z"
    assert read("9999-12-31T23:59:59Z").wire == "9999-12-31T23:59:59Z"


def test_weekdays_never_mean_two_days() -> None:
    """On each day of a week, each weekday word is either one day in the coming week or refused."""
    for day in range(7):
        now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC) + timedelta(days=day)
        for index, word in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun")):
            plain, following = read_time(word, "UTC", now), read_time(f"next {word}", "UTC", now)
            assert isinstance(plain, StartTime) == (index != day)
            assert isinstance(following, StartTime) == (index <= day)
            if isinstance(plain, StartTime) and isinstance(following, StartTime):
                assert plain.at == following.at


def test_zones() -> None:
    assert zone_problem(BERLIN) is None
    assert zone_problem("+02:00") is None
    assert zone_problem("../etc/passwd") is not None
    assert zone_problem("Europe/Nowhere") == (
        "zone: no zone is named 'Europe/Nowhere'; write UTC, +02:00 or a name such as Europe/Berlin"
    )
    assert refused("now", "Nowhere/Land").startswith("zone: no zone")


def test_shows_an_instant_in_a_zone() -> None:
    at = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    assert local_text(at, BERLIN) == "Tue 24 Nov 2026 07:00:00 +01:00"
    assert local_text(at, "America/St_Johns") == "Tue 24 Nov 2026 02:30:00 -03:30"


@given(st.text(max_size=120), st.sampled_from([BERLIN, "UTC", "-03:30", "Australia/Lord_Howe"]))
def test_never_raises(text: str, zone: str) -> None:
    reading = read_time(text, zone, NOW)
    if isinstance(reading, StartTime):
        assert reading.at.tzinfo is not None
    else:
        assert reading.problem.isprintable()
