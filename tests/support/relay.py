"""Bytes carried between two connections, what listens for them, and a network between two programs that can be cut."""

from __future__ import annotations

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def join(here: Ends, there: Ends, gate: asyncio.Event | None = None) -> None:
    """Carry bytes both ways until either side ends, then cut `there`. While `gate` is not set nothing arrives."""
    both = {asyncio.create_task(_pump(here[0], there[1], gate)), asyncio.create_task(_pump(there[0], here[1], gate))}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        there[1].transport.abort()
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event | None) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            if gate is not None:
                await gate.wait()
            writer.write(piece)
            await writer.drain()


async def stop_accepting(server: asyncio.Server) -> None:
    """Accept no more; Python 3.11 never closes a connection whose transport is made when its server has closed."""
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    await asyncio.sleep(0)


class Listener(ABC):
    """Listens on a port of this machine while its `async with` block lasts, and ends its connections with it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self._is_over = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Number of connections that are open."""
        return len(self._tasks)

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; it is cut at the end."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await stop_accepting(self._server)
        self._server.close()
        self._is_over = True
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut all connections that are open now."""
        for task in self._tasks:
            task.cancel()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_over:  # it came in before the listener closed and is told of behind that
            writer.transport.abort()
            return
        task = asyncio.create_task(self._served(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also where it is cut before it has begun

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.serve(reader, writer)


class Relay:
    """Leads a port of its own to another one, in a thread of its own while its `with` block lasts.

    A stopped server still has its sockets closed by the kernel, and a paused one still takes connections; a network
    does neither. `cut` ends what is open with a reset; while `is_down` new connections are reset too; while a `hole`
    is open everything stays connected and nothing arrives, in either direction.
    """

    def __init__(self) -> None:
        self.to = 0
        """Where it leads."""
        self.port = 0
        self.is_down = False
        self.carried = 0
        """Connections that came through."""
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Relay:
        self._gate.set()
        self._thread.start()
        self._server = self._wait(asyncio.start_server(self._accepted, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(stop_accepting(self._server))
        self._loop.call_soon_threadsafe(self._server.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Reset all connections that are open now."""
        self._wait(self._cut())

    def hole(self, *, is_open: bool) -> None:
        """Let nothing arrive any more, or all that waits and what comes after it."""
        self._loop.call_soon_threadsafe(self._gate.clear if is_open else self._gate.set)

    def _wait(self, what: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await what

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(5)

    async def _cut(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_down:
            with suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", self.to)
                self.carried += 1
                await join((reader, writer), there, self._gate)
