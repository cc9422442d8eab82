"""One act on many runs: each on its own version, each with a result; on a real server."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from flowlatch.api import graphql_writes
from flowlatch.live.bulk import Bulk, Item, Result, Verb, result_line
from flowlatch.live.create import RunCreated
from flowlatch.live.desk import Desk
from flowlatch.live.session import Session
from flowlatch.model.kin import How, source_of
from flowlatch.model.query import RunQuery
from flowlatch.model.state import StateDraft
from tests.support.faults import Answer, FaultyServer, LoseRequest
from tests.support.server import ServerProcess
from tests.support.sessions import session_on
from tests.support.wire import Wire

FAILED = StateDraft(type="Failed", message="stuck")


def made_runs(wire: Wire, count: int) -> str:
    """Make a flow with running runs and return its id."""
    flow_id = wire.create_flow(f"bulk-{uuid4()}", [{"name": "n"}])
    for number in range(count):
        run_id = wire.create_run(flow_id, parameters={"n": number}, flow_run_name=f"run-{number}")
        wire.set_state(run_id, 1, "Running")
    return flow_id


async def bulk_on(session: Session, flow_id: str, verb: Verb, **options: object) -> Bulk:
    """Freeze all runs of a flow."""
    page = await session.backend.page(RunQuery(flow_ids=(flow_id,)))
    bulk = Bulk(Desk(session), verb, sorted(page.rows, key=lambda run: run.name), **options)  # type: ignore[arg-type]
    bulk.draft = FAILED
    return bulk


def result_of(bulk: Bulk, place: int) -> Result:
    """Return where one run stands now."""
    return bulk.items[place].result


@pytest.fixture
async def flow_id(shared_wire: Wire) -> str:
    """A flow with five running runs."""
    return await asyncio.to_thread(made_runs, shared_wire, 5)


async def test_a_conflict_never_stops_the_rest(shared_server: ServerProcess, shared_wire: Wire, flow_id: str) -> None:
    async with session_on(shared_server) as session:
        bulk = await bulk_on(session, flow_id, Verb.SET_STATE, at_once=1)
        assert bulk.states() == {"Running": 5}
        moved, gone = bulk.items[1], bulk.items[3]
        await asyncio.to_thread(shared_wire.set_state, moved.base.run_id, 2, "Success")
        await session.backend.delete_run(gone.base.run_id)
        await bulk.run()
        results = [item.result for item in bulk.items]
        assert results == [Result.DONE, Result.CONFLICT, Result.DONE, Result.REFUSED, Result.DONE]
        assert bulk.rest() == []
        assert "v3 Success now" in result_line(moved.outcome)
        states = await asyncio.to_thread(shared_wire.states, moved.base.run_id)
        assert states == ["Scheduled", "Running", "Success"], "a run that moved on is not touched"


async def test_stopping_sends_nothing_more(shared_server: ServerProcess, flow_id: str) -> None:
    async with session_on(shared_server) as session:
        bulk = await bulk_on(session, flow_id, Verb.CANCEL, at_once=1)

        def stop_after_two(item: Item) -> None:
            if bulk.results()[Result.DONE] == 2:
                bulk.stop()

        bulk._on_change = stop_after_two
        await bulk.run()
        assert bulk.results() == {Result.DONE: 2, Result.NOT_SENT: 3}
        assert len(bulk.rest()) == 3
        bulk._on_change = lambda item: None
        await bulk.run()
        assert bulk.results() == {Result.DONE: 5}


async def test_what_is_unknown_is_read_back_before_it_is_sent_again(shared_server: ServerProcess, flow_id: str) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        bulk = await bulk_on(session, flow_id, Verb.SET_STATE, at_once=1)
        seen = 0

        def fault(body: bytes) -> LoseRequest | None:
            nonlocal seen
            seen += b"set_flow_run_state" in body
            return LoseRequest() if b"set_flow_run_state" in body and seen == 2 else None

        proxy.on_request = fault
        await bulk.run()
        assert result_of(bulk, 1) is Result.UNKNOWN
        assert bulk.results()[Result.DONE] == 4
        await bulk.run()
        assert result_of(bulk, 1) is Result.NOT_SENT, "read back: it was not done"
        await bulk.run()
        assert bulk.results() == {Result.DONE: 5}


async def test_a_retry_makes_one_new_run_each(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphql_writes, "CREATE_PAUSES_S", (0.0, 0.0))
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        bulk = await bulk_on(session, flow_id, Verb.RETRY, at_once=1)
        cut = Answer(b"", 502, None, deliver=True)
        proxy.on_request = lambda body: cut if b"create_flow_run" in body else None
        await bulk.run()
        assert bulk.results() == {Result.UNKNOWN: 5}
        proxy.on_request = lambda body: None
        await bulk.run()
        assert bulk.results() == {Result.DONE: 5}
        page = await session.backend.page(RunQuery(flow_ids=(flow_id,)))
        assert page.total == 10
        outcomes = [item.outcome for item in bulk.items]
        made = [await session.backend.run(each.id) for each in outcomes if isinstance(each, RunCreated)]
        assert [run.parameters for run in made] == [{"n": number} for number in range(5)]
        assert [source_of(run) for run in made] == [(How.RETRY, item.base.run_id) for item in bulk.items]


async def test_deleting_leaves_a_run_that_moved_on(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with session_on(shared_server) as session:
        bulk = await bulk_on(session, flow_id, Verb.DELETE)
        await asyncio.to_thread(shared_wire.set_state, bulk.items[0].base.run_id, 2, "Success")
        await bulk.run()
        assert bulk.results() == {Result.CONFLICT: 1, Result.DONE: 4}
        assert (await session.backend.page(RunQuery(flow_ids=(flow_id,)))).total == 1
