"""Schedules: when they fire, and the runs made ahead of them. Source: contract.md §5 "Scheduler"."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlatch.store.base import Refusal
from flowlatch.store.clocks import UnknownSchedule, next_events
from flowlatch.store.operations import flow_groups, flow_run_edits, flows, schedules
from tests.store.world import START, World

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def times(schedule: dict[str, Any], after: str, count: int = 4) -> list[str]:
    """Return the next events as ISO text in UTC, to the minute."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    return [event.start_time.strftime("%Y-%m-%dT%H:%M") for event in next_events(schedule, moment, count)]


def cron(expression: str, tz: str = "UTC", **rest: Any) -> dict[str, Any]:
    start = {"dt": "2020-01-01T00:00:00", "tz": tz}
    return {"clocks": [{"type": "CronClock", "cron": expression, "start_date": start, **rest}]}


def interval(us: int, start: str = "2020-01-01T00:30:00", tz: str = "UTC", **rest: Any) -> dict[str, Any]:
    return {"clocks": [{"type": "IntervalClock", "interval": us, "start_date": {"dt": start, "tz": tz}, **rest}]}


def test_interval_starts_after_now_on_its_own_beat() -> None:
    assert times(interval(HOUR_US), "2026-03-02T09:30:00", 2) == ["2026-03-02T10:30", "2026-03-02T11:30"]
    assert times(interval(HOUR_US), "2019-03-02T09:30:00", 1) == ["2020-01-01T00:30"]


def test_daily_interval_keeps_its_local_hour_and_hourly_one_its_pace_when_clocks_change() -> None:
    # Berlin leaves winter time on 2026-03-29 at 02:00
    daily = interval(DAY_US, "2020-01-01T09:00:00", "Europe/Berlin")
    assert times(daily, "2026-03-28T00:00:00", 3) == ["2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"]
    hourly = interval(HOUR_US, "2020-01-01T00:00:00", "Europe/Berlin")
    assert times(hourly, "2026-03-29T00:00:00", 3) == ["2026-03-29T01:00", "2026-03-29T02:00", "2026-03-29T03:00"]


def test_cron_follows_the_wall_clock_of_its_zone() -> None:
    schedule = cron("0 9 * * *", "Europe/Berlin")
    assert times(schedule, "2026-03-28T00:00:00", 2) == ["2026-03-28T08:00", "2026-03-29T07:00"]
    assert times(cron("0 9 * * 1"), "2026-03-02T09:00:00", 1) == ["2026-03-09T09:00"]


