"""What our backend promises, against a real Prefect 3 server. Source: prefect3.md, reliability.md §8."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flowlatch.api.backend import Backend, Kind, Locking
from flowlatch.api.opener import open_backend
from flowlatch.api.prefect3.backend import Prefect3Backend
from flowlatch.config import Secret
from flowlatch.errors import (
    ForeignServer,
    NotFound,
    OutcomeUnknown,
    ReadOnly,
    Rejected,
    Unauthorized,
    Unreachable,
    VersionConflict,
)
from flowlatch.model.change import ChangeBatch, ChangeKind
from flowlatch.model.kin import Relation
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import FlowId, LogMark, NewRun, RunId
from flowlatch.model.state import Category, StateDraft, names_in
from tests.prefect3.conftest import target_of
from tests.prefect3.server import Prefect3Server
from tests.support.faults import Answer, Fault, FaultyServer, LoseAnswer, Pass
from tests.support.waiting import eventually_async

NOBODY = RunId("00000000-0000-4000-8000-000000000000")
BUSY = Answer(b'{"exception_message":"Service Unavailable"}', status=503)
FAILED, SUCCESS = (tuple(names_in(category)) for category in (Category.FAILED, Category.SUCCESS))


def unique(word: str) -> str:
    return f"{word}-{uuid4().hex[:10]}"


async def create(backend: Backend, deployment: str, **inputs: Any) -> RunId:
    start = datetime.now(UTC) + timedelta(days=3)
    inputs = {"parameters": {"batch": 1}, "scheduled_start_time": start, **inputs}
    return (await backend.create_run(NewRun(flow_id=FlowId(deployment), **inputs))).id


async def test_the_server_is_found_by_its_address_and_told_apart(backend: Backend, prefect3: Prefect3Server) -> None:
    found = backend.capabilities
    assert (found.kind, found.version, found.locking) == (Kind.PREFECT3, "3.8.8", Locking.CHECKED)
    assert found.idempotency_window is None
    assert backend.url == prefect3.url
    assert abs(await backend.server_now() - datetime.now(UTC)) < timedelta(seconds=5)
    with pytest.raises(ForeignServer):
        await open_backend(target_of(prefect3.address, kind="prefect1"))


async def test_a_created_run_reads_back_whole(backend: Backend, deployment: str) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    key = unique("key")
    run_id = await create(
        backend,
        deployment,
        parameters={"batch": 5, "mode": "full"},
        labels=["ops"],
        idempotency_key=key,
        scheduled_start_time=start,
        flow_run_name="by hand",
    )
    run = await backend.run(run_id)
    assert (run.name, run.state, run.category, run.idempotency_key) == ("by hand", "Scheduled", Category.SCHEDULED, key)
    assert run.labels == ["ops", "prod"], "the deployment adds its own"
    assert run.parameters == {"batch": 5, "mode": "full", "source": "s3"}
    assert run.scheduled_start_time == run.state_start_time == start
    assert run.flow_id == deployment
    assert run.flow_name.startswith("flow-")


async def test_a_deployment_is_what_runs_are_made_from(backend: Backend, prefect3: Prefect3Server) -> None:
    name = unique("etl")
    deployment = prefect3.deployment(name)
    (flow,) = await backend.flows(text=name)
    assert (flow.id, flow.name) == (deployment, f"{name}/nightly")
    kinds = {one.name: (one.required, one.default, one.annotation) for one in flow.parameters}
    assert kinds == {
        "batch": (True, None, "int"),
        "source": (False, "s3", "str"),
        "mode": (False, "delta", "full|delta"),
        "as_of": (False, None, "datetime"),
    }
    assert (await backend.flow(FlowId(deployment))).name == flow.name
    with pytest.raises(NotFound):
        await backend.flow(FlowId(NOBODY))


async def test_parameters_that_the_server_refuses_are_told(backend: Backend, deployment: str) -> None:
    with pytest.raises(Rejected, match="batch"):
        await create(backend, deployment, parameters={})
    with pytest.raises(NotFound):
        await create(backend, NOBODY)


async def test_the_same_key_is_the_same_run_and_what_differs_is_named(backend: Backend, deployment: str) -> None:
    key = unique("key")
    first = await create(backend, deployment, idempotency_key=key, labels=["a"])
    new = NewRun(flow_id=FlowId(deployment), parameters={"batch": 1}, labels=["a"], idempotency_key=key)
    again = await backend.create_run(new)
    assert (again.id, again.replayed, again.mismatch) == (first, True, [])
    other = NewRun(flow_id=FlowId(deployment), parameters={"batch": 2}, labels=["b"], idempotency_key=key)
    differs = await backend.create_run(other)
    assert (differs.id, differs.replayed, sorted(differs.mismatch)) == (first, True, ["labels", "parameters"])
    assert (await backend.run(first)).parameters == {"batch": 1, "source": "s3"}


async def test_a_state_is_set_on_the_state_that_was_seen(backend: Backend, deployment: str) -> None:
    run_id = await create(backend, deployment)
    run = await backend.run(run_id)
    version = await backend.set_state(run_id, run.version, StateDraft(type="Completed", message="It worked!"))
    now = await backend.run(run_id)
    assert (now.version, now.state, now.state_message) == (version, "Completed", "It worked!")
    history = await backend.history(run_id)
    assert [(state.name, state.version) for state in history] == [("Scheduled", run.version), ("Completed", version)]
    assert [state.name for state in await backend.history(run_id, after_version=run.version)] == ["Completed"]


async def test_a_stale_version_sends_nothing(backend: Backend, prefect3: Prefect3Server, deployment: str) -> None:
    run_id = await create(backend, deployment)
    seen = await backend.run(run_id)
    prefect3.set_state(run_id, "RUNNING", "Running", "off it goes")
    with pytest.raises(VersionConflict) as caught:
        await backend.set_state(run_id, seen.version, StateDraft(type="Failed"))
    assert (caught.value.state, caught.value.message, caught.value.overwrote) == ("Running", "off it goes", False)
    assert prefect3.states(run_id) == ["Scheduled", "Running"]


@pytest.mark.parametrize("listening", [True, False], ids=["by its event", "by the history"])
async def test_what_slipped_in_between_is_told_after_the_fact(
    listening: bool, prefect3: Prefect3Server, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody changes the run between our look and our change, which the server lets happen."""
    backend = await open_backend(target_of(prefect3.url))
    assert isinstance(backend, Prefect3Backend)
    run_id = await create(backend, deployment)
    seen = await backend.run(run_id)
    look = backend._at

    async def look_and_be_late(run: RunId, version: int) -> str:
        found = await look(run, version)
        await asyncio.to_thread(prefect3.set_state, run, "RUNNING", "Running", "in between")
        return found

    monkeypatch.setattr(backend, "_at", look_and_be_late)
    watching = asyncio.create_task(_watch(backend.watch()))
    if listening:
        await eventually_async(lambda: backend._heard.listeners)
    else:
        watching.cancel()
    with pytest.raises(VersionConflict) as caught:
        await backend.set_state(run_id, seen.version, StateDraft(type="Failed", message="mine"))
    assert (caught.value.overwrote, caught.value.state, caught.value.message) == (True, "Running", "in between")
    assert prefect3.states(run_id) == ["Scheduled", "Running", "Failed"]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await backend.aclose()


