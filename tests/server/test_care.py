"""Work that no request asks for, from outside: the scheduler over restarts, zombie killer and lazarus by option."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire

Start = Callable[..., ServerProcess]
FOREVER = {
    "type": "Schedule",
    "filters": [],
    "or_filters": [],
    "not_filters": [],
    "adjustments": [],
}
START = {"dt": "2026-01-01T00:00:00", "tz": "UTC"}
CLOCKS: dict[str, dict[str, Any]] = {
    "cron": {"type": "CronClock", "cron": "30 4 * * *", "start_date": None, "end_date": None},
    "interval": {"type": "IntervalClock", "interval": 3_600_000_000, "start_date": START, "end_date": None},
    "dates": {
        "type": "DatesClock",
        "dates": [{"dt": f"2030-01-{day:02d}T00:00:00", "tz": "UTC"} for day in range(1, 13)],
    },
}


def register(wire: Wire, clock: dict[str, Any]) -> str:
    """Register a flow with a schedule that is on, and return its id."""
    schedule = {**FOREVER, "clocks": [{"parameter_defaults": None, "labels": None, **clock}]}
    document = {"name": f"every {clock['type']}", "parameters": [], "tasks": [], "edges": [], "schedule": schedule}
    mutation = "mutation($input: create_flow_input!) { create_flow(input: $input) { id } }"
    sent = {"project_id": wire.project(), "serialized_flow": document, "set_schedule_active": True}
    return str(wire.data(mutation, {"input": sent})["create_flow"]["id"])


def scheduled(wire: Wire, flow_id: str) -> list[Any]:
    """Return the runs of a flow by start."""
    document = """query($id: uuid!) { flow_run(where: {flow_id: {_eq: $id}}, order_by: {scheduled_start_time: asc}) {
      id state auto_scheduled scheduled_start_time idempotency_key } }"""
    return list(wire.data(document, {"id": flow_id})["flow_run"])


@pytest.mark.parametrize("kind", CLOCKS)
def test_a_restart_makes_no_scheduled_run_twice(start_server: Start, kind: str) -> None:
    """Keys are made of the time, so looking again, also by another process, finds what is there."""
    server = start_server()
    flow_id = register(server.wire(), CLOCKS[kind])
    before = eventually(lambda: scheduled(server.wire(), flow_id), what="runs ahead")
    assert len(before) == 10
    assert all(run["auto_scheduled"] and run["state"] == "Scheduled" for run in before)
    deleted = before[3]["id"]
    document = f'mutation {{ delete_flow_run(input: {{flow_run_id: "{deleted}"}}) {{ success }} }}'
    server.wire().data(document)
    server.restart()
    after = eventually(
        lambda: runs if len(runs := scheduled(server.wire(), flow_id)) >= 10 else None, what="the scheduler ran again"
    )
    assert after is not None
    assert [run["idempotency_key"] for run in after][:9] == [run["idempotency_key"] for run in before][:9]
    assert len({run["idempotency_key"] for run in after}) == len(after) <= 11
    assert {run["id"] for run in before} - {run["id"] for run in after} == {deleted}


def test_without_the_scheduler_a_schedule_makes_runs_only_when_it_is_switched_on(start_server: Start) -> None:
    server = start_server("--no-scheduler")
    wire = server.wire()
    flow_id = register(wire, CLOCKS["cron"])
    made = len(scheduled(wire, flow_id))
    server.restart()
    wire = server.wire()
    wire.data("{ hello }")
    assert len(scheduled(wire, flow_id)) == made


class Dead:
    """Runs whose process is dead: the heartbeat is long ago."""

    def __init__(self, server: ServerProcess) -> None:
        wire = server.wire()
        flow_id = wire.create_flow("dead", tasks=["a"])
        self.running, self.submitted = wire.create_run(flow_id), wire.create_run(wire.create_flow("without tasks"))
        wire.set_state(self.running, 1, "Running")
        document = "query($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}}) { id } }"
        self.task_run = str(wire.data(document, {"id": self.running})["task_run"][0]["id"])
        mutation = """mutation($i: set_task_run_state_input!) { set_task_run_state(input: $i) { id } }"""
        wire.data(mutation, {"i": {"task_run_id": self.task_run, "version": 0, "state": {"type": "Running"}}})
        wire.set_state(self.submitted, 1, "Submitted")
        server.stop()
        silence(server.data)

    def states(self, server: ServerProcess) -> tuple[str, str]:
        """Return the state of the task run, and of the run that was only submitted."""
        wire = server.wire()
        document = "query($id: uuid!) { task_run_by_pk(id: $id) { state } }"
        task = wire.data(document, {"id": self.task_run})["task_run_by_pk"]["state"]
        return task, wire.run(self.submitted)["state"]


def silence(data: Path) -> None:
    """Put all heartbeats an hour back, as if nothing had been heard since."""
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
    statement = f"UPDATE flow_run SET heartbeat = '{hour_ago}'"
    if PostgresProcess.current is not None:
        import psycopg

        with psycopg.connect(PostgresProcess.current.database_of(data)) as database:
            database.execute(statement)
        return
    connection = sqlite3.connect(data / "flowlatch.db")
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ("Running", "Submitted")),
        (("--zombie-killer",), ("Failed", "Submitted")),
        (("--lazarus",), ("Running", "Scheduled")),
        (("--zombie-killer", "--lazarus"), ("Failed", "Scheduled")),
    ],
    ids=" ".join,
)
def test_dead_runs_are_cared_for_only_when_the_server_is_told_to(
    start_server: Start, options: tuple[str, ...], expected: tuple[str, str]
) -> None:
    server = start_server()
    dead = Dead(server)
    server.start(*options)
    if options:
        eventually(lambda: dead.states(server) == expected, what=f"{expected}")
    server.wire().data("{ hello }")
    assert dead.states(server) == expected