def test_cron_fires_once_for_hours_that_a_clock_change_skips_or_repeats() -> None:
    spring = times(cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00:00", 2)
    assert spring == ["2026-03-29T01:30", "2026-03-30T00:30"]
    autumn = times(cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00", 2)
    assert autumn == ["2026-10-25T00:30", "2026-10-26T01:30"]
    every_half_hour = times(cron("0,30 * * * *", "Europe/Berlin"), "2026-03-29T00:15:00", 4)
    assert every_half_hour == ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:00"]


def test_cron_day_or() -> None:
    assert times(cron("0 0 1 * 1"), "2026-01-01T12:00:00", 1) == ["2026-01-05T00:00"]
    assert times(cron("0 0 1 * 1", day_or=False), "2026-01-01T12:00:00", 1) == ["2026-06-01T00:00"]


def test_dates_end_and_several_clocks() -> None:
    dates = {"type": "DatesClock", "dates": [{"dt": f"2026-03-0{day}T00:00:00", "tz": "UTC"} for day in (5, 3, 4)]}
    daily = cron("0 0 * * *", end_date="2026-03-06T00:00:00Z")["clocks"][0]
    assert times({"clocks": [dates]}, "2026-03-03T00:00:00") == ["2026-03-04T00:00", "2026-03-05T00:00"]
    assert times({"clocks": [dates, daily]}, "2026-03-03T00:00:00") == [
        "2026-03-04T00:00",
        "2026-03-05T00:00",
        "2026-03-06T00:00",
    ]


@pytest.mark.parametrize(
    ("kind", "fn", "kwargs", "expected"),
    [
        ("filters", "is_weekday", {}, ["2026-03-06", "2026-03-09"]),
        ("filters", "is_weekend", {}, ["2026-03-07", "2026-03-08"]),
        ("not_filters", "is_weekday", {}, ["2026-03-07", "2026-03-08"]),
        ("or_filters", "is_month_start", {}, ["2026-04-01", "2026-05-01"]),
        ("filters", "is_month_end", {}, ["2026-03-31", "2026-04-30"]),
        ("filters", "is_day_of_week", {"day_of_week": 0}, ["2026-03-08", "2026-03-15"]),
        ("filters", "on_date", {"month": 4, "day": 2}, ["2026-04-02", "2027-04-02"]),
        (
            "filters",
            "between_dates",
            {"start_month": 12, "start_day": 31, "end_month": 1, "end_day": 1},
            ["2026-12-31", "2027-01-01"],
        ),
        ("filters", "at_time", {"t": "00:00:00"}, ["2026-03-06", "2026-03-07"]),
        ("filters", "between_times", {"start": "23:00", "end": "01:00"}, ["2026-03-06", "2026-03-07"]),
        ("filters", "on_datetime", {"dt": "2026-03-10T00:00:00"}, ["2026-03-10"]),
        (
            "filters",
            "between_datetimes",
            {"start": {"dt": "2026-03-10T00:00:00"}, "end": "2026-03-11T00:00:00+00:00"},
            ["2026-03-10", "2026-03-11"],
        ),
        ("adjustments", "next_weekday", {}, ["2026-03-06", "2026-03-09"]),
        ("adjustments", "add", {"interval": DAY_US}, ["2026-03-07", "2026-03-08"]),
    ],
)
def test_filters_and_adjustments(kind: str, fn: str, kwargs: dict[str, Any], expected: list[str]) -> None:
    room = "adjustments" if kind == "adjustments" else "filters"
    schedule = {**cron("0 0 * * *"), kind: [{"fn": f"prefect.schedules.{room}.{fn}", "kwargs": kwargs}]}
    assert [moment[:10] for moment in times(schedule, "2026-03-05T12:00:00", 2)] == expected


@pytest.mark.parametrize(
    "schedule",
    [
        None,
        {},
        {"clocks": ["x"]},
        {"clocks": [{"type": "MoonClock"}]},
        cron("not cron"),
        cron("0 0 30 2 *"),
        cron("* * * * *", "Mars/Base"),
        interval(0),
        interval(-5),
        {"clocks": [{"type": "IntervalClock", "interval": "1h"}]},
        {**cron("* * * * *"), "filters": [{"fn": "my.own.filter"}]},
        {**cron("* * * * *"), "adjustments": [{"fn": "my.own.adjustment"}]},
        {**cron("* * * * *"), "filters": [{"fn": "prefect.schedules.filters.on_date", "kwargs": {}}]},
    ],
)
def test_what_is_not_understood_makes_no_times(schedule: Any) -> None:
    with pytest.raises(UnknownSchedule):
        next_events(schedule, START, 3)


def test_filter_that_lets_nothing_pass_comes_to_an_end() -> None:
    nothing = {"fn": "prefect.schedules.filters.on_date", "kwargs": {"month": 2, "day": 30}}
    assert times({**cron("* * * * *"), "filters": [nothing]}, "2026-03-05T12:00:00") == []


async def scheduled(world: World) -> list[str]:
    rows = await world.rows("SELECT scheduled_start_time AS at FROM flow_run WHERE auto_scheduled = 1 ORDER BY at")
    return [row["at"][:16] for row in rows]


async def test_ten_runs_are_made_ahead_and_none_twice(world: World) -> None:
    clock: dict[str, Any] = {"parameter_defaults": {"p": 5}, "labels": ["z", "a"]}
    flow_id = await world.flow(schedule=cron("0 * * * *", **clock), parameters=[{"name": "p", "required": True}])
    hours = [(START + timedelta(hours=hour)).isoformat()[:16] for hour in range(1, 13)]
    assert await scheduled(world) == hours[:10]
    assert await world(schedules.schedule_runs) == {"flow_run_ids": []}
    world.clock.move(hours=2)
    assert len((await world(schedules.schedule_runs))["flow_run_ids"]) == 2
    assert await scheduled(world) == hours
    row = (await world.rows("SELECT * FROM flow_run ORDER BY seq"))[0]
    assert json.loads(row["parameters"]) == {"p": 5}
    assert (row["labels"], row["flow_id"], row["state"], row["version"]) == ('["a","z"]', flow_id, "Scheduled", 1)
    assert row["idempotency_key"].startswith("auto-scheduled:2026-03-02T10:00:00")
    world.clock.move(days=3)  # far longer than any key lives
    await world(schedules.schedule_runs)
    keys = await world.rows("SELECT idempotency_key FROM flow_run")
    assert len({key["idempotency_key"] for key in keys}) == len(keys)


async def test_deleted_run_is_made_again(world: World) -> None:
    await world.flow(schedule=cron("0 * * * *"))
    first = (await world.rows("SELECT id FROM flow_run ORDER BY scheduled_start_time"))[0]["id"]
    await world(flow_run_edits.delete_flow_run, flow_run_id=first)
    assert len((await world(schedules.schedule_runs))["flow_run_ids"]) == 1


async def test_inactive_schedule_drops_its_waiting_runs_and_makes_none(world: World) -> None:
    flow_id = await world.flow(schedule=cron("0 * * * *"))
    by_hand = await world.run(flow_id)
    started = (await world.rows("SELECT id FROM flow_run ORDER BY seq"))[0]["id"]
    await world.set(started, 1, "Running")
    await world(flows.set_schedule_inactive, flow_id=flow_id)
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {by_hand, started}
    assert await world(schedules.schedule_runs) == {"flow_run_ids": []}
    await world(flows.set_schedule_active, flow_id=flow_id)
    assert len(await scheduled(world)) == 10  # nine again, and the one that was started


async def test_archived_flow_drops_the_runs_of_its_schedule(world: World) -> None:
    project = await world.project()
    old = await world.flow(project, name="etl", schedule=cron("0 * * * *"))
    new = await world.flow(project, name="etl", schedule=cron("30 * * * *"))
    assert {row["flow_id"] for row in await world.rows("SELECT flow_id FROM flow_run")} == {new}
    assert (await world.row("flow", old))["is_schedule_active"] == 0


async def test_flow_registered_with_an_inactive_schedule_makes_no_runs(world: World) -> None:
    document = {"name": "etl", "schedule": cron("0 * * * *")}
    inputs: dict[str, Any] = {
        "project_id": await world.project(),
        "serialized_flow": document,
        "set_schedule_active": False,
    }
    await world(flows.create_flow, **inputs)
    assert await world(schedules.schedule_runs) == {"flow_run_ids": []}


async def test_schedule_without_a_required_parameter_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        flow_id = await world.flow(schedule=cron("0 * * * *"), parameters=[{"name": "p", "required": True}])
    assert await scheduled(world) == []
    assert flow_id in caplog.text
    assert "p" in caplog.text


async def test_group_schedule_replaces_the_flows_until_it_is_deleted(world: World) -> None:
    flow_id = await world.flow(schedule=cron("0 * * * *"))
    group = {"flow_group_id": (await world.row("flow", flow_id))["flow_group_id"]}
    await world(
        flow_groups.set_flow_group_schedule,
        **group,
        cron_clocks=[{"cron": "15 9 * * *", "parameter_defaults": {"p": 1}}],
        interval_clocks=[{"interval": 86_400}],
        timezone="Europe/Berlin",
    )
    at = await scheduled(world)
    assert at[:3] == ["2026-03-03T08:15", "2026-03-03T09:00", "2026-03-04T08:15"]
    await world(flow_groups.delete_flow_group_schedule, **group)
    assert (await scheduled(world))[0] == "2026-03-02T10:00"


@pytest.mark.parametrize(
    "clocks",
    [
        {},
        {"cron_clocks": [{"cron": "x"}]},
        {"interval_clocks": [{"interval": 59}]},
        {"cron_clocks": [{}]},
        {"cron_clocks": [{"cron": "0 * * * *"}], "timezone": "Mars/Base"},
    ],
)
async def test_bad_group_schedule_is_refused(world: World, clocks: dict[str, Any]) -> None:
    group_id = (await world.row("flow", await world.flow()))["flow_group_id"]
    with pytest.raises(Refusal) as refused:
        await world(flow_groups.set_flow_group_schedule, flow_group_id=group_id, **clocks)
    assert refused.value.code == "BAD_USER_INPUT"
