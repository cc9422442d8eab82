"""An HTTP connection that does not wait for ever and does not collect what never ends. Source: reliability.md §6.

The parser keeps the head of a request until it is whole and has no bound of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

ANSWER = "flowlatch.answer"
"""Key of the scope: a function that takes status, headers and body of a whole answer; see `Connection._answer`."""
BODY = "flowlatch.body"
"""Key of the scope: a function that gives the body of the request if all of it is there, else None."""
_CLOSE = b"connection: close\r\n"

MAX_HEAD = 64 * 1024
"""Bytes of a head that are taken in before it is whole; what the headers of a whole one may have is less (app.py)."""
IDLE_S = 60.0
_ERROR = b'{"errors":[{"message":"the headers are too large","path":[],"extensions":{"code":"LIMIT"}}]}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_ERROR), _ERROR)
)


class Connection(HttpToolsProtocol):
    """uvicorn's connection with a bound on the head of a request, in bytes and in time."""

    _head_bytes = 0
    _is_whole = False
    _timer: asyncio.TimerHandle | None = None
    _task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        """Start waiting for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and stop the work of a request that nobody waits for: its statement is interrupted.

        What was handed to the store to be written is written all the same.
        """
        self._stop_waiting()
        super().connection_lost(exc)
        if self._task is not None and not self._task.done():
            self._task.cancel("its client went away")

    def data_received(self, data: bytes) -> None:
        """Take bytes in, as long as they lead to the end of a head."""
        super().data_received(data)
        if self._is_whole or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins; if its head is not whole with these bytes, the wait for the rest starts anew."""
        self._is_whole = False
        self._head_bytes = 0
        self._stop_waiting()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: what follows is read under the limits of the application."""
        self._is_whole = True
        self._stop_waiting()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Start the work of a request and know it; the application may answer as a whole (`ANSWER`)."""
        cycle.scope[ANSWER] = partial(self._answer, cycle)
        cycle.scope[BODY] = lambda: None if cycle.more_body else bytes(cycle.body)
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self._task.add_done_callback(self.tasks.discard)
        self.tasks.add(self._task)

    def _answer(self, cycle: Any, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write head and body at once, which is half the work of one after the other through `send`.

        False when nothing was written, because the client is gone or reads too slowly: `send` knows what to do then.
        """
        if cycle.disconnected or cycle.response_started or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        head = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            head.append(b"%b: %b\r\n" % (name, value))
            if name == b"connection":
                cycle.keep_alive = False  # the application says "close" and nothing else
        if not cycle.keep_alive and head[-1] != _CLOSE:
            head.append(_CLOSE)
        head.append(b"\r\n")
        cycle.transport.writelines((b"".join(head), body))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True

    def _wait(self) -> None:
        self._stop_waiting()
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
