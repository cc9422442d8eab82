"""Requests over kept connections without a client library, the same for every server, so that a figure is its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

STALLED_S = 20.0
"""A request open longer than this is given up, and its client stops."""


@dataclass(frozen=True)
class Question:
    """What is posted: a path under the server's url, and a JSON body."""

    path: str
    content: dict[str, Any]


Ask = Callable[[int], Question]
"""Makes the next question of client number n."""


@dataclass
class Taken:
    """What became of some load."""

    ms: list[float] = field(default_factory=list)
    """Latencies of good answers."""
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    """What was answered with another status than 2xx, or with GraphQL errors, or not at all."""

    @property
    def per_s(self) -> float:
        """Good answers a second."""
        return len(self.ms) / self.seconds

    def add(self, other: Taken) -> None:
        """Take the samples of another round in."""
        self.ms += other.ms
        self.errors += other.errors
        self.seconds += other.seconds


@dataclass(frozen=True)
class Place:
    """A server: its url and the headers that every request has."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, question: Question) -> bytes:
        """Return one HTTP request as bytes."""
        parts, payload = urlsplit(self.url), json.dumps(question.content).encode()
        head = f"POST {parts.path.rstrip('/')}{question.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload

    async def load(self, clients: int, seconds: float, ask: Ask) -> Taken:
        """Let `clients` ask one question after the other for `seconds`."""
        taken, started = Taken(), time.perf_counter()
        await asyncio.gather(*(self._client(number, started + seconds, ask, taken) for number in range(clients)))
        taken.seconds = time.perf_counter() - started
        return taken

    async def once(self, question: Question) -> bytes:
        """Ask one question over a connection of its own and return the body of the answer."""
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(self.request(question))
        _, body = await read_answer(reader)
        writer.close()
        return body

    async def _client(self, number: int, ends_at: float, ask: Ask, taken: Taken) -> None:
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (started := time.perf_counter()) < ends_at:
            writer.write(self.request(ask(number)))
            try:
                async with asyncio.timeout(STALLED_S):
                    status, answer = await read_answer(reader)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                taken.errors.append(f"no answer: {type(error).__name__}")
                break
            if status >= 300 or b'"errors"' in answer[:200]:
                taken.errors.append(f"{status} {answer[:300].decode('utf-8', 'replace')}")
            else:
                taken.ms.append((time.perf_counter() - started) * 1e3)
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return status and body of one answer, by its length or in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    if lengths:
        return status, await reader.readexactly(int(lengths[0]))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, b"".join(parts)
