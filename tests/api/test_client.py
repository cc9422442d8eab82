"""The public client, synchronous and not, against real servers."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from flowlatch import AsyncClient, Client, NotFound, OutcomeUnknown, RunQuery, Unauthorized, VersionConflict
from flowlatch.api.inputs import CreatedRun
from flowlatch.config import places
from flowlatch.discovery import is_running, read_server_file
from flowlatch.errors import BadInput, ConfigError, Rejected
from flowlatch.model.state import StateDraft, StateType
from tests.support.faults import FaultyServer, LoseAnswer
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire


@pytest.fixture
def client(shared_server: ServerProcess) -> Iterator[Client]:
    with Client(shared_server.url, token=shared_server.token, actor="script") as client:
        yield client


def flow_in(client: Client, **options: object) -> str:
    return client.create_flow(f"client-{uuid4().hex[:8]}", **options)  # type: ignore[arg-type]


def test_a_run_from_creation_to_its_end(client: Client) -> None:
    flow = flow_in(client, parameters=[{"name": "day"}])
    run_id = client.create_flow_run(
        flow_id=flow,
        scheduled_start_time="2031-01-01 06:00:00",
        idempotency_key="nightly",
        parameters={"day": "x"},
        labels=("b", "a"),
        context={"k": 1},
        flow_run_name="morning",
    )
    assert isinstance(run_id, str)
    assert not run_id.replayed
    run = client.get_flow_run(run_id)
    assert (run.name, run.version, run.state, run.labels) == ("morning", 1, "Scheduled", ["a", "b"])
    assert run.scheduled_start_time == datetime(2031, 1, 1, 6, tzinfo=UTC)
    assert (run.parameters, run.context) == ({"day": "x"}, {"k": 1})
    again = client.create_flow_run(flow, idempotency_key="nightly", parameters={"day": "y"})
    assert again == run_id
    assert again.replayed
    assert set(again.mismatch) >= {"parameters"}
    assert again.expires_at is not None
    assert client.set_flow_run_state(run_id, 1, "Running") == 2
    assert client.set_flow_run_state(run_id, 2, StateType.PAUSED, message="wait") == 3
    assert client.set_flow_run_state(run_id, 3, {"type": "Failed", "message": "m"}) == 4
    assert client.set_flow_run_state(run_id, 4, StateDraft(type="Success"), message="It worked!") == 5
    history = client.state_history(run_id)
    assert [state.name for state in history] == ["Scheduled", "Running", "Paused", "Failed", "Success"]
    assert [state.version for state in history] == [1, 2, 3, 4, 5]
    assert history[-1].message == "It worked!"
    assert history[-1].actor == "script"
    client.rename_flow_run(run_id, "evening")
    client.set_flow_run_labels(run_id, ["z"])
    assert client.flow_runs(flow_ids=[flow]).rows[0].name == "evening"
    assert client.cancel_flow_run(run_id) == "Success"
    assert client.delete_flow_run(run_id)
    assert not client.delete_flow_run(run_id)
    with pytest.raises(NotFound):
        client.get_flow_run(run_id)


def test_a_stale_version_raises_with_what_the_run_is_now(client: Client) -> None:
    run_id = client.create_flow_run(flow_in(client))
    client.set_flow_run_state(run_id, 1, "Failed", message="theirs")
    with pytest.raises(VersionConflict) as caught:
        client.set_flow_run_state(run_id, 1, "Success")
    assert (caught.value.version, caught.value.state, caught.value.message) == (2, "Failed", "theirs")
    assert caught.value.timestamp is not None
    assert datetime.fromisoformat(caught.value.timestamp).tzinfo is not None


def test_pages_and_the_whole_list(client: Client) -> None:
    flow = flow_in(client)
    made = {str(client.create_flow_run(flow)) for _ in range(5)}
    page = client.flow_runs(RunQuery(flow_ids=(flow,)), limit=2)
    assert (len(page.rows), page.total) == (2, 5)
    assert {run.id for run in client.iter_flow_runs(flow_ids=[flow], limit=2)} == made
    with pytest.raises(BadInput, match="limit"):
        client.flow_runs(limit=5000)


def test_without_a_key_every_call_is_a_run_of_its_own(client: Client) -> None:
    flow = flow_in(client)
    first, second = client.create_flow_run(flow), client.create_flow_run(flow)
    assert first != second
    assert client.get_flow_run(first).idempotency_key != client.get_flow_run(second).idempotency_key


def test_bad_input_is_refused_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(BadInput, match="flow_id or version_group_id"):
        client.create_flow_run()
    with pytest.raises(BadInput, match="cannot be sent as JSON"):
        client.create_flow_run("f", parameters={"x": float("nan")})
    with pytest.raises(Rejected):
        client.create_flow_run("no-uuid")


def test_changes_are_followed(client: Client) -> None:
    flow = flow_in(client)
    changes = client.watch()
    assert next(changes).changes == []
    run_id = client.create_flow_run(flow)
    seen = next(change for batch in changes for change in batch.changes if str(change.id) == str(run_id))
    assert seen.run is not None
    assert seen.run.state == "Scheduled"
    changes.close()  # type: ignore[attr-defined]


def test_any_document(client: Client) -> None:
    assert client.graphql("{ hello }")["hello"]
    assert client.capabilities().idempotency_window is not None
    assert client.server_now().tzinfo is not None
    assert client.logs("00000000-0000-4000-8000-000000000000") == []


async def test_it_works_inside_a_running_event_loop(client: Client) -> None:
    assert client.graphql("{ hello }")["hello"]


def test_threads_may_share_it(client: Client) -> None:
    run_id = client.create_flow_run(flow_in(client))
    outcomes: list[object] = []

    def write(number: int) -> None:
        try:
            outcomes.append(client.set_flow_run_state(run_id, 1, "Failed", message=str(number)))
        except VersionConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["2", *["conflict"] * 15]


def test_a_forgotten_client_ends_its_thread(shared_server: ServerProcess) -> None:
    before = {thread.ident for thread in threading.enumerate()}
    client = Client(shared_server.url, token=shared_server.token)
    assert client.graphql("{ hello }")
    del client
    gc.collect()
    eventually(lambda: {thread.ident for thread in threading.enumerate()} <= before, what="the thread has ended")


def test_a_closed_client_may_be_closed_again(shared_server: ServerProcess) -> None:
    client = Client(shared_server.url, token=shared_server.token)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.graphql("{ hello }")


def test_a_wrong_token_is_said_so_and_never_shown(shared_server: ServerProcess) -> None:
    with Client(shared_server.url, token="canary-9b1d") as client, pytest.raises(Unauthorized) as caught:
        client.graphql("{ hello }")
    assert "canary-9b1d" not in f"{caught.value} {client!r} {vars(client)}"


def test_it_resolves_as_the_commands_do(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shared_server.env().items():
        if name in ("FLOWLATCH_SERVER", "FLOWLATCH_TOKEN_FILE"):
            monkeypatch.setenv(name, value)
    with Client() as client:
        assert client.graphql("{ hello }")["hello"]
    with pytest.raises(ConfigError, match="no profile is named"):
        Client(profile="nowhere")


def test_with_nothing_given_it_starts_the_embedded_server_and_starts_it_again(home: Path) -> None:
    data = places().data
    with Client() as client:
        flow = flow_in(client)
        info = read_server_file(data)
        assert info is not None
        os.kill(info.pid, signal.SIGKILL)
        eventually(lambda: not is_running(data))
        assert client.create_flow_run(flow)
        again = read_server_file(data)
        assert again is not None
        assert again.pid != info.pid
        os.kill(again.pid, signal.SIGTERM)
        eventually(lambda: not is_running(data))


async def test_a_create_whose_answer_is_lost_makes_one_run(shared_server: ServerProcess, shared_wire: Wire) -> None:
    flow = await asyncio.to_thread(shared_wire.create_flow, f"lost-{uuid4().hex[:8]}")
    async with (
        FaultyServer(upstream=shared_server.url) as proxy,
        AsyncClient(proxy.url, token=shared_server.token) as client,
    ):
        proxy.script = [LoseAnswer()]
        run_id = await client.create_flow_run(flow)
        assert isinstance(run_id, CreatedRun)
        assert run_id.replayed, "the second try found the run of the first"
        assert [str(run.id) async for run in client.iter_flow_runs(flow_ids=[flow])] == [str(run_id)]
        proxy.script = [LoseAnswer()] * 9
        with pytest.raises(OutcomeUnknown):
            await client.create_flow_run(flow)


async def test_the_asynchronous_client_does_the_same(shared_server: ServerProcess) -> None:
    async with AsyncClient(shared_server.url, token=shared_server.token, actor="async") as client:
        flow = await client.create_flow(f"async-{uuid4().hex[:8]}")
        assert [found.id for found in await client.flows(text=(await client.flows())[0].name)]
        async with asyncio.timeout(20), aclosing(client.watch()) as changes:  # type: ignore[type-var]
            assert (await anext(changes)).changes == []
            run_id = await client.create_flow_run(flow)
            batch = await anext(changes)
            assert str(run_id) in {str(change.id) for change in batch.changes}
        assert await client.set_flow_run_state(run_id, 1, "Success") == 2
        assert [state.actor for state in await client.state_history(run_id)] == ["async", "async"]
        assert await client.task_runs(run_id) == []
        await client.archive_flow(flow)
        with pytest.raises(Rejected):
            await client.create_flow_run(flow)
