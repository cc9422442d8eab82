"""Creating a run so that a repeat is safe: created, existing, what differs, lost answers; on a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from flowlatch.api.backend import Capabilities, Kind
from flowlatch.live.create import (
    Difference,
    RunCreated,
    RunExisted,
    create_run,
    find_created,
    key_life,
    new_key,
    outcome_line,
    retry_of,
)
from flowlatch.live.edit import NotSent, Refused, Unknown
from flowlatch.model.run import FlowId, FlowRun, NewRun, RunId
from tests.support.faults import Answer, Fault, FaultyServer, LoseAnswer
from tests.support.server import ServerProcess
from tests.support.sessions import session_on
from tests.support.wire import Wire


@pytest.fixture
async def flow_id(shared_wire: Wire) -> FlowId:
    """A flow with two parameters, one of them required."""
    parameters = [{"name": "day", "required": True}, {"name": "limit", "default": 10}]
    return FlowId(await asyncio.to_thread(shared_wire.create_flow, f"create-{uuid4()}", parameters))


def request(flow_id: FlowId, key: str | None, **parameters: object) -> NewRun:
    """A request with these parameters."""
    return NewRun(flow_id=flow_id, idempotency_key=key, parameters={"day": "2026-11-22", **parameters})


def count_runs(wire: Wire, flow_id: str) -> int:
    """Return how many runs a flow has."""
    document = "query($id: uuid!) { flow_run_aggregate(where: {flow_id: {_eq: $id}}) { aggregate { count } } }"
    return int(wire.data(document, {"id": flow_id})["flow_run_aggregate"]["aggregate"]["count"])


async def test_created_then_existing(shared_server: ServerProcess, flow_id: FlowId) -> None:
    async with session_on(shared_server) as session:
        created = await create_run(session.backend, request(flow_id, "nightly"))
        assert isinstance(created, RunCreated)
        assert created.run is not None
        assert created.expires_at is not None
        again = await create_run(session.backend, request(flow_id, "nightly"))
        assert isinstance(again, RunExisted)
        assert again.id == created.id
        assert again.differences == ()
        assert outcome_line(again).startswith("existing run")


async def test_names_the_inputs_that_differ(shared_server: ServerProcess, flow_id: FlowId) -> None:
    async with session_on(shared_server) as session:
        await create_run(session.backend, request(flow_id, "nightly", limit=5))
        mine = replace(request(flow_id, "nightly", limit=7), labels=["eu"])
        again = await create_run(session.backend, mine)
        assert isinstance(again, RunExisted)
        assert Difference("parameters.limit", "7", "5") in again.differences
        assert Difference("labels", '["eu"]', "[]") in again.differences
        assert len(again.differences) == 2


async def test_differing_secrets_are_named_and_not_shown(shared_server: ServerProcess, flow_id: FlowId) -> None:
    async with session_on(shared_server) as session:
        await create_run(
            session.backend, request(flow_id, "nightly", db_password="canary-1", deep={"token": "canary-2"})
        )
        mine = request(flow_id, "nightly", db_password="canary-3", deep={"token": "canary-4", "n": 1})
        again = await create_run(session.backend, mine)
        assert isinstance(again, RunExisted)
        assert {each.name for each in again.differences} == {"parameters.db_password", "parameters.deep"}
        assert "canary" not in str(again.differences)


async def test_a_missing_parameter_is_refused(shared_server: ServerProcess, flow_id: FlowId) -> None:
    async with session_on(shared_server) as session:
        outcome = await create_run(session.backend, NewRun(flow_id=flow_id, idempotency_key="k"))
        assert isinstance(outcome, Refused)
        assert "day" in outcome.reason


async def test_a_lost_answer_makes_one_run(shared_server: ServerProcess, shared_wire: Wire, flow_id: FlowId) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        left = [LoseAnswer()]
        proxy.on_request = lambda body: left.pop() if b"create_flow_run" in body and left else None
        outcome = await create_run(session.backend, request(flow_id, new_key()), is_fresh_key=True)
        assert isinstance(outcome, RunCreated)
        assert outcome.was_resent
    assert await asyncio.to_thread(count_runs, shared_wire, flow_id) == 1


async def test_an_unknown_create_is_found_under_its_key(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: FlowId
) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        new, backend = request(flow_id, new_key()), session.backend
        proxy.on_request = lambda body: LoseAnswer() if b"create_flow_run" in body else None
        assert isinstance(await create_run(backend, new, is_fresh_key=True), Unknown)
        proxy.on_request = lambda body: None
        found = await find_created(backend, new, is_fresh_key=True)
        assert isinstance(found, RunCreated)
    assert await asyncio.to_thread(count_runs, shared_wire, flow_id) == 1


async def test_without_a_key_an_unknown_create_is_not_sent_again(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: FlowId
) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        proxy.on_request = lambda body: LoseAnswer() if b"create_flow_run" in body else None
        backend = session.backend
        assert isinstance(await create_run(backend, request(flow_id, None)), Unknown)
        proxy.on_request = lambda body: None
        assert isinstance(await find_created(backend, request(flow_id, None)), Unknown)
    assert await asyncio.to_thread(count_runs, shared_wire, flow_id) == 1


async def test_a_create_that_was_done_is_never_told_as_not_sent(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: FlowId
) -> None:
    """Its answer is lost, and asked again the server lets nobody in."""
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        faults: list[Fault] = [LoseAnswer()]
        shut = Answer(b"slow down", 429, "text/plain", headers={"Retry-After": "0"})
        proxy.on_request = lambda body: (faults.pop() if faults else shut) if b"create_flow_run" in body else None
        outcome = await create_run(session.backend, request(flow_id, new_key()), is_fresh_key=True)
        assert isinstance(outcome, Unknown)
    assert await asyncio.to_thread(count_runs, shared_wire, flow_id) == 1


async def test_no_server_means_not_sent_or_unknown(server: ServerProcess) -> None:
    wire = server.wire()
    flow_id = FlowId(await asyncio.to_thread(wire.create_flow, "gone", []))
    async with session_on(server) as session:
        backend = session.backend
        await asyncio.to_thread(server.kill)
        outcome = await create_run(backend, NewRun(flow_id=flow_id, idempotency_key="k"))
        assert isinstance(outcome, NotSent | Unknown)


def test_automatic_keys_differ() -> None:
    assert new_key() != new_key()
    assert new_key(token=lambda: "9f31c2").startswith("run-9f31c2")


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [
        (Capabilities(kind=Kind.FLOWLATCH, idempotency_window=timedelta(hours=24)), "within 24 h returns the same run"),
        (Capabilities(kind=Kind.FLOWLATCH, idempotency_window=timedelta(seconds=3)), "within 3 s"),
        (Capabilities(kind=Kind.FLOWLATCH, idempotency_window=timedelta(minutes=90)), "within 90 min"),
        (Capabilities(kind=Kind.PREFECT1), "do not expire"),
        (Capabilities(kind=Kind.PREFECT3), "do not expire"),
        (None, "the same run instead of a new one"),
    ],
)
def test_says_how_long_a_key_lives(capabilities: Capabilities | None, words: str) -> None:
    assert words in key_life(capabilities)


def test_a_retry_has_the_same_inputs_and_another_key() -> None:
    run = FlowRun(id=RunId("r"), flow_id=FlowId("f"), parameters={"day": "x"}, labels=[], idempotency_key="old")
    new = retry_of(run, key="new")
    assert new.parameters == {"day": "x"}
    assert new.labels == []
    assert new.idempotency_key == "new"
    assert new.scheduled_start_time is None
