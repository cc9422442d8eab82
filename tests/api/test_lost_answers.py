"""Answers lost on the way from a real server: what was done is found out, and nothing is ever done twice (P6)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from flowlatch.api import subscribe
from flowlatch.api.backend import Backend
from flowlatch.api.call import until_answered
from flowlatch.api.graphql import GraphQLBackend
from flowlatch.api.http import AnswerLost, Link
from flowlatch.config import Profile, Secret
from flowlatch.errors import ForeignServer, OutcomeUnknown, Unauthorized, Unreachable, VersionConflict
from flowlatch.model.run import FlowId, NewRun, RunId
from flowlatch.model.state import StateDraft
from flowlatch.profile import checked_profile
from tests.support.faults import Answer, Fault, FaultyServer, LoseAnswer, LoseRequest, Pass
from tests.support.server import ServerProcess
from tests.support.wire import Wire

NOT_KNOWN = b'{"errors":[{"message":"it may have been done or not","extensions":{"code":"OUTCOME_UNKNOWN"}}]}'
"""What our own server answers when its database went away in a COMMIT."""
DONE_AND_LOST = [
    Answer(NOT_KNOWN, 503, deliver=True),
    LoseAnswer(),
    LoseAnswer(half=True),
    Answer(b"<h1>Bad Gateway</h1>", 502, "text/html", deliver=True),
    Answer(b"", 504, None, deliver=True),
    Answer(b'{"data": {"set_flow', deliver=True),
    Answer(b"<html>log in", 200, "text/html", deliver=True),
]


async def no_pause(_: float) -> None:
    """Wait for nothing."""


@asynccontextmanager
async def through(server: ServerProcess, **options: Any) -> AsyncIterator[tuple[FaultyServer, GraphQLBackend]]:
    """Yield a proxy before the real server, and a backend connected through it."""
    async with FaultyServer(upstream=server.url) as proxy:
        profile = checked_profile({"name": "t", "url": proxy.url, "poll_s": 1})
        token = Secret(server.token) if server.token else None
        link = Link(profile, proxy.url, token=token, actor="me", sleep=no_pause, **options)
        backend = GraphQLBackend(profile, link, has_auth=True, sleep=no_pause)
        await backend.connect()
        proxy.seen.clear()
        yield proxy, backend
        await backend.aclose()


def lose(proxy: FaultyServer, word: bytes, *faults: Fault) -> None:
    """Let requests that hold `word` meet these faults, one each; others pass."""
    left = list(faults)
    proxy.on_request = lambda body: left.pop(0) if word in body and left else Pass()


@pytest.fixture
def flow(shared_wire: Wire) -> FlowId:
    return FlowId(shared_wire.create_flow(f"lost-{uuid4().hex[:8]}"))


@pytest.fixture
def run_id(shared_wire: Wire, flow: FlowId) -> RunId:
    return RunId(shared_wire.create_run(flow))


MINE = StateDraft(type="Success", message="mine")


@pytest.mark.parametrize("fault", DONE_AND_LOST)
async def test_a_state_that_was_set_is_found_so(
    shared_server: ServerProcess, shared_wire: Wire, run_id: RunId, fault: Fault
) -> None:
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"set_flow_run_state", fault)
        assert await backend.set_state(run_id, 1, MINE) == 2
        assert sum(b"set_flow_run_state" in body for body in proxy.seen) == 1
    assert shared_wire.states(run_id) == ["Scheduled", "Success"]


async def test_a_state_that_was_not_set_is_unknown_and_never_sent_again(
    shared_server: ServerProcess, shared_wire: Wire, run_id: RunId
) -> None:
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"set_flow_run_state", LoseRequest())
        with pytest.raises(OutcomeUnknown, match="not done so far"):
            await backend.set_state(run_id, 1, MINE)
        assert sum(b"set_flow_run_state" in body for body in proxy.seen) == 1
    assert shared_wire.states(run_id) == ["Scheduled"]


async def test_a_lost_conflict_is_found_to_be_one(
    shared_server: ServerProcess, shared_wire: Wire, run_id: RunId
) -> None:
    await asyncio.to_thread(shared_wire.set_state, run_id, 1, "Failed", "theirs")
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"set_flow_run_state", LoseAnswer())
        with pytest.raises(VersionConflict) as caught:
            await backend.set_state(run_id, 1, MINE)
    assert (caught.value.version, caught.value.message) == (2, "theirs")


async def test_when_reading_back_fails_too_the_outcome_is_unknown(
    shared_server: ServerProcess, shared_wire: Wire, run_id: RunId
) -> None:
    async with through(shared_server) as (proxy, backend):
        proxy.on_request = lambda body: LoseAnswer() if b"set_flow_run_state" in body else LoseRequest()
        with pytest.raises(OutcomeUnknown, match="reading it back failed"):
            await backend.set_state(run_id, 1, MINE)
    assert shared_wire.states(run_id) == ["Scheduled", "Success"], "it was done: only nobody could know"


async def test_a_request_that_was_never_sent_is_no_unknown_outcome(server: ServerProcess, wire: Wire) -> None:
    run_id = RunId(wire.create_run(wire.create_flow("f")))
    profile = Profile(name="t", url=server.url)
    link = Link(profile, server.url, token=Secret(server.token or ""))
    backend = GraphQLBackend(profile, link, has_auth=True)
    await backend.connect()
    server.kill()
    with pytest.raises(Unreachable, match="refused"):
        await backend.set_state(run_id, 1, MINE)
    await backend.aclose()


@pytest.mark.parametrize("fault", DONE_AND_LOST)
async def test_a_create_is_repeated_under_its_key_and_makes_one_run(
    shared_server: ServerProcess, shared_wire: Wire, flow: FlowId, fault: Fault
) -> None:
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"create_flow_run", fault, fault)
        created = await backend.create_run(NewRun(flow_id=flow, idempotency_key="k"))
        sent = [body for body in proxy.seen if b"create_flow_run" in body]
    assert len(sent) == 3
    assert len(set(sent)) == 1, "the same request, with the same key"
    rows = shared_wire.data("query($f: uuid!) { flow_run(where: {flow_id: {_eq: $f}}) { id } }", {"f": flow})[
        "flow_run"
    ]
    assert [row["id"] for row in rows] == [created.id]


async def test_a_create_without_a_key_is_sent_once(
    shared_server: ServerProcess, shared_wire: Wire, flow: FlowId
) -> None:
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"create_flow_run", LoseAnswer())
        with pytest.raises(OutcomeUnknown, match="creating a flow run"):
            await backend.create_run(NewRun(flow_id=flow))
        assert sum(b"create_flow_run" in body for body in proxy.seen) == 1


async def test_a_create_that_stays_lost_is_unknown(shared_server: ServerProcess, flow: FlowId) -> None:
    async with through(shared_server) as (proxy, backend):
        proxy.on_request = lambda body: LoseAnswer()
        with pytest.raises(OutcomeUnknown, match="same key is safe"):
            await backend.create_run(NewRun(flow_id=flow, idempotency_key="k"))
        assert len(proxy.seen) == 3


@pytest.mark.parametrize(
    "then", [Answer(b"slow down", 429, "text/plain"), Answer(b"", 401), Answer(b"<html>", 404, "text/html")]
)
async def test_a_lost_create_stays_unknown_when_the_server_is_not_reached_again(
    shared_server: ServerProcess, flow: FlowId, then: Fault
) -> None:
    """The first request made a run: that the second was not sent, or not let in, says nothing of it."""
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"create_flow_run", LoseAnswer(), then, then)
        with pytest.raises(OutcomeUnknown, match=r"was lost.*; then: .*same key is safe"):
            await backend.create_run(NewRun(flow_id=flow, idempotency_key="k"))
        lose(proxy, b"create_flow_run", then, then, then)
        with pytest.raises((Unreachable, Unauthorized, ForeignServer)):
            await backend.create_run(NewRun(flow_id=flow, idempotency_key="k"))


async def test_nothing_is_repeated_for_longer_than_an_operator_waits() -> None:
    now, sent = 0.0, 0

    async def hangs() -> None:
        nonlocal now, sent
        sent += 1
        now += 15.0
        raise AnswerLost("no answer within 15 s")

    with pytest.raises(OutcomeUnknown, match="creating: no answer within 15 s"):
        await until_answered(hangs, "creating", pauses_s=(1.0,) * 9, sleep=no_pause, clock=lambda: now)
    assert sent == 2


async def test_other_changes_are_found_done(shared_server: ServerProcess, run_id: RunId) -> None:
    async with through(shared_server) as (proxy, backend):
        lose(proxy, b"mutation", LoseAnswer())
        await backend.rename_run(run_id, "renamed")
        lose(proxy, b"mutation", LoseAnswer())
        await backend.set_labels(run_id, ["b", "a"])
        lose(proxy, b"mutation", LoseAnswer())
        assert await backend.cancel_run(run_id) == "Cancelled"
        lose(proxy, b"mutation", LoseAnswer())
        assert await backend.delete_run(run_id) is True


async def test_other_changes_that_were_not_done_are_unknown(shared_server: ServerProcess, run_id: RunId) -> None:
    async with through(shared_server) as (proxy, backend):
        changes = (
            backend.rename_run(run_id, "renamed"),
            backend.set_labels(run_id, ["b"]),
            backend.cancel_run(run_id),
            backend.delete_run(run_id),
        )
        for change in changes:
            lose(proxy, b"mutation", LoseRequest())
            with pytest.raises(OutcomeUnknown):
                await change


async def changes_seen(backend: Backend, since: str | None = None) -> AsyncGenerator[str, None]:
    """Yield the ids of runs that changed."""
    async with aclosing(backend.watch(since=since)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for change in batch.changes:
                yield change.id


async def test_without_a_websocket_changes_are_polled(
    shared_server: ServerProcess, shared_wire: Wire, flow: FlowId
) -> None:
    async with through(shared_server) as (proxy, backend):
        proxy.refuse_websockets = True
        async with asyncio.timeout(20), aclosing(backend.watch()) as batches:  # type: ignore[type-var]
            assert (await anext(batches)).changes == []
            made = await asyncio.to_thread(shared_wire.create_run, flow)
            async for batch in batches:
                if made in {change.id for change in batch.changes}:
                    break
        assert any(b"flow_run_changes" in body for body in proxy.seen)


async def test_a_cut_websocket_ends_watching_and_the_cursor_goes_on(
    shared_server: ServerProcess, shared_wire: Wire, flow: FlowId
) -> None:
    async with through(shared_server) as (proxy, backend), asyncio.timeout(20):
        batches = backend.watch()
        cursor = (await anext(batches)).cursor
        assert (await anext(batches)).cursor == cursor, "the first message of the websocket"
        proxy.cut()
        with pytest.raises(Unreachable):
            await anext(batches)
        made = await asyncio.to_thread(shared_wire.create_run, flow)
        async with aclosing(changes_seen(backend, cursor)) as seen:
            async for changed in seen:
                if changed == made:
                    break


async def test_another_token_is_asked_for(server: ServerProcess) -> None:
    profile = Profile(name="t", url=server.url)
    for token in (None, Secret("wrong")):
        backend = GraphQLBackend(profile, Link(profile, server.url, token=token), has_auth=True)
        with pytest.raises(Unauthorized, match="wants a token"):
            await backend.connect()
        await backend.aclose()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>", 200, "text/html"), "not a GraphQL answer"),
        (Answer(b'{"errors": [{"message": "no such field", "extensions": {}}]}', 400), "not for flow runs"),
        (Answer(b'{"data": {"api": {"capabilities": 3}}}'), "unreadable capabilities"),
        (Answer(b'{"data": {"api": {"capabilities": {}}}}'), "unreadable capabilities"),
    ],
)
async def test_a_foreign_server_is_named_so(answer: Answer, words: str) -> None:
    async with FaultyServer() as proxy:
        proxy.otherwise = answer
        profile = Profile(name="t", url=proxy.url)
        backend = GraphQLBackend(profile, Link(profile, proxy.url, sleep=no_pause), has_auth=False)
        with pytest.raises(ForeignServer, match=words):
            await backend.connect()
        await backend.aclose()


async def test_a_ping_is_a_sign_of_life(shared_server: ServerProcess) -> None:
    async with (
        through(shared_server) as (_, backend),
        asyncio.timeout(20),
        aclosing(backend.watch(ids=[])) as batches,  # type: ignore[type-var]
    ):
        first = await anext(batches)
        assert await anext(batches) == first, "the first message of the websocket"
        ping = await anext(batches)
    assert ping == first, "nothing has changed; it only says that the server lives"


async def test_silence_ends_watching(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "SILENCE_S", 0.3)
    async with (
        through(shared_server) as (_, backend),
        asyncio.timeout(20),
        aclosing(backend.watch(ids=[])) as batches,  # type: ignore[type-var]
    ):
        await _pushed(batches)
        with pytest.raises(Unreachable, match="live connection failed"):
            await anext(batches)


async def _pushed(batches: AsyncIterator[Any]) -> None:
    """Read the answer over HTTP, and the first one of the websocket."""
    await anext(batches)
    await anext(batches)


async def _to_the_end(batches: AsyncIterator[Any]) -> None:
    async for _ in batches:
        pass


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGTERM, "the server is stopping"), (signal.SIGKILL, "the server went away")],
    ids=["stopped", "killed"],
)
async def test_the_end_of_a_server_is_named_in_plain_words(server: ServerProcess, number: int, words: str) -> None:
    async with (
        through(server) as (_, backend),
        asyncio.timeout(20),
        aclosing(backend.watch()) as batches,  # type: ignore[type-var]
    ):
        await _pushed(batches)
        os.kill(server.pid, number)
        with pytest.raises(Unreachable, match=words):
            await _to_the_end(batches)


async def test_leaving_a_server_that_hangs_takes_less_than_a_second(server: ServerProcess) -> None:
    async with through(server) as (_, backend):
        batches = backend.watch()
        await _pushed(batches)
        server.pause()
        started = time.monotonic()
        await batches.aclose()  # type: ignore[attr-defined]
        await backend.aclose()
        assert time.monotonic() - started < 1
        server.resume()
