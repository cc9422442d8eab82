"""graphql-transport-ws: one websocket, many subscriptions. Source: design.md §9, reliability.md §6.

Protocol: connection_init → connection_ack, subscribe → next …, complete; close codes are those of the protocol.
Queries and mutations may be sent the same way. Every loop here ends with its socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
from graphql import OperationType

from flowlatch.server.answers import Answer, Refused, error_object, refusal_object
from flowlatch.server.auth import Gate
from flowlatch.server.body import Body, body_of
from flowlatch.server.changes import LIMIT, cursor_seq, later
from flowlatch.server.documents import DocumentRefused
from flowlatch.server.execute import Asked, execute, prepare
from flowlatch.server.faults import Fault, last_resort
from flowlatch.server.feed import Feed, Question, message, question_of
from flowlatch.server.origin import origin_of
from flowlatch.server.schema import schema
from flowlatch.server.service import Service
from flowlatch.store.base import Refusal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOCOL = "graphql-transport-ws"
INIT_S = 5.0
SILENCE_S = 5.0
"""Silent for so long, the server pings."""
DEAD_S = 60.0
"""A socket that sent nothing for so long, not even a pong, is closed."""
MAX_SOCKETS = 256
MAX_SUBSCRIPTIONS = 32

GOING_AWAY, TRY_LATER = 1001, 1013
BAD_MESSAGE, NOT_INITIALISED, FORBIDDEN, INIT_TIMEOUT, ID_TAKEN, TOO_MANY = 4400, 4401, 4403, 4408, 4409, 4429


class Ended(Exception):
    """The socket is to be closed with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


async def refuse_socket(answer: Answer, receive: Receive, send: Send) -> None:
    """Refuse a websocket before it is open, with an ordinary HTTP answer."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def serve_socket(
    service: Service, feed: Feed, headers: Mapping[str, str], gate: Gate, receive: Receive, send: Send
) -> None:
    """Serve one websocket until either side ends it."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
    socket = Socket(service, feed, headers, gate, receive, send)
    feed.sockets += 1
    try:
        if feed.sockets > MAX_SOCKETS:
            raise Ended(TRY_LATER, "too many websockets")
        await socket.run()
    except Ended as ended:
        with contextlib.suppress(OSError):
            await send({"type": "websocket.close", "code": ended.code, "reason": str(ended)})
    except OSError:
        pass  # the client went away while something was sent to it
    finally:
        feed.sockets -= 1


