"""A server that misbehaves as scripted, alone or as a proxy before a real one (reliability.md §2, P6).

Each HTTP request takes the next fault of the script; when the script is empty it is passed on (or answered 404 when
there is no real server behind). Websocket upgrades are passed on, or refused while `refuse_websockets` is set. With
`tls` it speaks TLS to its clients, as the proxies do that operators put in front.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.relay import Listener, join


@dataclass(frozen=True)
class Pass:
    """Hand the request to the real server and its answer back."""


@dataclass(frozen=True)
class LoseAnswer:
    """Let the real server answer, which means it has committed, then cut the connection. `half` sends half of it."""

    half: bool = False


@dataclass(frozen=True)
class LoseRequest:
    """Read the request, tell nobody, cut the connection."""


@dataclass(frozen=True)
class Hang:
    """Read the request and never answer."""


@dataclass(frozen=True)
class Answer:
    """Answer this. `drip_s` is the pause after each byte of the body; `deliver` hands the request on first.

    The connection ends with the answer, unless its header `Connection` says `keep-alive`.
    """

    body: bytes
    status: int = 200
    content_type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    deliver: bool = False
    length: int | None = None
    """`Content-Length` when it shall lie; the body ends the connection then."""


Fault = Pass | LoseAnswer | LoseRequest | Hang | Answer


class FaultyServer(Listener):
    """Listens on loopback while its `async with` block lasts; `seen` and `heads` hold what was requested."""

    def __init__(self, *script: Fault, upstream: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.script = list(script)
        self.otherwise: Fault | None = None
        """What every request gets once the script is empty; None = passed on."""
        self.refuse_websockets = False
        self.on_request: Callable[[bytes], Fault | None] = lambda body: None
        """May choose the fault by the request's body, before the script."""
        self.seen: list[bytes] = []
        self.heads: list[str] = []
        parts = urlsplit(upstream or "")
        self._upstream = (parts.hostname or "", parts.port or 80) if upstream else None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request after the other."""
        while await self._one(reader, writer):
            pass

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; True when the connection may carry another one."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if "upgrade: websocket" in head.lower():
            await self._websocket(head, reader, writer)
            return False
        body = await reader.readexactly(_length(head))
        self.heads.append(head)
        self.seen.append(body)
        fault = self.on_request(body) or (self.script.pop(0) if self.script else self.otherwise) or Pass()
        match fault:
            case Hang():
                await asyncio.Event().wait()
            case LoseAnswer(half):
                answer = await self._delivered(head, body)
                if half:
                    writer.write(answer[: len(answer) // 2])
                    await writer.drain()
            case Answer():
                if fault.deliver:
                    await self._delivered(head, body)
                return await _answer(writer, fault)
            case Pass():
                writer.write(await self._delivered(head, body))
                await writer.drain()
        return False

    async def _delivered(self, head: str, body: bytes) -> bytes:
        """Send a request to the real server and return its whole answer."""
        if self._upstream is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(self._for_upstream(head, "close") + body)
            return await reader.read()
        finally:
            writer.transport.abort()

    def _for_upstream(self, head: str, connection: str) -> bytes:
        assert self._upstream is not None
        kept = [line for line in head.strip().split("\r\n") if not line.lower().startswith(("host:", "connection:"))]
        host, port = self._upstream
        return "\r\n".join([*kept, f"Host: {host}:{port}", f"Connection: {connection}", "", ""]).encode("latin-1")

    async def _websocket(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse_websockets or self._upstream is None:
            writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        there = await asyncio.open_connection(*self._upstream)
        there[1].write(self._for_upstream(head, "Upgrade"))
        await join((reader, writer), there)


async def _answer(writer: asyncio.StreamWriter, fault: Answer) -> bool:
    length = len(fault.body) if fault.length is None else fault.length
    headers = {"Content-Length": str(length), "Connection": "close", **fault.headers}
    if fault.content_type is not None:
        headers["Content-Type"] = fault.content_type
    lines = [f"HTTP/1.1 {fault.status} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    if fault.drip_s:
        for byte in fault.body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(fault.drip_s)
    else:
        writer.write(fault.body)
    await writer.drain()
    return headers["Connection"] == "keep-alive"


def _length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0
