"""The default store: one SQLite file, one writing thread, a few reading ones."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flowlatch.store import changes
from flowlatch.store.base import DAY_S, Change, Listener, Rows
from flowlatch.store.limits import within
from flowlatch.store.names import random_id, random_name
from flowlatch.store.spelling import SQLITE, Spelling
from flowlatch.store.sqlite import files, migrations
from flowlatch.store.sqlite.connection import connect_writer
from flowlatch.store.sqlite.readers import Readers, limit_length
from flowlatch.store.sqlite.session import SqliteSession
from flowlatch.store.tx import Sources, wall_clock
from flowlatch.store.write_queue import WriteQueue, WritingStore

FILE_NAME = "flowlatch.db"
logger = logging.getLogger(__name__)


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


class SqliteStore(WritingStore):
    """A `base.Store` on one SQLite file."""

    spelling: Spelling = SQLITE

    def __init__(self, path: Path, connection: sqlite3.Connection, sources: Sources) -> None:
        self.path = path
        self.idempotency_window_s = sources.idempotency_window_s
        (self.server_id,) = connection.execute("SELECT value FROM store_meta WHERE name = 'server_id'").fetchone()
        (last_time,) = connection.execute("SELECT last_time FROM store_clock").fetchone()
        self._connection = connection
        self._listeners: list[Listener] = []
        self._readers = Readers(path)
        self._queue = WriteQueue(SqliteSession(connection), sources, last_time, self._committed)
        self._closing: asyncio.Task[None] | None = None

    def _committed(self, changed: list[Change]) -> None:
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
            return Rows(within(limit_bytes, cursor), columns)

        return await self._readers.ask(question, timeout_s)

    async def glance(self, sql: str, parameters: dict[str, Any]) -> Rows:
        """Run one SELECT of a handful of rows at once; see `base.Store.glance`."""

        def question(connection: sqlite3.Connection) -> Rows:
            cursor = connection.execute(sql, parameters)
            return Rows(cursor.fetchall(), [column[0] for column in cursor.description or ()])

        return self._readers.ask_here(question)

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` after each commit that changed runs; see `base.Store.on_commit`."""
        self._listeners.append(listener)

    def on_silence(self, listener: Callable[[], None]) -> None:
        """Do nothing: all commits are made here; see `base.Store.on_silence`."""

    async def changes_since(
        self, seq: int, *, ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[int, list[Change]] | None:
        """Return what changed after `seq`; see `base.Store.changes_since`."""

        def question(connection: sqlite3.Connection) -> tuple[int, list[Change]] | None:
            connection.execute("BEGIN")
            try:
                return changes.since(connection.execute, seq, ids, limit)
            finally:
                connection.execute("ROLLBACK")

        return await self._readers.ask(question, 10.0)

    async def last_seq(self) -> int:
        """Return the newest sequence number."""
        return await self._readers.ask(lambda connection: changes.last_seq(connection.execute), 10.0)

    async def close(self) -> None:
        """Finish what waits, checkpoint and close. Safe to call twice."""
        if self._closing is None:
            self._queue.refuse()
            self._closing = asyncio.create_task(asyncio.to_thread(self._finish))
        await asyncio.shield(self._closing)

    def _finish(self) -> None:
        self._queue.finish()
        self._readers.close()
        try:
            self._connection.execute("PRAGMA optimize")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:  # everything committed is safe in the log; the next start moves it
            logger.warning("the write-ahead log of %s was not moved into the database: %s", self.path, error)
        self._connection.close()
