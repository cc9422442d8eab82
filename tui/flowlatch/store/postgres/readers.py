"""Threads that read: a few connections of their own, made anew when lost, stopped when a statement takes too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

import psycopg
from psycopg import errors

from flowlatch.store.base import Refusal
from flowlatch.store.limits import too_slow
from flowlatch.store.postgres.connection import Connection, as_refusal, connect_reader

T = TypeVar("T")
THREADS = 4
CANCEL_S = 2.0


class Reading(Generic[T]):
    """One read on its way; `stop` ends it in the database and not only its waiting caller."""

    def __init__(self, question: Callable[[Connection], T]) -> None:
        self._question = question
        self._guard = threading.Lock()
        self._connection: Connection | None = None
        self._is_stopped = False

    def run(self, connection: Connection) -> T:
        """Ask the question. Raises `Refusal`, or the driver's error where it is a fault of ours."""
        with self._guard:
            if self._is_stopped:
                raise too_slow()
            self._connection = connection
        try:
            return self._question(connection)
        except errors.QueryCanceled:
            raise too_slow() from None
        finally:
            with self._guard:
                self._connection = None

    def stop(self) -> None:
        """End it. Blocks for as long as the database needs to be told."""
        with self._guard:
            self._is_stopped = True
            if self._connection is not None:
                with suppress(psycopg.Error):
                    self._connection.cancel_safe(timeout=CANCEL_S)


class Readers:
    """A pool of reading connections, one for each thread."""

    def __init__(self, conninfo: str, threads: int = THREADS) -> None:
        self._conninfo = conninfo
        self._local = threading.local()
        self._opened: set[Connection] = set()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="flowlatch-reader")

    async def ask(self, question: Callable[[Connection], T], timeout_s: float) -> T:
        """Run `question` on a reading connection. Raises `Refusal` LIMIT when it is not done after `timeout_s`."""
        loop = asyncio.get_running_loop()
        reading = Reading(question)
        timer = loop.call_later(timeout_s, loop.run_in_executor, None, reading.stop)
        try:
            return await loop.run_in_executor(self._pool, self._run, reading)
        except asyncio.CancelledError:
            loop.run_in_executor(None, reading.stop)
            raise
        finally:
            timer.cancel()

    def _run(self, reading: Reading[T]) -> T:
        """Read; once more on a new connection when the one at hand turns out to be gone."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None and not connection.closed:
            try:
                return reading.run(connection)
            except psycopg.Error as error:
                if not connection.closed:
                    raise self._meaning(error) from error
        try:
            return reading.run(self._connect(connection))
        except psycopg.Error as error:
            raise self._meaning(error) from error

    def _meaning(self, error: psycopg.Error) -> Exception:
        refusal = as_refusal(error)
        if refusal is not None and refusal.code == "BUSY":
            return Refusal("BUSY", "the database does not answer")
        if isinstance(error, errors.DataException | errors.StatementTooComplex):
            return Refusal("data-exception", "the database cannot work with a value of this query")
        return refusal or error

    def _connect(self, old: Connection | None) -> Connection:
        if old is not None:
            self._opened.discard(old)
        self._local.connection = connection = connect_reader(self._conninfo)
        self._opened.add(connection)
        return connection

    def close(self) -> None:
        """Wait for what is being read, then close the connections. Blocks."""
        self._pool.shutdown()
        for connection in self._opened:
            connection.close()
        self._opened.clear()