async def _watch(stream: AsyncIterator[ChangeBatch]) -> None:
    async for _ in stream:
        pass


async def test_a_refusal_is_no_conflict_and_says_why(backend: Backend, deployment: str) -> None:
    run_id = await create(backend, deployment)
    version = (await backend.run(run_id)).version
    with pytest.raises(Rejected, match="no state of Prefect 3"):
        await backend.set_state(run_id, version, StateDraft(type="Nonsense"))
    version = await backend.set_state(run_id, version, StateDraft(type="Failed"))
    with pytest.raises(Rejected, match="terminal"):
        await backend.set_state(run_id, version, StateDraft(type="Crashed"))
    assert (await backend.run(run_id)).version == version


async def test_an_answer_that_is_lost_is_read_back(prefect3: Prefect3Server, deployment: str) -> None:
    async with FaultyServer(upstream=prefect3.address) as proxy:
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        run_id = await create(backend, deployment)
        version = (await backend.run(run_id)).version
        proxy.script = [Pass(), LoseAnswer()]
        new = await backend.set_state(run_id, version, StateDraft(type="Completed", message="once"))
        assert (await backend.run(run_id)).version == new
        assert prefect3.states(run_id) == ["Scheduled", "Completed"], "and it was sent once"
        proxy.script = [LoseAnswer()]
        key = unique("key")
        made = await create(backend, deployment, idempotency_key=key)
        assert [run.id for run in (await backend.page(RunQuery(key=key))).rows] == [made]
        proxy.script = [LoseAnswer()]
        created = await backend.create_run(
            NewRun(flow_id=FlowId(deployment), parameters={"batch": 7}, flow_run_name=key)
        )
        assert not created.replayed, "it is told as the new run that it is"
        assert [run.id for run in (await backend.page(RunQuery(text=key))).rows] == [created.id]
        await backend.aclose()


