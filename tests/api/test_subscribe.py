"""Live connections that are never acknowledged, or left at a bad moment. Source: reliability.md §2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from flowlatch.api import subscribe
from flowlatch.api.http import Link
from flowlatch.config import Profile, Secret
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

DOCUMENT = "subscription { flow_run_changes { cursor } }"


@asynccontextmanager
async def mute_server() -> AsyncIterator[tuple[str, list[ServerConnection]]]:
    """Yield the URL of a server that opens websockets and stays silent, and those that are open now."""
    open_now: list[ServerConnection] = []

    async def stay_silent(connection: ServerConnection) -> None:
        open_now.append(connection)
        await connection.wait_closed()
        open_now.remove(connection)

    protocol = Subprotocol("graphql-transport-ws")
    async with serve(stay_silent, "127.0.0.1", 0, subprotocols=[protocol], close_timeout=0.2) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}/graphql", open_now


async def first_of(url: str) -> object:
    """Subscribe and wait for the first message."""
    link = Link(Profile(name="mute", url=url), url)
    try:
        return await anext(subscribe.subscribe(link, DOCUMENT, {}))
    finally:
        await link.aclose()


async def test_without_an_acknowledgement_it_polls_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "ACK_S", 0.2)
    async with mute_server() as (url, open_now):
        with pytest.raises(subscribe.NoPush, match="the live connection failed"):
            await first_of(url)
        assert await eventually_async(lambda: not open_now, what="the end of the connection")


async def test_leaving_before_the_acknowledgement_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "ACK_S", 600)  # however long this process has to wait for its turn
    async with mute_server() as (url, open_now):
        waiting = asyncio.create_task(first_of(url))
        await eventually_async(lambda: open_now, what="a connection")
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()
        assert await eventually_async(lambda: not open_now, 3, what="the end of the connection")


@pytest.mark.parametrize("is_told_twice", [False, True], ids=["once", "twice"])
async def test_leaving_at_any_moment_ends_at_once_and_leaves_no_connection(
    is_told_twice: bool, server: ServerProcess, wire: Wire
) -> None:
    token = Secret(server.token or "")
    for after_ms in (0, 2, 4, 6, 8, 10, 14, 20, 40, 80):
        link = Link(Profile(name="brief", url=server.url), server.url, token=token)
        listening = asyncio.create_task(_listen(link))
        await asyncio.wait({listening}, timeout=after_ms / 1000)
        listening.cancel()
        if is_told_twice:
            await asyncio.wait({listening}, timeout=0)
            listening.cancel()
        done, _ = await asyncio.wait({listening}, timeout=5)
        assert done, f"cancelled after {after_ms} ms, and it goes on"
        await link.aclose()
    assert await eventually_async(lambda: b"flowlatch_websockets 0.0" in wire.http.get("/metrics").content)


@pytest.mark.parametrize("moment", ["_after_initialize", "_handle_answer"])
async def test_leaving_in_any_step_after_a_message_leaves_no_connection(
    moment: str, monkeypatch: pytest.MonkeyPatch, server: ServerProcess, wire: Wire
) -> None:
    has_come = asyncio.Event()
    goes_on = getattr(WebsocketsTransport, moment)

    async def tell(*arguments: object) -> None:
        has_come.set()
        await goes_on(*arguments)

    monkeypatch.setattr(WebsocketsTransport, moment, tell)
    for steps in range(30):
        has_come.clear()
        link = Link(Profile(name="brief", url=server.url), server.url, token=Secret(server.token or ""))
        listening = asyncio.create_task(_listen(link))
        await has_come.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        listening.cancel()
        done, _ = await asyncio.wait({listening}, timeout=1)
        assert done, f"cancelled {steps} steps after the message, and it goes on"
        await link.aclose()
    assert await eventually_async(lambda: b"flowlatch_websockets 0.0" in wire.http.get("/metrics").content)


async def _listen(link: Link) -> None:
    async for _ in subscribe.subscribe(link, DOCUMENT, {}):
        pass
