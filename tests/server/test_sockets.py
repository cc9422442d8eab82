"""graphql-transport-ws: who may open a socket, what it may say, what ends it. design.md §9, reliability.md §6."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.server import ServerProcess
from tests.support.sockets import SUBSCRIBE, WAIT_S, Socket, opened
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

MAX_SOCKETS = 256


@pytest.mark.parametrize("path", ["/", "/graphql", "/graphql/"])
async def test_the_token_may_come_in_either_place(shared_server: ServerProcess, path: str) -> None:
    async with opened(shared_server, path) as by_header:
        await by_header.init()
    for key in ("authorization", "Authorization"):
        async with opened(shared_server, path, headers={}) as by_payload:
            await by_payload.init(**{key: f"Bearer {shared_server.token}"})
            assert by_payload.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer x"}, {"authorization": 5}, "text"], ids=repr)
async def test_no_or_a_wrong_token_is_4403(shared_server: ServerProcess, payload: Any) -> None:
    async with opened(shared_server, headers={}) as socket:
        await socket.send(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await socket.closed() == 4403


async def test_a_wrong_token_in_the_header_is_4403_at_once(shared_server: ServerProcess) -> None:
    async with opened(shared_server, headers={"Authorization": "Bearer wrong"}) as socket:
        assert await socket.closed() == 4403


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "nonsense"}], 4400),
        ([{"type": "connection_init"}, {"id": "1"}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "id": "1"}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, []], 4400),
        ([{"type": "connection_init"}, *[{"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIBE}}] * 2], 4409),
        (
            [{"type": "connection_init"}]
            + [{"type": "subscribe", "id": f"{n}", "payload": {"query": SUBSCRIBE}} for n in range(33)],
            4429,
        ),
    ],
)
async def test_close_codes(shared_server: ServerProcess, messages: list[Any], code: int) -> None:
    async with opened(shared_server) as socket:
        for message in messages:
            await socket.connection.send(json.dumps(message))
        assert await socket.closed() == code


@pytest.mark.parametrize("frame", ["{", "", b"\xff\xfe", "[" * 100_000, "null", '"x"', "5"], ids=repr)
async def test_frames_that_are_no_messages_close_the_socket(shared_server: ServerProcess, frame: str | bytes) -> None:
    async with opened(shared_server) as socket:
        await socket.init()
        await socket.connection.send(frame)
        assert await socket.closed() in (4400, 1007)


async def test_what_the_server_waits_for_it_waits_five_seconds_for(
    shared_server: ServerProcess, wire: Wire, flow_id: str
) -> None:
    """All at once: one says no hello, one says nothing, one is told things without a word of its own."""

    async def says_no_hello() -> None:
        async with opened(shared_server) as socket:
            assert await socket.closed() == 4408

    async def is_silent() -> None:
        async with opened(shared_server) as socket:
            await socket.init()
            assert json.loads(await asyncio.wait_for(socket.connection.recv(), WAIT_S)) == {"type": "ping"}
            await socket.send(type="pong")
            await socket.send(type="ping", payload={"x": 1})
            assert (await socket.get())["type"] == "pong"

    async def only_listens() -> None:
        async with opened(shared_server) as socket:
            await socket.init()
            await socket.subscribe()
            await socket.changes()
            async with asyncio.timeout(2 * WAIT_S):
                while not socket.pings:
                    await asyncio.to_thread(wire.create_run, flow_id)
                    await socket.changes()
            assert socket.pings == 1

    await asyncio.gather(says_no_hello(), is_silent(), only_listens())


async def test_more_sockets_than_the_server_takes_are_told_to_come_later(
    start_server: Callable[..., ServerProcess],
) -> None:
    server = start_server()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(server)) for _ in range(MAX_SOCKETS)]
        async with opened(server) as one_more:
            assert await one_more.closed() == 1013
        await sockets[0].init()
        await sockets[0].subscribe()
        assert (await sockets[0].changes())["changes"] == []


async def test_queries_and_mutations_are_answered_too(socket: Socket, flow_id: str) -> None:
    await socket.subscribe("q", "query { hello }")
    assert (await socket.get())["payload"]["data"]["hello"]
    assert await socket.get() == {"type": "complete", "id": "q"}
    await socket.subscribe("m", f'mutation {{ createFlowRun(input: {{flowId: "{flow_id}"}}) {{ id }} }}')
    assert (await socket.get())["payload"]["data"]["createFlowRun"]["id"]
    assert await socket.get() == {"type": "complete", "id": "m"}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { a: flow_run_changes { cursor } b: flow_run_changes { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { flow_run_changes(since: "x") { cursor } }', "BAD_USER_INPUT"),
        ('subscription { flow_run_changes(ids: ["x"]) { cursor } }', "BAD_USER_INPUT"),
        ("subscription { flow_run_changes @skip(if: true) { cursor } }", None),
    ],
)
async def test_subscriptions_that_cannot_be(socket: Socket, document: str, code: str | None) -> None:
    await socket.subscribe("bad", document)
    message = await socket.get()
    assert (message["type"], message["id"]) == ("error", "bad")
    if code is not None:
        assert message["payload"][0]["extensions"]["code"] == code
    await socket.subscribe("bad")  # the name is free again
    assert (await socket.changes("bad"))["changes"] == []


async def test_complete_ends_one_subscription_and_frees_its_name(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe("a")
    await socket.changes("a")
    await socket.send(type="complete", id="a")
    await socket.send(type="complete", id="unknown")
    await socket.subscribe("b")
    await socket.changes("b")
    run_id = await asyncio.to_thread(wire.create_run, flow_id)
    assert (await socket.changes("b"))["changes"][0]["id"] == run_id
    await socket.subscribe("a")
    await socket.changes("a")


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({"Origin": "http://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({}, {"subprotocols": ["graphql-ws"]}, 400),
        ({}, {"subprotocols": None}, 400),
        ({}, {"path": "/elsewhere"}, 404),
    ],
)
async def test_foreign_sockets_are_refused_before_they_open(
    shared_server: ServerProcess, headers: dict[str, str], options: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with opened(shared_server, headers={**shared_server.headers, **headers}, **options):
            raise AssertionError("it opened")
    assert caught.value.response.status_code == status
    assert json.loads(caught.value.response.body or b"{}")["errors"]


async def test_a_foreign_host_cannot_open_a_socket(shared_server: ServerProcess) -> None:
    url = f"ws://evil.example:{shared_server.port}/graphql"
    options: dict[str, Any] = {"subprotocols": ["graphql-transport-ws"], "host": "127.0.0.1", "proxy": None}
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, additional_headers=shared_server.headers, **options):
            raise AssertionError("it opened")
    assert caught.value.response.status_code == 400


async def test_sockets_close_when_the_server_stops(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    async with opened(server) as socket:
        await socket.init()
        await socket.subscribe()
        await socket.changes()
        stopped = asyncio.create_task(asyncio.to_thread(server.stop))
        assert await socket.closed() in (1001, 1012)
        assert await stopped == 0


async def test_left_sockets_are_forgotten(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    wire = server.wire()
    for _ in range(3):
        async with opened(server) as socket:
            await socket.init()
            await socket.subscribe()
            await socket.changes()
            assert b"flowlatch_subscriptions 1.0" in wire.http.get("/metrics").content
        socket.connection.transport.abort()
        await eventually_async(lambda: b"flowlatch_subscriptions 0.0" in wire.http.get("/metrics").content)
        assert b"flowlatch_websockets 0.0" in wire.http.get("/metrics").content