async def test_writers_at_the_same_time_get_what_they_ask_for(backend: Backend, deployment: str) -> None:
    """Most of these the server refuses at first, and some it cuts off; without a key too each makes its one run."""
    name, many = unique("at-once"), 8
    made = await asyncio.gather(*(create(backend, deployment, flow_run_name=name) for _ in range(many)))
    seen = [run.id for run in (await backend.page(RunQuery(text=name))).rows]
    assert sorted(seen) == sorted(set(made))
    assert len(seen) == many
    await asyncio.gather(*(backend.set_labels(run, ["x"]) for run in made))
    assert await asyncio.gather(*(backend.cancel_run(run) for run in made)) == ["Cancelled"] * many
    assert await asyncio.gather(*(backend.delete_run(run) for run in made)) == [True] * many


async def test_what_a_busy_server_refused_is_sent_again(prefect3: Prefect3Server, deployment: str) -> None:
    async with FaultyServer(upstream=prefect3.address) as proxy:
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        run_id = await create(backend, deployment)
        proxy.script = [BUSY, LoseAnswer()]
        await backend.rename_run(run_id, "another name")
        proxy.script = [BUSY, Pass(), LoseAnswer()]
        assert await backend.cancel_run(run_id) == "Cancelled"
        assert prefect3.states(run_id) == ["Scheduled", "Cancelled"], "done once"
        proxy.script = [BUSY, LoseAnswer()]
        await backend.set_schedule_active(FlowId(deployment), active=False)
        assert prefect3.ask("GET", f"/deployments/{deployment}")["paused"] is True
        proxy.script = [BUSY, LoseAnswer()]
        assert await backend.delete_run(run_id), "gone by the request whose answer was lost"
        assert not await backend.delete_run(run_id)
        await backend.aclose()


async def test_what_was_not_done_is_sent_again_on_the_same_state(prefect3: Prefect3Server, deployment: str) -> None:
    """A server on SQLite answers 503 while another request writes; nothing was done then."""
    async with FaultyServer(upstream=prefect3.address) as proxy:
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        run_id = await create(backend, deployment)
        version = (await backend.run(run_id)).version
        proxy.script = [Pass(), BUSY]
        version = await backend.set_state(run_id, version, StateDraft(type="Failed"))
        assert prefect3.states(run_id) == ["Scheduled", "Failed"]

        def someone_else(body: bytes) -> Fault | None:
            if b"transition_id" not in body:
                return None
            proxy.on_request = lambda _: None
            prefect3.set_state(run_id, "CRASHED", "Crashed", "meanwhile")
            return BUSY

        proxy.on_request = someone_else
        with pytest.raises(VersionConflict) as caught:
            await backend.set_state(run_id, version, StateDraft(type="Completed"))
        assert (caught.value.state, caught.value.overwrote) == ("Crashed", False)
        assert prefect3.states(run_id) == ["Scheduled", "Failed", "Crashed"]
        await backend.aclose()


async def test_a_lost_delete_stays_unknown_when_the_server_is_not_reached_again(
    prefect3: Prefect3Server, deployment: str
) -> None:
    async with FaultyServer(upstream=prefect3.address) as proxy:
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        run_id = await create(backend, deployment)
        proxy.script, proxy.otherwise = [LoseAnswer()], Answer(b'{"detail":"no"}', status=401)
        with pytest.raises(OutcomeUnknown, match="deleting"):
            await backend.delete_run(run_id)
        await backend.aclose()


