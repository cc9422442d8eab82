"""The demo's actors on a real server: the past arrives, workers work and let go, the colleague interferes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Target
from flowlatch.demo import colleague
from flowlatch.demo.actors import Actors
from flowlatch.demo.flows import FLOWS, SampleFlow
from flowlatch.demo.history import Crew, register, seed
from flowlatch.demo.plan import OUTAGE_RUNS, OUTAGE_TROUBLE, outage, past
from flowlatch.demo.worker import Worker
from flowlatch.errors import VersionConflict
from flowlatch.model.filter import parse_filter
from flowlatch.model.kin import Relation
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, NewRun, RunId
from flowlatch.model.state import StateDraft
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async

SURE = Random(1)
"""Its first number is below no flow's share of failures, so the run ends well."""


async def no_pause(seconds: float) -> None:
    """Go on at once, letting others act."""
    await asyncio.sleep(0)


async def started(backend: Backend, flow_name: str = "sync-crm") -> FlowRun:
    """Register the flows and return a run of one of them that is due now."""
    now = await backend.server_now()
    flow_ids = await register(backend, now)
    flow = next(flow for flow in FLOWS if flow.name == flow_name)
    created = await backend.create_run(NewRun(flow_id=flow_ids[flow_name], parameters=flow.draw(Random(1), now)))
    return await backend.run(created.id)


@pytest.fixture
async def crew(backend: Backend, server: ServerProcess) -> AsyncIterator[Crew]:
    """Those who act in the past; the only worker is `backend`."""
    names = ("scheduler", colleague.NAME)
    scheduler, mira = [await open_backend(Target(Profile(name="demo"), None, name), data=server.data) for name in names]
    yield Crew(scheduler, (backend,), mira)
    await scheduler.aclose()
    await mira.aclose()


async def test_the_planned_past_arrives_as_planned(backend: Backend, crew: Crew) -> None:
    now = datetime.now(UTC)
    planned = [*past(5, now, runs=120), *outage(5, now)]
    flow_ids = await register(backend, now)
    await seed(crew, flow_ids, planned, now, sleep=no_pause)
    page = await backend.page(RunQuery(until=now - timedelta(minutes=1), limit=1000))
    there = {(run.flow_name, run.name, run.scheduled_start_time): run.state for run in page.rows}
    assert there == {(run.flow.name, run.name, run.due_at): run.states[-1]["type"] for run in planned}
    first = next(run for run in page.rows if run.name == planned[0].name)
    assert [state.name for state in await backend.history(first.id)][:3] == ["Scheduled", "Submitted", "Running"]
    assert {task.state for task in await backend.task_runs(first.id)} <= {"Success", "Failed", "TriggerFailed"}
    assert await backend.logs(first.id)
    one_each = [first, *{run.state: run for run in page.rows}.values()]
    told = {state.name: state.actor for run in one_each for state in await backend.history(run.id)}
    workers = dict.fromkeys(("Submitted", "Running", "Success", "Failed"), "worker ops-1")
    assert told.items() >= {"Scheduled": "scheduler", **workers, "Cancelled": colleague.NAME}.items()


async def test_yesterdays_failed_runs_of_one_flow_are_there_to_be_found(backend: Backend, crew: Crew) -> None:
    now = await backend.server_now()
    flow_ids = await register(backend, now)
    await seed(crew, flow_ids, outage(1, now.astimezone()), now, sleep=no_pause)
    here = now.astimezone()
    words = "state:failed since:yesterday until:today flow:etl-orders refused"
    page = await backend.page(parse_filter(words, now, zone=here.tzinfo or UTC).query)
    assert [run.state_message for run in page.rows] == [OUTAGE_TROUBLE] * OUTAGE_RUNS


