"""A GraphQL subscription over graphql-transport-ws, by gql's websocket transport (imported late: 0.2 s)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping
from importlib import import_module
from typing import Any

from flowlatch.api.call import error_of
from flowlatch.api.http import CONNECT_S, MAX_ANSWER_BYTES, Link, reason_of
from flowlatch.errors import BackendError, Unauthorized, Unreachable

ACK_S = 5.0
SILENCE_S = 15.0
"""The server pings when it has been silent for 5 s; after three missed ones the connection counts as dead."""
CLOSE_S = 0.5
"""How long a server may take to say goodbye."""
_TOO_LARGE, _UNAUTHORIZED = 1009, (4401, 4403)
_CLOSED = {
    1001: "the server is stopping",
    1012: "the server is restarting",
    1013: "the server has as many live connections as it takes",
}
"""Close code → what it means to an operator."""

for _name in ("gql", "websockets"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class NoPush(Unreachable):
    """The websocket could not be opened, though the server may answer over HTTP: poll instead."""


class MessageTooLarge(Unreachable):
    """The server wanted to push more than 16 MB at once; the connection is closed."""


async def subscribe(
    link: Link, document: str, variables: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield the `data` of each message, and None for each ping of the server: a sign of life.

    Raises `NoPush` before the first message, `Unreachable` when the connection is lost or silent for 15 s,
    `MessageTooLarge`, and the errors of `call.error_of`.
    """
    for module in ("gql.transport.websockets", "flowlatch.values"):  # each 0.1 s in which a key would wait
        await asyncio.to_thread(import_module, module)  # the second one is for the first form
    from gql import gql
    from gql.transport.websockets import WebsocketsTransport

    transport = WebsocketsTransport(
        url="ws" + link.url.removeprefix("http"),
        headers=link.headers(),
        ssl=link.ssl_context or False,
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        connect_timeout=CONNECT_S,
        ack_timeout=ACK_S,
        close_timeout=3 * CLOSE_S,
        connect_args={
            "max_size": MAX_ANSWER_BYTES,
            "close_timeout": CLOSE_S,
            "proxy": link.proxy.url if link.proxy else None,
        },
    )
    await _open(transport, link)
    request = gql(document)
    request.variable_values = dict(variables)
    messages = transport.subscribe(request)
    waiting: set[asyncio.Task[Any]] = set()
    try:
        answer = asyncio.create_task(_next(messages))
        ping = asyncio.create_task(transport.ping_received.wait())
        waiting = {answer, ping}
        while True:
            # not gql's own watch over the silence: told to end in the step of a message it goes on, and so does a close
            done, _ = await asyncio.wait(waiting, timeout=SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise Unreachable(f"{link.where}: the live connection failed (silent for {SILENCE_S:g} s)")
            waiting -= done
            if ping in done:
                transport.ping_received.clear()
                ping = asyncio.create_task(transport.ping_received.wait())
                waiting.add(ping)
            if answer in done:
                data = _data(answer, link)
                answer = asyncio.create_task(_next(messages))
                waiting.add(answer)
                yield data
            else:
                yield None
    finally:
        await _surely(_leave(transport, messages, waiting))


async def _leave(transport: Any, messages: Any, waiting: set[asyncio.Task[Any]]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await messages.aclose()
    await transport.close()


async def _abandon(transport: Any) -> None:
    if transport.adapter.websocket is not None:
        await transport.close()
        await transport.adapter.close()  # which the transport does not, where it was told of the connection too late


async def _surely(closing: Coroutine[Any, Any, None]) -> None:
    """Close, also when whoever leaves is told to leave once more meanwhile: else the connection stays open."""
    task = asyncio.create_task(closing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=3 * CLOSE_S)
        raise


async def _open(transport: Any, link: Link) -> None:
    from gql.transport.exceptions import TransportError

    me = asyncio.current_task()
    try:
        await transport.connect()
        if me is not None and me.cancelling():  # before Python 3.12 a wait that ends at that moment swallows it
            raise asyncio.CancelledError
    except asyncio.CancelledError:  # left while the server had not said hello yet: the socket is open already
        await _surely(_abandon(transport))
        raise
    except (TransportError, TimeoutError, OSError) as error:
        await transport.close()
        raise _lost(error, link, NoPush) from error


async def _next(messages: Any) -> Any:
    """Return the next result; None when the server has completed the subscription."""
    return await anext(messages, None)


def _data(answer: asyncio.Task[Any], link: Link) -> dict[str, Any]:
    from gql.transport.exceptions import TransportError, TransportQueryError

    try:
        result = answer.result()
    except TransportQueryError as error:
        raise error_of(error.errors or [{"message": "the subscription was refused"}]) from error
    except TransportError as error:
        raise _lost(error, link, Unreachable) from error
    if result is None:
        raise Unreachable(f"{link.where}: the server ended the live connection")
    if result.errors:
        raise error_of(list(result.errors))
    return result.data if isinstance(result.data, dict) else {}


def _lost(error: BaseException, link: Link, kind: type[Unreachable]) -> BackendError:
    """Return our error for a connection that failed: by the close code where there is one."""
    where = link.where
    why = f"the live connection failed ({reason_of(error.__cause__ or error)})"
    cause: BaseException | None = error
    while cause is not None:
        received = getattr(cause, "rcvd", None) or getattr(cause, "sent", None)
        code = getattr(received, "code", None)
        if code in _UNAUTHORIZED:
            return Unauthorized("the server wants a token, or another one")
        if code == _TOO_LARGE:
            return MessageTooLarge(f"{where}: more than {MAX_ANSWER_BYTES // 2**20} MB of changes at once")
        if code in _CLOSED:
            why = _CLOSED[code]
        elif hasattr(cause, "rcvd") and received is None:
            why = "the server went away"
        cause = cause.__cause__
    return kind(f"{where}: {why}")