async def test_a_state_that_was_never_sent_is_no_unknown_outcome(prefect3: Prefect3Server, deployment: str) -> None:
    async with FaultyServer(upstream=prefect3.address) as proxy:
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        run_id = await create(backend, deployment)
        version = (await backend.run(run_id)).version
        proxy.seen.clear()
        proxy.otherwise = BUSY
        with pytest.raises(Unreachable):
            await backend.set_state(run_id, version, StateDraft(type="Failed"))
        assert not any(b"transition_id" in body for body in proxy.seen)
        await backend.aclose()


async def test_cancelling_deleting_renaming_labelling(
    backend: Backend, prefect3: Prefect3Server, deployment: str
) -> None:
    waits, runs = await create(backend, deployment), await create(backend, deployment)
    prefect3.set_state(runs, "RUNNING", "Running")
    assert await backend.cancel_run(waits) == "Cancelled"
    assert await backend.cancel_run(runs) in ("Cancelling", "Cancelled")
    await backend.rename_run(waits, "another name")
    await backend.set_labels(waits, ["b", "a"])
    run = await backend.run(waits)
    assert (run.name, run.labels, run.state) == ("another name", ["a", "b"], "Cancelled")
    assert await backend.delete_run(waits)
    assert not await backend.delete_run(waits)
    for act in (backend.run(waits), backend.rename_run(waits, "x"), backend.set_labels(waits, [])):
        with pytest.raises(NotFound):
            await act


async def test_a_page_meets_every_condition(backend: Backend, prefect3: Prefect3Server) -> None:
    flow = unique("list")
    deployment = prefect3.deployment(flow)
    names = [f"run-{number}" for number in range(5)]
    ids = [prefect3.run(deployment, name=name, in_hours=90 + n) for n, name in enumerate(names)]
    prefect3.set_state(ids[0], "FAILED", "Failed", "no")
    prefect3.set_state(ids[1], "CRASHED", "Crashed", "out of memory")
    prefect3.set_state(ids[2], "RUNNING", "Step 2", None)
    prefect3.set_state(ids[3], "COMPLETED", "Completed", None)

    async def found(**conditions: Any) -> set[str]:
        page = await backend.page(RunQuery(flow_ids=(deployment,), **conditions))
        assert page.total == len(page.rows)
        return {run.name for run in page.rows}

    assert await found() == set(names)
    assert await found(states=FAILED) == {"run-0", "run-1"}
    assert await found(states=("Crashed",)) == {"run-1"}
    assert await found(states=(*SUCCESS, "Crashed")) == {"run-1", "run-3"}
    assert await found(states=tuple(names_in(Category.RUNNING))) == {"run-2"}
    assert await found(not_states=FAILED) == {"run-2", "run-3", "run-4"}
    assert await found(name="run-1") == {"run-1"}
    assert await found(name="*-4") == {"run-4"}
    assert await found(name="run_1") == set(), "the server's wildcard is a letter here"
    assert await found(text="un-2") == {"run-2"}
    assert await found(text=flow.upper()) == set(names)
    assert await found(not_text="run-1") == set(names) - {"run-1"}
    assert await found(flow=f"{flow[:4]}*") == set(names)
    assert await found(not_flow=flow) == set()
    assert await found(labels=("prod",)) == set(names)
    assert await found(labels=("prod", "x")) == set()
    assert await found(not_labels=("prod",)) == set()
    assert await found(ids=(ids[1], ids[2])) == {"run-1", "run-2"}
    assert await found(id_prefix=ids[3][:13]) == {"run-3"}
    soon = datetime.now(UTC) + timedelta(hours=92, minutes=-30)
    assert await found(since=soon) == {"run-2", "run-3", "run-4"}
    assert await found(until=soon) == {"run-0", "run-1"}
    (step,) = (await backend.page(RunQuery(flow_ids=(deployment,), states=("Step 2",)))).rows
    assert (step.category, step.is_finished) == (Category.RUNNING, False)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("key", list(SortKey))