async def test_closing_the_books_starts_a_run_of_another_flow(backend: Backend, server: ServerProcess) -> None:
    run = await started(backend, "quarter-close")
    flow_ids = {flow.name: flow.id for flow in await backend.flows()}
    await backend.set_state(run.id, 1, StateDraft(type="Running"))
    await Actors(server.data, 1.0, 1)._start_child(backend, flow_ids, Random(1), run.id)
    (child,) = await backend.relatives(await backend.run(run.id))
    assert (child.relation, child.run.flow_name) == (Relation.CHILD, "report-eu")
    (parent,) = await backend.relatives(await backend.run(child.run.id))
    assert (parent.relation, parent.run.id, parent.task) == (Relation.PARENT, run.id, "reconcile")
    assert [task.state for task in await backend.task_runs(run.id)] == ["Success", "Pending", "Pending"]
    assert child.run.name in (await backend.logs(run.id))[-1].message


async def test_a_worker_brings_a_run_to_its_end_with_tasks_and_logs(backend: Backend) -> None:
    run = await started(backend)
    worker = Worker(backend, Random(2), datetime.now(UTC) - timedelta(hours=1), sleep=no_pause)
    assert await worker.carry(run)
    states = await backend.history(run.id)
    assert [state.name for state in states][:3] == ["Scheduled", "Submitted", "Running"]
    assert {state.actor for state in states[1:]} == {"worker ops-1"}
    assert states[-1].is_finished or states[-1].name == "Retrying"
    assert any("starting task run" in line.message for line in await backend.logs(run.id))


async def test_two_workers_never_run_the_same_run(backend: Backend) -> None:
    run = await started(backend)
    since = datetime.now(UTC)
    workers = [Worker(backend, Random(number), since, sleep=no_pause) for number in range(4)]
    assert sorted(await asyncio.gather(*(worker.carry(run) for worker in workers))) == [False, False, False, True]
    assert [state.name for state in await backend.history(run.id)].count("Submitted") == 1


@pytest.mark.parametrize(("act", "expected"), [("cancel", ["Cancelling", "Cancelled"]), ("decide", ["Paused"])])
async def test_a_worker_obeys_a_cancel_and_lets_a_decided_run_go(
    act: str, expected: list[str], backend: Backend
) -> None:
    run = await started(backend)

    async def interfere(seconds: float) -> None:
        now = await backend.run(run.id)
        if now.state != "Running":
            return
        if act == "cancel":
            await backend.cancel_run(run.id)
        else:
            await backend.set_state(run.id, now.version, StateDraft(type="Paused", message="wait"))

    worker = Worker(backend, Random(2), datetime.now(UTC), sleep=interfere)
    assert not await worker.carry(run)
    names = [state.name for state in await backend.history(run.id)]
    assert names == ["Scheduled", "Submitted", "Running", *expected]


async def test_the_colleague_changes_the_run_that_is_edited(backend: Backend, server: ServerProcess) -> None:
    run = await started(backend)
    target = Target(Profile(name="demo"), None, "me@here")
    said = await colleague.conflict(target, run.id, data=server.data)
    theirs = (await backend.history(run.id))[-1]
    assert (theirs.name, theirs.actor, theirs.version) == ("Cancelled", colleague.NAME, 2)
    assert "mira@ops-2 set sync-crm / " in said
    with pytest.raises(VersionConflict):
        await backend.set_state(run.id, run.version, StateDraft(type="Success"))


async def test_without_a_run_the_colleague_takes_a_running_one(backend: Backend, server: ServerProcess) -> None:
    run = await started(backend)
    await backend.set_state(run.id, 1, StateDraft(type="Running"))
    await colleague.conflict(Target(Profile(name="demo"), None, "me"), None, data=server.data)
    assert await eventually_async(lambda: _state(backend, run.id, "Success"), what="the colleague's state")


async def _state(backend: Backend, run_id: RunId, name: str) -> bool:
    return (await backend.run(run_id)).state == name


@pytest.mark.parametrize("state", ["Scheduled", "Running", "Success", "Failed", "Cancelled", "Paused", "Submitted"])
def test_the_colleague_always_wants_something_else(state: str) -> None:
    assert colleague.decision(FlowRun(id=RunId("x"), state=state)).type != state or state == "Cancelled"


def test_one_flow_is_made_for_the_colleague() -> None:
    flow: SampleFlow = next(flow for flow in FLOWS if flow.name == "quarter-close")
    assert (flow.weight, flow.cron) == (0, None)
