"""A websocket of the live changes seen from the client's side, message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import ServerProcess

WAIT_S = 8.0
SUBSCRIBE = """subscription($since: String, $ids: [uuid!]) { flow_run_changes(since: $since, ids: $ids) {
  cursor resync changes { id kind flow_run { id version state } } } }"""


class Socket:
    """A websocket seen from the client's side; pings are answered and not shown."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pings = 0

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def get(self) -> Any:
        """Return the next message that is no ping."""
        while True:
            message = json.loads(await asyncio.wait_for(self.connection.recv(), WAIT_S))
            if message["type"] != "ping":
                return message
            self.pings += 1
            await self.send(type="pong")

    async def init(self, **payload: Any) -> None:
        """Do the handshake of the protocol."""
        await self.send(type="connection_init", **({"payload": payload} if payload else {}))
        assert await self.get() == {"type": "connection_ack"}

    async def subscribe(self, name: str = "1", document: str = SUBSCRIBE, **variables: Any) -> None:
        """Start an operation."""
        await self.send(type="subscribe", id=name, payload={"query": document, "variables": variables})

    async def changes(self, name: str = "1") -> Any:
        """Return `flow_run_changes` of the next message, which must be one of that subscription."""
        message = await self.get()
        assert (message["type"], message["id"]) == ("next", name), message
        return message["payload"]["data"]["flow_run_changes"]

    async def closed(self) -> int:
        """Return the code the server closes with."""
        try:
            while True:
                await asyncio.wait_for(self.connection.recv(), WAIT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 0


@asynccontextmanager
async def opened(
    server: ServerProcess, path: str = "/graphql", headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """Open a websocket; it carries the token unless other headers are given."""
    sent = server.headers if headers is None else headers
    protocols = options.pop("subprotocols", ["graphql-transport-ws"])
    url = f"ws://127.0.0.1:{server.port}{path}"
    async with connect(url, additional_headers=sent, subprotocols=protocols, proxy=None, **options) as connection:
        yield Socket(connection)