async def test_pages_in_any_order_hold_each_run_once(
    key: SortKey, descending: bool, backend: Backend, listed: tuple[str, list[str]]
) -> None:
    deployment, ids = listed
    query = RunQuery(flow_ids=(deployment,), sort=Sort(key=key, descending=descending), limit=3)
    seen: list[str] = []
    for offset in range(0, 9, 3):
        page = await backend.page(RunQuery(**{**vars(query), "offset": offset}))
        assert page.total == 7
        seen += [run.id for run in page.rows]
    assert sorted(seen) == sorted(ids)
    if key in (SortKey.START, SortKey.NAME, SortKey.CREATED):
        assert seen == (ids[::-1] if descending else ids)


@pytest.fixture(scope="session")
def listed(prefect3: Prefect3Server) -> tuple[str, list[str]]:
    """A deployment with seven runs, by start, name and creation in the same order."""
    deployment = prefect3.deployment()
    return deployment, [prefect3.run(deployment, name=f"n{n}", in_hours=100 + n) for n in range(7)]


async def test_counts_by_state(backend: Backend, prefect3: Prefect3Server, deployment: str) -> None:
    for kind, name in (("FAILED", "Failed"), ("CRASHED", "Crashed"), ("COMPLETED", "Completed")):
        prefect3.set_state(prefect3.run(deployment), kind, name)
    asked = {
        "failed": RunQuery(flow_ids=(deployment,), states=FAILED),
        "success": RunQuery(flow_ids=(deployment,), states=SUCCESS),
        "crashed, by text": RunQuery(flow_ids=(deployment,), states=("Crashed",), not_text="zzz"),
    }
    counts = await backend.counts(asked)
    assert {name: (count.value, count.is_exact) for name, count in counts.items()} == {
        "failed": (2, True),
        "success": (1, True),
        "crashed, by text": (1, True),
    }
    assert await backend.counts({}) == {}


async def test_logs_are_read_in_order_and_followed(backend: Backend, prefect3: Prefect3Server, deployment: str) -> None:
    run_id = RunId(prefect3.run(deployment))
    began = datetime.now(UTC).replace(microsecond=0)

    def write(*numbers: int) -> None:
        lines = [
            {"name": "flow", "level": 20 + 10 * (n % 3), "message": f"line {n}", "flow_run_id": run_id}
            | {"timestamp": (began + timedelta(seconds=n)).isoformat()}
            for n in numbers
        ]
        prefect3.ask("POST", "/logs/", lines)

    write(*range(250))
    lines = await backend.logs(run_id, limit=230)
    assert [line.message for line in lines] == [f"line {n}" for n in range(20, 250)]
    assert {line.level for line in lines} == {"INFO", "WARNING", "ERROR"}
    mark = LogMark(arrived=began).behind(lines)
    assert await backend.logs(run_id, after=mark) == []
    write(250, 251)
    assert [line.message for line in await backend.logs(run_id, after=mark)] == ["line 250", "line 251"]


async def test_tasks_and_runs_that_belong_together(backend: Backend, prefect3: Prefect3Server, deployment: str) -> None:
    parent = RunId(prefect3.run(deployment))
    task = {"flow_run_id": parent, "task_key": "load", "dynamic_key": "0", "name": "load-0"}
    task_id = prefect3.ask("POST", "/task_runs/", task)["id"]
    done = {"state": {"type": "COMPLETED", "name": "Completed"}, "force": True}
    prefect3.ask("POST", f"/task_runs/{task_id}/set_state", done)
    (one,) = await backend.task_runs(parent)
    assert (one.name, one.task_slug, one.state) == ("load-0", "load", "Completed")
    child = prefect3.run(deployment, parent_task_run_id=task_id)
    up = await backend.relatives(await backend.run(RunId(child)))
    assert [(each.relation, each.run.id, each.task) for each in up] == [(Relation.PARENT, parent, "load-0")]
    down = await backend.relatives(await backend.run(parent))
    assert [(each.relation, each.run.id) for each in down] == [(Relation.CHILD, child)]
    assert await backend.task_edges(FlowId(deployment)) == []


