"""Threads that read: a few connections of their own, interrupted when a statement takes too long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from flowlatch.store.base import Refusal
from flowlatch.store.limits import too_large, too_slow
from flowlatch.store.sqlite.connection import as_refusal, connect_reader, primary_code

T = TypeVar("T")
THREADS = 4
CHECK_EVERY = 1_000_000
"""Steps of SQLite's machine (some 30 ms) between two looks at whether a read was stopped."""
WHOLE = 1_000_000_000
"""SQLite's own bound on the length of one value."""


class Reading(Generic[T]):
    """One read on its way; `stop` ends it in SQLite and not only its waiting caller."""

    def __init__(self, question: Callable[[sqlite3.Connection], T]) -> None:
        self._question = question
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.stopped = False

    def run(self, connection: sqlite3.Connection) -> T:
        with self._guard:
            if self.stopped:
                raise too_slow()
            self._connection = connection
        # An interrupt that comes before the statement has begun is lost, so the statement also looks by itself.
        connection.set_progress_handler(lambda: self.stopped, CHECK_EVERY)
        try:
            return self._question(connection)
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        finally:
            with self._guard:
                self._connection = None

    def _meaning(self, error: sqlite3.Error) -> Exception:
        code = primary_code(error)
        if code == sqlite3.SQLITE_INTERRUPT and self.stopped:
            return too_slow()
        if code == sqlite3.SQLITE_TOOBIG:
            return too_large()
        if code == sqlite3.SQLITE_ERROR and "parser stack overflow" in str(error):
            return _too_deep()
        return as_refusal(error) or error

    def stop(self) -> None:
        with self._guard:
            self.stopped = True
            if self._connection is not None:
                self._connection.interrupt()


class Readers:
    """A pool of reading connections, one for each thread."""

    def __init__(self, path: Path, threads: int = THREADS) -> None:
        self._path = path
        self._local = threading.local()
        self._here: sqlite3.Connection | None = None
        self._opened: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="flowlatch-reader")

    async def ask(self, question: Callable[[sqlite3.Connection], T], timeout_s: float) -> T:
        """Run `question` on a reading connection. Raises `Refusal` LIMIT when it is not done after `timeout_s`."""
        loop = asyncio.get_running_loop()
        reading = Reading(question)
        timer = loop.call_later(timeout_s, reading.stop)
        try:
            return await loop.run_in_executor(self._pool, self._run, reading)
        except asyncio.CancelledError:
            reading.stop()
            raise
        finally:
            timer.cancel()

    def ask_here(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Run `question` at once in the calling thread, which must always be the same one."""
        if self._here is None:
            self._here = connect_reader(self._path)
            self._opened.append(self._here)
        return Reading(question).run(self._here)

    def _run(self, reading: Reading[T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect_reader(self._path)
            self._opened.append(connection)
        return reading.run(connection)

    def close(self) -> None:
        """Wait for what is being read, then close the connections. Blocks."""
        self._pool.shutdown()
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._here = None


def limit_length(connection: sqlite3.Connection, limit_bytes: int) -> None:
    """Bound the length of one value on this connection; 0 = SQLite's own bound."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit_bytes or WHOLE)


def _too_deep() -> Refusal:
    """SQLite reads about five lists within lists."""
    return Refusal("LIMIT", "the query is nested too deeply for the database: ask for fewer levels of lists at once")
