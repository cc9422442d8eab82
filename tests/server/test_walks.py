"""Pages that are found by walking an index hold the same rows in the same order as any other list. walks.py"""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowlatch.server import walks
from flowlatch.server.compile import compile_plan
from flowlatch.server.conditions import condition
from flowlatch.server.plan import (
    Aggregate,
    AggregateFields,
    Counted,
    ListArguments,
    OrderBy,
    RootAggregate,
    Values,
)
from flowlatch.server.relations import TABLES
from flowlatch.server.sql import Row
from flowlatch.server.walks import branches, counted_places, walked_places
from flowlatch.store.spelling import SQLITE
from tests.store.world import World
from tests.support.server import ServerProcess
from tests.support.wire import Wire

STATES = ("Scheduled", "Running", "Success", "Failed")
LABELS: tuple[list[str], ...] = ([], ["wa"], ["wa", "wb"], ["wb"])


@pytest.fixture(scope="module")
def rows(wire: Wire, flow_id: str) -> list[dict[str, Any]]:
    """Make 48 runs: each state with each set of labels at three times, ties included."""
    for state, labels, hour in itertools.product(STATES, LABELS, (1, 2, 2)):
        run_id = wire.create_run(flow_id, labels=labels, scheduled_start_time=f"2032-01-01T0{hour}:00:00Z")
        if state != "Scheduled":
            wire.set_state(run_id, 1, state)
    document = "query($f: uuid) { flow_run(where: {flow_id: {_eq: $f}}) { id state labels scheduled_start_time } }"
    found = wire.data(document, {"f": flow_id})["flow_run"]
    assert len(found) == 48
    return list(found)


def in_states(*states: str) -> dict[str, Any]:
    return {"state": {"_in": list(states)}}


EARLY = {"scheduled_start_time": {"_lt": "2032-01-01T02:00:00Z"}}
CASES: list[tuple[dict[str, Any], Any]] = [
    (in_states("Failed", "Running"), lambda row: row["state"] in ("Failed", "Running")),
    (in_states("Failed", "Failed", "Nowhere"), lambda row: row["state"] == "Failed"),
    (in_states("Nowhere", "Elsewhere"), lambda row: False),
    (in_states(*STATES), lambda row: True),
    (
        {"_or": [in_states("Failed", "Running"), {"state": {"_eq": "Scheduled"}, **EARLY}]},
        lambda row: (
            row["state"] in ("Failed", "Running")
            or (row["state"] == "Scheduled" and row["scheduled_start_time"] < "2032-01-01T02")
        ),
    ),
    (
        {"_or": [in_states("Failed", "Running"), {"_and": [EARLY, in_states("Running", "Success")]}]},
        lambda row: (
            row["state"] in ("Failed", "Running")
            or (row["state"] == "Success" and row["scheduled_start_time"] < "2032-01-01T02")
        ),
    ),
    (
        {**in_states("Failed", "Success"), **EARLY},
        lambda row: row["state"] in ("Failed", "Success") and row["scheduled_start_time"] < "2032-01-01T02",
    ),
    ({"_not": in_states("Failed", "Success")}, lambda row: row["state"] in ("Running", "Scheduled")),
    ({"labels": {"_contains": ["wa"]}}, lambda row: "wa" in row["labels"]),
    ({"labels": {"_contains": "wb"}}, lambda row: "wb" in row["labels"]),
    ({"labels": {"_contains": ["wa", "wb"]}}, lambda row: row["labels"] == ["wa", "wb"]),
    ({"labels": {"_contains": ["nowhere"]}}, lambda row: False),
    (
        {"labels": {"_contains": ["wa"]}, **in_states("Failed", "Running")},
        lambda row: "wa" in row["labels"] and row["state"] in ("Failed", "Running"),
    ),
    (
        {"_or": [{"labels": {"_contains": ["wa"]}}, {"state": {"_eq": "Failed"}}]},
        lambda row: "wa" in row["labels"] or row["state"] == "Failed",
    ),
]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize(("where", "is_meant"), CASES)
def test_pages_put_together_are_the_whole_list(
    wire: Wire, flow_id: str, rows: list[dict[str, Any]], where: Any, is_meant: Any, direction: str
) -> None:
    document = """query($w: flow_run_bool_exp, $n: Int, $o: Int) { flow_run(where: $w, limit: $n, offset: $o,
      order_by: [{scheduled_start_time: %s}, {id: %s}]) { id } }""" % (direction, direction)  # noqa: UP031
    wanted = {"flow_id": {"_eq": flow_id}, "_and": [where]}
    expected = sorted(
        (row for row in rows if is_meant(row)),
        key=lambda row: (row["scheduled_start_time"], row["id"]),
        reverse=direction == "desc",
    )
    found: list[str] = []
    for offset in range(0, 60, 7):
        found += [row["id"] for row in wire.data(document, {"w": wanted, "n": 7, "o": offset})["flow_run"]]
    assert found == [row["id"] for row in expected]


