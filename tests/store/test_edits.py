"""Name, labels, heartbeat, deletion; and what the database derives from runs by itself."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from flowlatch.store.base import Refusal
from flowlatch.store.operations import flow_run_edits, flow_runs, logs, task_runs, tenants
from flowlatch.store.sqlite import derived
from flowlatch.store.sqlite.derived import name_matches
from tests.store.world import World
from tests.support.postgres import PostgresProcess


async def test_edits_leave_the_version_alone_and_bump_updated(world: World) -> None:
    run_id = await world.run(labels=["old"])
    edits: list[tuple[Any, dict[str, Any]]] = [
        (flow_run_edits.set_flow_run_name, {"name": "new name"}),
        (flow_run_edits.set_flow_run_labels, {"labels": ["b", "a", "a"]}),
        (flow_run_edits.update_flow_run_heartbeat, {}),
    ]
    for operation, inputs in edits:
        world.clock.move(seconds=1)
        assert await world(operation, flow_run_id=run_id, **inputs) == {"success": True}
        row = await world.row("flow_run", run_id)
        assert (row["version"], row["updated"]) == (1, world.clock.now.isoformat(timespec="microseconds"))
    assert (row["name"], row["labels"], row["heartbeat"]) == ("new name", '["a","b"]', row["updated"])


@pytest.mark.parametrize("name", ["", None, "x" * 1025, "a\0", "\ud800"])
async def test_bad_name_is_refused(world: World, name: Any) -> None:
    run_id = await world.run()
    with pytest.raises(Refusal, match="name") as refused:
        await world(flow_run_edits.set_flow_run_name, flow_run_id=run_id, name=name)
    assert refused.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("operation", "inputs"),
    [
        (flow_run_edits.set_flow_run_name, {"name": "n"}),
        (flow_run_edits.set_flow_run_labels, {"labels": []}),
        (flow_run_edits.update_flow_run_heartbeat, {}),
    ],
)
async def test_edit_of_an_unknown_run_is_not_found(world: World, operation: Any, inputs: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        await world(operation, flow_run_id="nothing", **inputs)
    assert refused.value.code == "NOT_FOUND"


async def test_deletion_takes_everything_of_the_run_along(world: World) -> None:
    flow_id = await world.flow(tasks=[{"slug": "a"}])
    run_id, other = await world.run(flow_id, idempotency_key="k", labels=["x"]), await world.run(flow_id)
    await world(logs.write_run_logs, logs=[{"flow_run_id": run_id, "message": "m"}])
    assert await world(flow_run_edits.delete_flow_run, flow_run_id=run_id) == {"success": True}
    assert await world(flow_run_edits.delete_flow_run, flow_run_id=run_id) == {"success": False}
    for table in ("flow_run", "flow_run_state", "task_run", "task_run_state"):
        assert await world.count(table) == 1, table
    for table in ("log", "idempotency", "flow_run_label"):
        assert await world.count(table) == 0, table
    assert (await world.rows("SELECT id FROM flow_run"))[0]["id"] == other


async def test_deleted_project_takes_its_runs_along_and_says_so(world: World) -> None:
    project = await world.project()
    runs = {await world.run(await world.flow(project)) for _ in range(2)}
    seq = await world.store.last_seq()
    assert await world(tenants.delete_project, project_id=project) == {"success": True}
    assert await world.count("flow") == await world.count("flow_run") == 0
    changes = await world.store.changes_since(seq)
    assert changes is not None
    assert {(change.run_id, change.kind) for change in changes[1]} == {(run, "gone") for run in runs}


UNINDEXED = derived.UNINDEXED_NAMES


class Derived(RuleBasedStateMachine):
    """Whatever is done to runs, counters, labels and the name index say what the runs say.

    Names enter the index when three are waiting, so that runs are changed and deleted on both sides of that.
    """

    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        derived.UNINDEXED_NAMES = 3
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.world = self.do(World.open(Path(self.directory.name)))
        self.flow = self.do(self.world.flow(tasks=[{"slug": "a"}]))

    def do(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    labels = st.lists(st.sampled_from(["a", "b", "c", 'quo"te', "ü"]), max_size=3)
    names = st.sampled_from(["alpha one", "beta two", "gamma", "Ünïcode alpha", "x", 'q"uote'])

    @rule(target=runs, labels=labels, name=names)
    def create(self, labels: list[str], name: str) -> str:
        inputs = {"flow_id": self.flow, "labels": labels, "flow_run_name": name}
        return str(self.do(self.world(flow_runs.create_flow_run, **inputs))["id"])

    @rule(run=runs, kind=st.sampled_from(["Running", "Success", "Scheduled", "Cancelled"]))
    def set_state(self, run: str, kind: str) -> None:
        self.do(self.world.set(run, None, kind))

    @rule(run=runs, name=names)
    def rename(self, run: str, name: str) -> None:
        self.do(self.world(flow_run_edits.set_flow_run_name, flow_run_id=run, name=name))

    @rule(run=runs, labels=labels)
    def relabel(self, run: str, labels: list[str]) -> None:
        self.do(self.world(flow_run_edits.set_flow_run_labels, flow_run_id=run, labels=labels))

    @rule(run=consumes(runs))
    def delete(self, run: str) -> None:
        self.do(self.world(flow_run_edits.delete_flow_run, flow_run_id=run))

    @invariant()
    def derived_rows_agree(self) -> None:
        rows = self.do(self.world.rows("SELECT * FROM flow_run"))
        counts = self.do(self.world.rows("SELECT * FROM state_count WHERE runs > 0"))
        assert {row["state"]: row["runs"] for row in counts} == Counter(row["state"] for row in rows)
        labels = self.do(self.world.rows("SELECT * FROM flow_run_label"))
        assert {(row["label"], row["scheduled_start_time"], row["run_seq"]) for row in labels} == {
            (label, row["scheduled_start_time"], row["seq"]) for row in rows for label in json.loads(row["labels"])
        }
        if PostgresProcess.current is not None:
            return  # names are in an index that the database keeps by itself
        found = f"SELECT seq FROM flow_run WHERE seq IN ({name_matches(':phrase')}) AND instr(name, :part)"
        for part in ("alpha", "gam", 'q"uote'):
            phrase = '"' + part.replace('"', '""') + '"'
            hits = {row["seq"] for row in self.do(self.world.rows(found, phrase=phrase, part=part))}
            assert hits == {row["seq"] for row in rows if part in row["name"]}

    def teardown(self) -> None:
        derived.UNINDEXED_NAMES = UNINDEXED
        self.do(self.world.store.close())
        self.runner.close()
        self.directory.cleanup()


TestDerived = Derived.TestCase
TestDerived.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


@pytest.mark.sqlite
async def test_names_enter_the_index_many_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = await world.flow()
    monkeypatch.setattr(derived, "UNINDEXED_NAMES", 4)
    indexed = []
    for _ in range(9):
        await world.run(flow_id)
        indexed.append(await world.count("flow_run_name_docsize"))
    assert indexed == [0, 0, 0, 4, 4, 4, 4, 8, 8]


async def test_task_run_names_and_heartbeats(world: World) -> None:
    await world.run(await world.flow(tasks=[{"slug": "a"}]))
    task_run = (await world.rows("SELECT id FROM task_run"))[0]["id"]
    await world(task_runs.set_task_run_name, task_run_id=task_run, name="n")
    await world(task_runs.update_task_run_heartbeat, task_run_id=task_run)
    row = await world.row("task_run", task_run)
    assert (row["name"], row["heartbeat"], row["version"]) == ("n", "2026-03-02T09:00:00.000000+00:00", 0)
