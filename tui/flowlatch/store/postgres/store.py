"""The store on PostgreSQL, as one server sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from typing import Any, TypeVar, cast

import psycopg

from flowlatch.store import changes
from flowlatch.store.base import DAY_S, Change, Listener, Rows, StoreUnusable
from flowlatch.store.limits import within
from flowlatch.store.names import random_id, random_name
from flowlatch.store.postgres import build
from flowlatch.store.postgres.connection import (
    Connection,
    Cursor,
    adapted,
    connect_writer,
    place,
    reason_of,
    recognise,
    shown,
)
from flowlatch.store.postgres.news import News
from flowlatch.store.postgres.readers import Readers
from flowlatch.store.postgres.session import PostgresSession
from flowlatch.store.spelling import POSTGRES, Spelling
from flowlatch.store.tx import Sources, wall_clock
from flowlatch.store.write_queue import WriteQueue, WritingStore

T = TypeVar("T")
READ_S = 10.0
logger = logging.getLogger(__name__)


async def open_postgres(
    url: str,
    *,
    idempotency_window_s: float = DAY_S,
    clock: Callable[[], datetime] = wall_clock,
    new_id: Callable[[], str] = random_id,
    words: Callable[[], str] = random_name,
) -> PostgresStore:
    """Open the database that `url` (postgresql://…, without a password) names; make our tables if there are none.

    Belongs to the running event loop; the rest as `open_sqlite`. Raises `ConfigError` for a URL that cannot
    be used and `StoreUnusable` (one line) for a database that cannot be reached, is foreign or newer.
    """
    sources = Sources(clock, new_id, words, idempotency_window_s)
    conninfo, where = place(url), shown(url)
    session, server_id, last_time, last_seq = await asyncio.to_thread(_prepare, conninfo, where, sources)
    store = PostgresStore(conninfo, session, sources, server_id, last_time)
    store.news.begin(last_seq)
    logger.info("runs are kept in %s", where)
    return store


def _prepare(conninfo: str, where: str, sources: Sources) -> tuple[PostgresSession, str, str, int]:
    """Return a session that writes to a database that has our schema, and what is known of that."""
    try:
        with ExitStack() as undo:
            connection = connect_writer(conninfo)
            undo.callback(connection.close)
            recognise(connection, where)
            build.prepare(connection, where, now=sources.clock(), new_id=sources.new_id)
            meta = connection.execute("SELECT value FROM store_meta WHERE name = 'server_id'").fetchone()
            clock = connection.execute("SELECT last_time, change_seq FROM store_clock").fetchone()
            session = PostgresSession(conninfo, connection)
            undo.pop_all()
    except psycopg.Error as error:
        raise StoreUnusable(f"{where} cannot be used: {reason_of(error)}") from error
    assert meta is not None
    assert clock is not None
    return session, meta[0], clock[0], clock[1]


class PostgresStore(WritingStore):
    """A `base.Store` on a PostgreSQL database that other servers may use at the same time.

    Its writes may raise `session.OutcomeUnknown` too.
    """

    spelling: Spelling = POSTGRES

    def __init__(
        self, conninfo: str, session: PostgresSession, sources: Sources, server_id: str, last_time: str
    ) -> None:
        self.server_id = server_id
        self.idempotency_window_s = sources.idempotency_window_s
        self._readers = Readers(conninfo)
        self._session = session
        self.news = News(conninfo, self.changes_since, self.last_seq)
        self._queue = WriteQueue(self._session, sources, last_time, lambda _: self.news.wake())
        self._closing: asyncio.Task[None] | None = None

    async def read(
        self, sql: str, parameters: dict[str, Any], *, timeout_s: float = READ_S, limit_bytes: int = 0
    ) -> Rows:
        """Run one SELECT on a reading connection; see `base.Store.read`."""

        def question(connection: Connection) -> Rows:
            cursor = connection.cursor()
            if not limit_bytes:
                cursor.execute(adapted(sql), parameters)
                return Rows(cursor.fetchall(), _names(cursor))
            stream = cast("Generator[tuple[Any, ...]]", cursor.stream(adapted(sql), parameters))
            with closing(stream):  # left open it would keep the connection
                return Rows(within(limit_bytes, stream), _names(cursor))

        return await self._readers.ask(question, timeout_s)

    async def glance(self, sql: str, parameters: dict[str, Any]) -> Rows:
        """Run one SELECT of a handful of rows; see `base.Store.glance`. The database may be far: never in the loop."""
        return await self.read(sql, parameters)

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` after each commit that changed runs; see `base.Store.on_commit`."""
        self.news.listeners.append(listener)

    def on_silence(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the database cannot be heard of; see `base.Store.on_silence`."""
        self.news.silence_listeners.append(listener)

    async def changes_since(
        self, seq: int, *, ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[int, list[Change]] | None:
        """Return what changed after `seq`; see `base.Store.changes_since`."""

        def question(connection: Connection) -> tuple[int, list[Change]] | None:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            try:
                return changes.since(_asker(connection), seq, ids, limit)
            finally:
                if not connection.closed:
                    connection.execute("ROLLBACK")

        return await self._readers.ask(question, READ_S)

    async def last_seq(self) -> int:
        """Return the newest sequence number."""
        return await self._readers.ask(lambda connection: changes.last_seq(_asker(connection)), READ_S)

    async def close(self) -> None:
        """Finish what waits and close. Safe to call twice."""
        if self._closing is None:
            self._queue.refuse()
            self._closing = asyncio.create_task(self._finish())
        await asyncio.shield(self._closing)

    async def _finish(self) -> None:
        await self.news.end()
        await asyncio.to_thread(self._queue.finish)
        await asyncio.to_thread(self._readers.close)
        self._session.close()


def _asker(connection: Connection) -> Callable[[str, dict[str, Any]], Cursor]:
    return lambda sql, parameters: connection.execute(adapted(sql), parameters)


def _names(cursor: Cursor) -> list[str]:
    return [column.name for column in cursor.description or ()]
