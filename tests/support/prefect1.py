"""A stand-in for the open Prefect 1 server, which cannot be had: our real server behind a wrapper that takes away what
that one does not have. Test-only. Differences (contract.md §5 "Open source"): a version is taken and never compared;
no camelCase mutations, no subscription, no `api.capabilities`, no `actor`, no `idempotency`, no word about a replayed
key. Keys without expiry: start the server behind it with a very long window.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, Visitor, parse, visit

from tests.support.wire import NO_AUTHORITY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UNKNOWN_FIELDS = frozenset({"capabilities", "actor", "idempotency", "flow_run_changes"})
_STATES = "mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id } } }"


class _Fields(Visitor):
    """Finds what a Prefect 1 server would call an unknown field."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown = ""
        self.roots: list[FieldNode] = []

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        if node.operation is OperationType.MUTATION:
            self.roots = [field for field in node.selection_set.selections if isinstance(field, FieldNode)]
            camel = [field.name.value for field in self.roots if field.name.value.lower() != field.name.value]
            self.unknown = self.unknown or next(iter(camel), "")

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        if node.name.value in UNKNOWN_FIELDS:
            self.unknown = self.unknown or node.name.value
        if node.name.value == "set_flow_run_state" and node.selection_set:
            names = [field.name.value for field in node.selection_set.selections if isinstance(field, FieldNode)]
            self.unknown = self.unknown or ("version" if "version" in names else "")


def unknown_field(document: str) -> str:
    """Return the first field of a document that a Prefect 1 server does not have; empty when it has all of them."""
    fields = _Fields()
    visit(parse(document), fields)
    return fields.unknown


class Prefect1StandIn:
    """An ASGI application that answers as a Prefect 1 server, out of one of ours at `url`.

    `before_change` is awaited between taking a state change and writing it: the gap that server leaves open.
    """

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False, verify=NO_AUTHORITY)
        self.before_change: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] == "http":
            status, body = await self._answer(await _body(receive))
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        fields = _Fields()
        try:
            visit(parse(request["query"]), fields)
        except GraphQLError as error:
            return _refused(str(error), "GRAPHQL_PARSE_FAILED")
        if fields.unknown:
            return _refused(f'Cannot query field "{fields.unknown}".', "GRAPHQL_VALIDATION_FAILED")
        is_state = [field.name.value for field in fields.roots] == ["set_flow_run_state"]
        if is_state:
            given = request["variables"]["input"]
            entry = {"flow_run_id": given["flow_run_id"], "state": given["state"], "version": None}
            request = {"query": _STATES, "variables": {"input": {"states": [entry]}}}
            if self.before_change:
                await self.before_change()
        answer = await self._http.post("/graphql", json=request)
        content = answer.json()
        content.pop("extensions", None)
        if is_state and content.get("data", {}).get("set_flow_run_states"):
            content["data"] = {"set_flow_run_state": content["data"]["set_flow_run_states"]["states"][0]}
        return answer.status_code, json.dumps(content).encode()

    async def aclose(self) -> None:
        """Close the connection to the real server."""
        await self._http.aclose()


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _refused(message: str, code: str) -> tuple[int, bytes]:
    return 400, json.dumps({"errors": [{"message": message, "extensions": {"code": code}}]}).encode()


@asynccontextmanager
async def prefect1_server(url: str, token: str | None) -> AsyncIterator[tuple[str, Prefect1StandIn]]:
    """Run the stand-in on a free port in front of our server at `url`; yields its URL and the application."""
    app = Prefect1StandIn(url, token)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.wait({task}, timeout=0.02)
            assert not task.done(), "the stand-in did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app
    finally:
        server.should_exit = True
        await task
        await app.aclose()
