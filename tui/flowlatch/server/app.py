"""The HTTP face: which path answers what, in which form. Bare ASGI: three paths need no framework.

Source: contract.md §1, reliability.md §3 and §6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import chain
from typing import Any

import orjson

from flowlatch.server.answers import Answer, Refused, failed, refused
from flowlatch.server.auth import Gate
from flowlatch.server.body import MAX_BODY, read_body
from flowlatch.server.compression import compressed, is_wanted
from flowlatch.server.connection import ANSWER, BODY
from flowlatch.server.documents import DocumentRefused
from flowlatch.server.execute import execute, prepare
from flowlatch.server.faults import Fault, last_resort
from flowlatch.server.feed import Feed
from flowlatch.server.metrics import Metrics
from flowlatch.server.origin import origin_of, read_headers
from flowlatch.server.service import Service
from flowlatch.server.subscriptions import PROTOCOL, refuse_socket, serve_socket
from flowlatch.version import __version__

GRAPHQL_PATHS = ("/", "/graphql", "/graphql/")
MAX_HEADERS = 16 * 1024
MAX_AT_WORK = 64
BODY_S = 30.0
COMPRESSED = ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
CLOSE = ((b"connection", b"close"),)
MAX_DRAINED = 4 * MAX_BODY
"""A body a little too large is read to its end and thrown away, or its sender would see a reset and no answer."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[str, str]


class App:
    """The ASGI application in front of one service."""

    def __init__(self, service: Service, gate: Gate, *, compress: bool = False) -> None:
        """`compress`: answers leave this machine, so those of clients that understand it are compressed."""
        self.service = service
        self._compress = compress
        self.gate = gate
        self.feed = Feed(service)
        self.metrics = Metrics(service, self.feed)
        self.open = 0
        """Requests at work and websockets open: a server that ends when idle looks at it."""
        self.last_activity = asyncio.get_running_loop().time()
        self._at_work = asyncio.Semaphore(MAX_AT_WORK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one websocket."""
        if scope["type"] not in ("http", "websocket"):
            return
        self.open += 1
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send)
            else:
                await self._socket(scope, receive, send)
        finally:
            self.open -= 1
            self.last_activity = asyncio.get_running_loop().time()

    # ---- HTTP ----------------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = read_headers(scope["headers"])
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            answer = await self._answer(scope, headers, receive)
        except Refused as problem:
            status = 200 if problem.status == 401 and scope["path"] in GRAPHQL_PATHS else problem.status
            answer, extra = refused_answer(problem, status), problem.headers
        if self._compress and is_wanted(headers):
            body = await compressed(answer.body)
            if body is not answer.body:
                answer, extra = Answer(answer.status, body), (*extra, *COMPRESSED)
        await _reply(scope.get(ANSWER), send, answer, extra, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        if sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEADERS:
            raise Refused(431, "LIMIT", f"headers may have at most {MAX_HEADERS} bytes")
        self.gate.check_place(headers)
        path, method = scope["path"], scope["method"]
        if path in GRAPHQL_PATHS:
            if method != "POST":
                raise Refused(405, "METHOD_NOT_ALLOWED", "GraphQL is asked by POST", [(b"allow", b"POST")])
            return await self._graphql(headers, scope.get(BODY), receive)
        if path not in ("/health", "/.well-known/apollo/server-health", "/metrics"):
            raise Refused(404, "NOT_FOUND", "nothing is here; GraphQL is at /graphql")
        if method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "this is read by GET", [(b"allow", b"GET, HEAD")])
        if path == "/health":
            return Answer(200, orjson.dumps({"status": "ok", "version": __version__}))
        if path == "/metrics":
            self.gate.check_token(headers.get("authorization"))
            return Answer(200, self.metrics.text())
        return Answer(200, orjson.dumps({"status": "pass"}))

    async def _graphql(self, headers: Headers, whole: Callable[[], bytes | None] | None, receive: Receive) -> Answer:
        self.gate.check_form(headers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "BAD_REQUEST", "the body must not be compressed")
        raw = whole() if whole is not None else None
        if raw is None or len(raw) > MAX_BODY:
            raw = await _body_in_time(headers, receive)
        name = self.gate.check_token(headers.get("authorization"))
        body = read_body(raw)
        async with self._at_work:
            began = self.metrics.began()
            try:
                with last_resort(self.service, "a request"):
                    asked = prepare(body.query, body.variables, body.operation_name)
                    return await execute(self.service, asked, origin_of(headers, name))
            except DocumentRefused as problem:
                return failed(400, problem.errors)
            except Fault as fault:
                return refused(200, fault.code, str(fault))
            finally:
                self.metrics.ended(began)

    # ---- websocket -----------------------------------------------------------------------------------------------

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = read_headers(scope["headers"])
        try:
            self.gate.check_place(headers)
            if scope["path"] not in GRAPHQL_PATHS:
                raise Refused(404, "NOT_FOUND", "nothing is here; GraphQL is at /graphql")
            if PROTOCOL not in scope.get("subprotocols", ()):
                raise Refused(400, "BAD_REQUEST", "the websocket protocol is graphql-transport-ws")
        except Refused as problem:
            await refuse_socket(refused_answer(problem, problem.status), receive, send)
            return
        await serve_socket(self.service, self.feed, headers, self.gate, receive, send)


def refused_answer(problem: Refused, status: int) -> Answer:
    """Return the answer for a request refused before GraphQL."""
    if problem.code == "UNAUTHENTICATED":
        error = {"message": str(problem), "path": [], "extensions": {"code": problem.code}}
        return Answer(status, orjson.dumps({"errors": [error], "data": None}))
    return refused(status, problem.code, str(problem))


async def _body_in_time(headers: Headers, receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await _body(headers, receive)
    except TimeoutError:
        raise Refused(400, "BAD_REQUEST", f"the body did not arrive within {BODY_S:g} s", CLOSE) from None


async def _body(headers: Headers, receive: Receive) -> bytes:
    """Return the request's body. Raises `Refused` 413 for one that is too large; none of it is kept."""
    too_large = Refused(413, "LIMIT", f"a body may have at most {MAX_BODY} bytes", CLOSE)
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_DRAINED:
        raise too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "BAD_REQUEST", "the client went away")
        size += len(message.get("body", b""))
        if size > MAX_DRAINED:
            raise too_large
        if size <= MAX_BODY:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
        if not message.get("more_body"):
            if size > MAX_BODY:
                raise too_large
            return b"".join(parts)


async def _reply(write: Any, send: Send, answer: Answer, extra: tuple[tuple[bytes, bytes], ...], *, head: bool) -> None:
    """Send an answer, at once by `write` where the connection has that (`connection.ANSWER`)."""
    is_text = answer.body[:1] not in (b"{", b"[", b"\x1f")
    kind = b"text/plain; version=0.0.4; charset=utf-8" if is_text else b"application/json"
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        *extra,
    ]
    if write is not None and write(answer.status, headers, b"" if head else answer.body):
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