class Socket:
    """One open websocket."""

    def __init__(
        self, service: Service, feed: Feed, headers: Mapping[str, str], gate: Gate, receive: Receive, send: Send
    ) -> None:
        self._service = service
        self._feed = feed
        self._headers = headers
        self._gate = gate
        self._receive = receive
        self._raw_send = send
        self._token_name: str | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        now = asyncio.get_running_loop().time()
        self._sent_at = self._heard_at = now

    async def run(self) -> None:
        """Speak the protocol. Raises `Ended` with the reason why the socket is to be closed."""
        helpers = [asyncio.create_task(work) for work in (self._talk(), self._watch(), self._feed.closing.wait())]
        try:
            done, _ = await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
            for helper in done:
                helper.result()
            if self._feed.closing.is_set():
                raise Ended(GOING_AWAY, "the server is stopping")
        finally:
            tasks = [*helpers, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ---- messages ------------------------------------------------------------------------------------------------

    async def _talk(self) -> None:
        await self._initialise()
        while (told := await self._next()) is not None:
            match told.get("type"):
                case "ping":
                    await self._send("pong")
                case "pong":
                    pass
                case "subscribe":
                    self._subscribe(_text(told, "id"), told.get("payload"))
                case "complete":
                    task = self._running.pop(_text(told, "id"), None)
                    if task is not None:
                        task.cancel()
                case "connection_init":
                    raise Ended(TOO_MANY, "Too many initialisation requests")
                case _:
                    raise Ended(BAD_MESSAGE, "unknown message type")

    async def _initialise(self) -> None:
        """Wait for `connection_init` and check the token. The one of the handshake counts if there was one."""
        header = self._headers.get("authorization")
        if header is not None:
            self._check_token(header)
        try:
            async with asyncio.timeout(INIT_S):
                told = await self._next()
                while told is not None and told.get("type") in ("ping", "pong"):
                    told = await self._next()
        except TimeoutError:
            raise Ended(INIT_TIMEOUT, "Connection initialisation timeout") from None
        if told is None:
            raise Ended(1000, "")
        if told.get("type") != "connection_init":
            raise Ended(NOT_INITIALISED, "Unauthorized")
        if header is None:
            payload = told.get("payload")
            given = payload.get("authorization", payload.get("Authorization")) if isinstance(payload, dict) else None
            self._check_token(given if isinstance(given, str) else None)
        await self._send("connection_ack")

    def _check_token(self, authorization: str | None) -> None:
        try:
            self._token_name = self._gate.check_token(authorization)
        except Refused:
            raise Ended(FORBIDDEN, "Forbidden") from None

    async def _next(self) -> dict[str, Any] | None:
        """Return the next message of the client; None when it has gone."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            return None
        self._heard_at = asyncio.get_running_loop().time()
        try:
            told = orjson.loads(event.get("text") or event.get("bytes") or b"")
        except ValueError:
            raise Ended(BAD_MESSAGE, "a message must be JSON") from None
        if not isinstance(told, dict):
            raise Ended(BAD_MESSAGE, "a message must be a JSON object")
        return told

    async def _send(self, kind: str, operation_id: str | None = None, payload: str | None = None) -> None:
        """Send one message; `payload` is JSON."""
        self._sent_at = asyncio.get_running_loop().time()
        named = "" if operation_id is None else f',"id":{orjson.dumps(operation_id).decode()}'
        carried = "" if payload is None else f',"payload":{payload}'
        await self._raw_send({"type": "websocket.send", "text": f'{{"type":"{kind}"{named}{carried}}}'})

    async def _watch(self) -> None:
        """Ping a connection on which either side was silent; end one whose client has gone silent for long.

        A busy feed is no reason not to ask: a client that is only told things has nothing else to answer.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        while True:
            now = loop.time()
            if now - self._heard_at > DEAD_S:
                raise Ended(1000, "no sign of life")
            due_at = min(self._sent_at, max(self._heard_at, asked_at)) + SILENCE_S
            if now >= due_at:
                asked_at = now
                await self._send("ping")
            else:
                await asyncio.sleep(max(due_at - now, 0.1))

    # ---- operations ----------------------------------------------------------------------------------------------

    def _subscribe(self, operation_id: str, payload: Any) -> None:
        if operation_id in self._running:
            raise Ended(ID_TAKEN, "Subscriber for this id already exists")
        if len(self._running) >= MAX_SUBSCRIPTIONS:
            raise Ended(TOO_MANY, f"at most {MAX_SUBSCRIPTIONS} subscriptions for one websocket")
        if not isinstance(payload, dict):
            raise Ended(BAD_MESSAGE, "subscribe wants a payload")
        self._running[operation_id] = asyncio.create_task(self._operate(operation_id, payload))

    async def _operate(self, operation_id: str, payload: dict[str, Any]) -> None:
        """Run one operation to its end and tell it: `complete`, or `error` for one that cannot be run."""
        try:
            with last_resort(self._service, "an operation of a websocket"):
                await self._run(operation_id, body_of(payload))
            await self._send("complete", operation_id)
        except (Refused, Refusal, DocumentRefused, Fault) as problem:
            await self._send("error", operation_id, orjson.dumps(_errors(problem)).decode())
        except OSError:
            pass  # the client went away: the socket ends by itself
        finally:
            if self._running.get(operation_id) is asyncio.current_task():
                del self._running[operation_id]

    async def _run(self, operation_id: str, body: Body) -> None:
        asked = prepare(body.query, body.variables, body.operation_name)
        if asked.operation.operation is OperationType.SUBSCRIPTION:
            await self._follow(operation_id, asked, body.query)
        else:
            answer = await execute(self._service, asked, origin_of(self._headers, self._token_name))
            await self._send("next", operation_id, answer.body.decode())

    async def _follow(self, operation_id: str, asked: Asked, query: str) -> None:
        """Tell what was missed since the cursor, then what comes, until the client has had enough."""
        question = question_of(asked, query)
        follower = self._feed.join(question)
        try:
            reached = await self._catch_up(operation_id, asked, question)
            while (news := await follower.get()) is not None:
                if news.seq > reached or news.is_resync:
                    await self._send("next", operation_id, news.payload)
        finally:
            self._feed.leave(question, follower)

    async def _catch_up(self, operation_id: str, asked: Asked, question: Question) -> int:
        """Send the first message, and more while there is more to catch up with; return the place reached."""
        subscription = schema().subscription_type
        assert subscription is not None
        cursor = asked.request.arguments(subscription, question.field).get("since")
        seq = None if cursor is None else cursor_seq(self._service, cursor)
        while True:
            found = None if seq is None else await later(self._service, seq, question.ids)
            if found is None:
                seq = await self._service.store.last_seq()
                told = await message(self._service, question, seq, [], resync=cursor is not None)
                await self._send("next", operation_id, told.payload)
                return seq
            seq, changed = found
            told = await message(self._service, question, seq, changed)
            await self._send("next", operation_id, told.payload)
            if len(changed) < LIMIT:
                return seq


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise Ended(BAD_MESSAGE, f"{name} must be text")
    return value


def _errors(problem: Refused | Refusal | DocumentRefused | Fault) -> list[dict[str, Any]]:
    if isinstance(problem, DocumentRefused):
        return problem.errors
    if isinstance(problem, Refusal):
        return [refusal_object(problem, ["flow_run_changes"])]
    return [error_object(str(problem), problem.code)]