@pytest.mark.parametrize("has_events", [True, False], ids=["pushed", "polled"])
async def test_changes_are_seen_as_they_come(has_events: bool, python: Path, prefect3: Prefect3Server) -> None:
    deployment = prefect3.deployment()
    async with FaultyServer(upstream=prefect3.address) as proxy:
        proxy.refuse_websockets = not has_events
        backend = await open_backend(target_of(f"{proxy.url}/api"))
        assert isinstance(backend, Prefect3Backend)
        stream = aiter(backend.watch())
        async with aclosing(stream):  # type: ignore[type-var]
            first = await anext(stream)
            assert not first.changes
            if has_events:
                assert (await anext(stream)).resync, "what came before the socket was open"
            run_id = await asyncio.to_thread(prefect3.run, deployment)
            change = await _about(stream, run_id)
            assert change.state == "Scheduled"
            await asyncio.to_thread(prefect3.set_state, run_id, "RUNNING", "Step 1")
            assert (await _about(stream, run_id)).state == "Step 1"
        assert backend._heard.listeners == 0
        await backend.aclose()


async def _about(stream: AsyncIterator[ChangeBatch], run_id: str) -> Any:
    async with asyncio.timeout(15):
        async for batch in stream:
            for change in batch.changes:
                if change.id == run_id and change.kind is not ChangeKind.GONE:
                    return change.run
    raise AssertionError("the stream ended")


async def test_workers_are_listed(backend: Backend, prefect3: Prefect3Server) -> None:
    pool, worker = unique("pool"), unique("worker")
    prefect3.ask("POST", "/work_pools/", {"name": pool, "type": "process"})
    prefect3.ask("POST", f"/work_pools/{pool}/workers/heartbeat", {"name": worker})
    found = {agent.name: agent for agent in await backend.agents()}
    assert found[worker].last_queried is not None
    assert pool in (found[worker].type or "")


async def test_a_deployment_is_paused(backend: Backend, prefect3: Prefect3Server, deployment: str) -> None:
    await backend.set_schedule_active(FlowId(deployment), False)
    assert prefect3.ask("GET", f"/deployments/{deployment}")["paused"] is True
    await backend.set_schedule_active(FlowId(deployment), True)
    assert prefect3.ask("GET", f"/deployments/{deployment}")["paused"] is False
    for act in (backend.create_flow("x"), backend.archive_flow(FlowId(deployment)), backend.graphql("{ a }")):
        with pytest.raises(Rejected):
            await act


async def test_a_read_only_connection_sends_no_change(prefect3: Prefect3Server, deployment: str) -> None:
    backend = await open_backend(target_of(prefect3.url, read_only=True))
    run_id = RunId(prefect3.run(deployment))
    version = (await backend.run(run_id)).version
    for act in (
        create(backend, deployment),
        backend.set_state(run_id, version, StateDraft(type="Failed")),
        backend.cancel_run(run_id),
        backend.delete_run(run_id),
        backend.rename_run(run_id, "x"),
    ):
        with pytest.raises(ReadOnly):
            await act
    assert prefect3.states(run_id) == ["Scheduled"]
    await backend.aclose()


async def test_credentials_and_forged_requests(python: Path, tmp_path: Path) -> None:
    """A server with basic authentication and tokens against forged requests."""
    settings = {"SERVER_API_AUTH_STRING": "admin:secret", "SERVER_CSRF_PROTECTION_ENABLED": "true"}
    with Prefect3Server(python, tmp_path, **settings) as server:
        for token in (None, Secret("admin:wrong", is_basic=True)):
            with pytest.raises(Unauthorized) as caught:
                await open_backend(target_of(server.url, token=token))
            assert "wrong" not in str(caught.value)
        backend = await open_backend(target_of(server.url, token=Secret("admin:secret", is_basic=True)))
        assert isinstance(backend, Prefect3Backend)
        assert (await backend.page(RunQuery())).total == 0
        backend._call._csrf_token = "old"
        assert await asyncio.gather(*(backend.page(RunQuery()) for _ in range(4)))
        stream = aiter(backend.watch())
        assert not (await anext(stream)).resync
        assert (await anext(stream)).resync, "the socket takes the credentials too"
        await stream.aclose()  # type: ignore[attr-defined]
        await backend.aclose()
