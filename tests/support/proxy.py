"""A real forward proxy on loopback, as between an operator's network and the servers: CONNECT and plain HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.support.relay import Listener, join

HEAD_END = b"\r\n\r\n"
DENIED = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
NO_SUCH_HOST = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class Proxy(Listener):
    """Listens while its `async with` block lasts and leads the names of `hosts` to ports of this machine.

    `asked` holds what was asked for: `CONNECT host:port` or `POST http://host/path`. With `login` (`user:password`)
    nobody passes without it.
    """

    def __init__(self, hosts: Mapping[str, int], *, login: str = "") -> None:
        super().__init__()
        self._hosts = hosts
        self._login = login
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """Return `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead one connection to where its first request wants to go."""
        head = (await reader.readuntil(HEAD_END)).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, version = first.split(" ")
        self.asked.append(f"{method} {target}")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = self._hosts.get(parts.hostname or "")
        if self._login and f"proxy-authorization: basic {_encoded(self._login)}" not in map(_header, lines):
            refusal = DENIED
        elif port is None:
            refusal = NO_SUCH_HOST
        else:
            there = await asyncio.open_connection("127.0.0.1", port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
                sent = "\r\n".join([f"{method} {parts.path or '/'} {version}", *kept, "Connection: close", "", ""])
                there[1].write(sent.encode("latin-1"))
            await join((reader, writer), there)
            return
        writer.write(refusal)
        await writer.drain()


def _header(line: str) -> str:
    name, _, value = line.partition(":")
    scheme, _, rest = value.strip().partition(" ")
    return f"{name.lower()}: {scheme.lower()} {rest}"


def _encoded(login: str) -> str:
    return base64.b64encode(login.encode()).decode()