def plan_of(where: dict[str, Any]) -> tuple[ListArguments, Values]:
    """Return the arguments of the dashboard's page under a filter."""
    values = Values()
    keys = (OrderBy((), "scheduled_start_time", "desc"), OrderBy((), "id", "desc"))
    return ListArguments(condition(TABLES["flow_run"], where, values), keys, limit=values.add(200)), values


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "where",
    [in_states("Failed", "Running"), {**in_states("Failed", "Running"), **EARLY}, {"labels": {"_contains": ["wa"]}}],
    ids=["states", "states and time", "label"],
)
def test_no_page_of_these_sorts_or_scans_all_runs(shared_server: ServerProcess, where: dict[str, Any]) -> None:
    arguments, values = plan_of(where)
    walked = walked_places(Row(TABLES["flow_run"], SQLITE), arguments)
    assert walked is not None
    connection = sqlite3.connect(f"file:{shared_server.data}/flowlatch.db?mode=ro", uri=True)
    try:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {walked}", values.parameters())]
    finally:
        connection.close()
    assert not [step for step in steps if step.startswith("SCAN flow_run") or step == "USE TEMP B-TREE FOR ORDER BY"], (
        steps
    )
    assert any("SEARCH flow_run" in step for step in steps), steps


LATE = {
    "state": {"_in": ["Scheduled", "Retrying"]},
    "_or": [
        {"state_start_time": {"_lt": "2026-01-01T00:00:00Z"}},
        {"state_start_time": {"_is_null": True}, "scheduled_start_time": {"_lt": "2026-01-01T00:00:00Z"}},
    ],
}


@pytest.mark.sqlite
@pytest.mark.parametrize("where", [LATE, {"labels": {"_contains": ["wa"]}}], ids=["late", "label"])
def test_no_count_of_these_walks_all_runs_up_to_its_limit(shared_server: ServerProcess, where: dict[str, Any]) -> None:
    values = Values()
    counted = AggregateFields("aggregate", (Counted("count"),))
    arguments = ListArguments(condition(TABLES["flow_run"], where, values), (), limit=values.add(10_000))
    statement = compile_plan(RootAggregate("flow_run", Aggregate("all", "", arguments, (counted,))), SQLITE)
    connection = sqlite3.connect(f"file:{shared_server.data}/flowlatch.db?mode=ro", uri=True)
    try:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values.parameters())]
    finally:
        connection.close()
    assert not [step for step in steps if step.startswith(("SCAN flow_run", "USE TEMP B-TREE"))], steps
    assert any(step.startswith("SEARCH flow_run") for step in steps), steps


@pytest.mark.sqlite
def test_what_has_no_branches() -> None:
    for where in ({}, {"name": {"_eq": "x"}}, {"_or": [{"state": {"_eq": "x"}}, {"name": {"_eq": "x"}}]}):
        assert branches(plan_of(where)[0].where) is None
    for where in ({"state": {"_eq": "x"}}, in_states("x")):
        assert walked_places(Row(TABLES["flow_run"], SQLITE), plan_of(where)[0]) is None


