"""The default store: one SQLite file, one writing thread, a few reading ones."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from flowlatch.store import changes, files, migrations
from flowlatch.store.base import NOBODY, Change, Operation, Origin, Refusal, Rows
from flowlatch.store.connection import connect_writer
from flowlatch.store.names import random_name
from flowlatch.store.readers import Readers, limit_length, too_large
from flowlatch.store.tx import Sources, StoreClock, wall_clock
from flowlatch.store.writer import Failed, Job, Writer

T = TypeVar("T")
FILE_NAME = "flowlatch.db"
DAY_S = 86_400.0
logger = logging.getLogger(__name__)
_dice = random.Random()
"""Begins at a place that the system chose; nobody else seeds this one."""


def random_id() -> str:
    """Return a random UUID (version 4), lower case with hyphens; it need not be hard to guess.

    No call of the system each time: the interpreter is let go of in that one, and the event loop is slow to give it
    back.
    """
    digits = f"{_dice.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


async def open_sqlite(
    place: Path | str,
    *,
    idempotency_window_s: float = DAY_S,
    clock: Callable[[], datetime] = wall_clock,
    new_id: Callable[[], str] = random_id,
    words: Callable[[], str] = random_name,
) -> SqliteStore:
    """Open the database file `place`, or `flowlatch.db` in the directory `place`; make it if there is none.

    An older schema is migrated after a backup beside the file. Belongs to the running event loop. `clock` gives aware
    UTC, `words` the names of nameless runs. Raises `StoreUnusable` (one line) for a file that is foreign, newer,
    damaged or locked, and changes nothing in it.
    """
    sources = Sources(clock, new_id, words, idempotency_window_s)
    path, connection = await asyncio.to_thread(_prepare, Path(place), sources)
    return SqliteStore(path, connection, sources)


def _prepare(place: Path, sources: Sources) -> tuple[Path, sqlite3.Connection]:
    """Return the file and the writing connection to a database that exists, is whole, and has our schema."""
    path = place / FILE_NAME if place.is_dir() else place
    files.make_file(path)
    version = files.schema_version(path)
    try:
        if version:
            files.check_whole(path)
        if 0 < version < files.SCHEMA_VERSION:
            migrations.upgrade(path, version)
        connection = connect_writer(path)
        if version == 0:
            migrations.build(connection, now=sources.clock(), new_id=sources.new_id)
        else:
            migrations.add_indexes(connection)
    except sqlite3.Error as error:
        raise files.unusable(path, error) from error
    return path, connection


class SqliteStore:
    """A `base.Store` on one SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection, sources: Sources) -> None:
        self.path = path
        self.idempotency_window_s = sources.idempotency_window_s
        (self.server_id,) = connection.execute("SELECT value FROM store_meta WHERE name = 'server_id'").fetchone()
        (last_time,) = connection.execute("SELECT last_time FROM store_clock").fetchone()
        self._last_time = datetime.fromisoformat(last_time)
        self._connection = connection
        self._machine_clock = sources.clock
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Callable[[list[Change]], None]] = []
        self._readers = Readers(path)
        self._writer = Writer(connection, sources, StoreClock(sources.clock), self._committed)
        self._writer.start()
        self._closing: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """Return the time as the next transaction would see it, aware UTC."""
        return max(self._machine_clock().astimezone(UTC), self._last_time)

    async def write(self, operation: Operation[T], origin: Origin = NOBODY) -> T:
        """Run one operation; see `base.Store.write`."""
        outcome = (await self._ask((operation,), origin))[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        return cast(T, outcome)

    async def write_all(self, operations: Sequence[Operation[Any]], origin: Origin = NOBODY) -> list[Any]:
        """Run operations in order, each atomic for itself; see `base.Store.write_all`.

        An operation that failed by a fault of ours, not by a rule, raises here after all have run.
        """
        if not operations:
            return []
        outcomes = [
            outcome.error if isinstance(outcome, Failed) else outcome for outcome in await self._ask(operations, origin)
        ]
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, Refusal):
                raise outcome
        return outcomes

    async def _ask(self, operations: Sequence[Operation[Any]], origin: Origin) -> list[Any]:
        if self._closing is not None:
            raise Refusal("BUSY", "the server is stopping; nothing was changed")
        future: asyncio.Future[list[Any]] = self._loop.create_future()

        def answer(outcomes: list[Any]) -> None:
            if not future.done():
                future.set_result(outcomes)

        self._writer.submit(Job(operations, origin, answer))
        return await future

    def _committed(self, jobs: list[Job], changed: list[Change], now: datetime) -> None:
        """Take one batch from the writer's thread into the event loop, by one call."""
        self._loop.call_soon_threadsafe(self._deliver, jobs, changed, now)

    def _deliver(self, jobs: list[Job], changed: list[Change], now: datetime) -> None:
        self._last_time = max(self._last_time, now)
        for job in jobs:
            job.answer(job.outcomes)
        if changed:
            merged = changes.merge(changed)
            for listener in self._listeners:
                listener(merged)

    async def read(
        self, sql: str, parameters: dict[str, Any], *, timeout_s: float = 10.0, limit_bytes: int = 0
    ) -> Rows:
        """Run one SELECT on a reading connection; see `base.Store.read`."""

        def question(connection: sqlite3.Connection) -> Rows:
            limit_length(connection, limit_bytes)
            cursor = connection.execute(sql, parameters)
            columns = [column[0] for column in cursor.description or ()]
            if not limit_bytes:
                return Rows(cursor.fetchall(), columns)
            rows, size = [], 0
            for row in cursor:
                size += sum(len(value) for value in row if isinstance(value, str | bytes))
                if size > limit_bytes:
                    raise too_large()
                rows.append(row)
            return Rows(rows, columns)

        return await self._readers.ask(question, timeout_s)

    def glance(self, sql: str, parameters: dict[str, Any]) -> Rows:
        """Run one SELECT of a handful of rows at once; see `base.Store.glance`."""

        def question(connection: sqlite3.Connection) -> Rows:
            cursor = connection.execute(sql, parameters)
            return Rows(cursor.fetchall(), [column[0] for column in cursor.description or ()])

        return self._readers.ask_here(question)

    def on_commit(self, listener: Callable[[list[Change]], None]) -> None:
        """Call `listener` in the event loop after each commit that changed runs; each run once, newest change."""
        self._listeners.append(listener)

    async def changes_since(
        self, seq: int, *, ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[int, list[Change]] | None:
        """Return what changed after `seq`; see `base.Store.changes_since`."""
        return await self._readers.ask(lambda connection: changes.since(connection, seq, ids, limit), 10.0)

    async def last_seq(self) -> int:
        """Return the newest sequence number."""
        return await self._readers.ask(changes.last_seq, 10.0)

    async def close(self) -> None:
        """Finish what waits, checkpoint and close. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(asyncio.to_thread(self._finish))
        await asyncio.shield(self._closing)

    def _finish(self) -> None:
        self._writer.stop()
        self._readers.close()
        try:
            self._connection.execute("PRAGMA optimize")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:  # everything committed is safe in the log; the next start moves it
            logger.warning("the write-ahead log of %s was not moved into the database: %s", self.path, error)
        self._connection.close()