# ---- free text -----------------------------------------------------------------------------------------------------

MESSAGES = ("refused: a", "Refused: b", "all well", "x" * 300 + " refused", "100% done_", "Größe verweigert", None)


def has(text: str) -> dict[str, Any]:
    return {"_ilike": f"%{text}%"}


def anywhere(text: str) -> dict[str, Any]:
    """Return what the dashboard asks for a word without a name."""
    return {"_or": [{"name": has(text)}, {"flow": {"name": has(text)}}, {"state_message": has(text)}]}


@pytest.fixture
async def told(tmp_path: Path) -> Any:
    """A store with runs of two flows that have each of these messages, some more than once."""
    world = await World.open(tmp_path)
    for name in ("etl refused", "report"):
        flow = await world.flow(name=name)
        for number, message in enumerate((*MESSAGES, *MESSAGES[:2])):
            run_id = await world.run(flow, flow_run_name=f"run {number} {'all' if number % 3 else 'done'}")
            await world.set(run_id, 1, "Failed", message=message)
    yield world
    await world.store.close()


@pytest.mark.sqlite
@pytest.mark.parametrize("different", [1, 3, 20_000])
@pytest.mark.parametrize(
    "text", ["refused", "REFUSED", "all", "done_", "%", "größe", "VERWEIGERT", "x", "report", "no"]
)
async def test_free_text_finds_what_a_look_at_every_row_finds(
    told: World, monkeypatch: pytest.MonkeyPatch, different: int, text: str
) -> None:
    monkeypatch.setattr(walks, "DIFFERENT_MESSAGES", different)
    escaped = text.replace("%", r"\%").replace("_", r"\_")
    every = await told.rows(
        "SELECT flow_run.seq, flow_run.name, flow.name AS flow, state_message AS message FROM flow_run "
        "JOIN flow ON flow.id = flow_run.flow_id ORDER BY scheduled_start_time DESC, flow_run.id DESC"
    )
    assert len(every) == 18
    for where, columns in (
        (anywhere(escaped), ("name", "flow", "message")),
        ({"state_message": has(escaped)}, ["message"]),
    ):
        arguments, values = plan_of(where)
        walked, counted = (
            walked_places(Row(TABLES["flow_run"], SQLITE), arguments),
            counted_places(Row(TABLES["flow_run"], SQLITE), arguments),
        )
        meant = [row["seq"] for row in every if any(text.lower() in (row[name] or "").lower() for name in columns)]
        assert [row["seq"] for row in await told.rows(str(walked), **values.parameters())] == meant
        assert sorted(row["seq"] for row in await told.rows(str(counted), **values.parameters())) == sorted(meant)


@pytest.mark.sqlite
def test_text_beside_what_no_index_knows_is_looked_for_row_by_row() -> None:
    for where in (
        {"_or": [{"state_message": has("x")}, {"version": {"_eq": 1}}]},
        {"_not": {"state_message": has("x")}},
        {"state_message": {"_nilike": "%x%"}},
        {"_or": [{"name": has("x")}, {"flow": {"name": has("x")}}]},
    ):
        assert walked_places(Row(TABLES["flow_run"], SQLITE), plan_of(where)[0]) is None


@pytest.mark.sqlite
async def test_no_text_makes_the_database_look_at_rows_of_runs(told: World) -> None:
    arguments, values = plan_of(anywhere("refused"))
    walked = walked_places(Row(TABLES["flow_run"], SQLITE), arguments)
    plan = await told.rows(f"EXPLAIN QUERY PLAN {walked}", **values.parameters())
    steps = [row["detail"] for row in plan if "flow_run_" in row["detail"]]
    by_index = ("COVERING INDEX", "INTEGER PRIMARY KEY", "flow_run_name", "flow_run_long_message")
    assert not [step for step in steps if not any(word in step for word in by_index)], steps
