"""Fills an empty PostgreSQL database with the rows of another store: every row with every number, or nothing at all.

Ids, versions, keys with their times, the name of the database and the sequence of changes stay what they were, so that
clients go on where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg

from flowlatch.store import schema
from flowlatch.store.base import StoreUnusable
from flowlatch.store.names import random_id
from flowlatch.store.postgres import build
from flowlatch.store.postgres.connection import (
    Connection,
    as_refusal,
    connect_writer,
    place,
    reason_of,
    recognise,
    shown,
)
from flowlatch.store.postgres.session import PostgresSession
from flowlatch.store.session import OutcomeUnknown, TransactionLost
from flowlatch.store.tables import Table
from flowlatch.store.tx import wall_clock

RowsOf = Callable[[Table], Iterator[tuple[Any, ...]]]
"""Gives the rows of a table, their values in the order of its columns."""
_OWN_META = ("schema_version",)
"""What `store_meta` says of the new database and not of its content."""
_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flowlatch'"
    " AND pid <> pg_backend_pid()"
)


def fill(url: str, rows_of: RowsOf, on_table: Callable[[str, int], None]) -> dict[str, int]:
    """Copy all tables into the database that `url` names, in one transaction; return the rows of each table.

    `on_table` is told of each table that is done. Raises `ConfigError` for a URL that cannot be used, `StoreUnusable`
    (one line) for a database that cannot be reached, is foreign, newer, in use or not empty; then nothing is changed.
    Raises it too when the database went away while it committed and did not come back to say what became of it.
    """
    conninfo, where = place(url), shown(url)
    try:
        with closing(connect_writer(conninfo)) as connection:
            recognise(connection, where)
            build.prepare(connection, where, now=wall_clock(), new_id=random_id)
            with closing(PostgresSession(conninfo, connection)) as session:
                session.begin()
                _refuse_use(connection, where)
                copied = _copied(connection, rows_of, on_table)
                connection.execute("ANALYZE")  # not behind it: if that failed it would be said that nothing was moved
                session.before_commit(())
                session.commit()
            return copied
    except OutcomeUnknown as error:
        raise StoreUnusable(
            f"{where}: {error}: all was moved or nothing. Move again once it answers: if it is not empty then, all was"
        ) from error
    except TransactionLost as error:
        raise StoreUnusable(f"{where}: the connection was lost while it committed; nothing was moved") from error
    except psycopg.Error as error:
        refusal = as_refusal(error) if isinstance(error, psycopg.errors.ProgramLimitExceeded) else None
        raise StoreUnusable(
            f"{where}: {refusal.message if refusal else reason_of(error)}; nothing was moved"
        ) from error


def _refuse_use(connection: Connection, where: str) -> None:
    for limit in _LIMITS:
        connection.execute(f"SET LOCAL {limit} = 0")
    others = connection.execute(_OTHERS).fetchone()
    if others is not None and others[0]:
        raise StoreUnusable(f"{where}: servers are running on it; stop them first")
    for table in schema.WIRE_TABLES:
        if table is not schema.tenant and connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone():
            raise StoreUnusable(
                f"{where} is not empty: there is a {table.name.replace('_', ' ')} in it; nothing was moved"
            )


def _copied(connection: Connection, rows_of: RowsOf, on_table: Callable[[str, int], None]) -> dict[str, int]:
    connection.execute("ALTER TABLE flow_run DISABLE TRIGGER USER")  # what they keep is copied, too
    for name in ("tenant", "store_clock"):
        connection.execute(f"DELETE FROM {name}")
    connection.execute("DELETE FROM store_meta WHERE name <> ALL (%s)", (list(_OWN_META),))
    counts = {}
    for table in schema.TABLES:
        counts[table.name] = _copy(connection, table, rows_of(table))
        on_table(table.name, counts[table.name])
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("ALTER TABLE flow_run ENABLE TRIGGER USER")
    return counts


def _copy(connection: Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    with connection.cursor().copy(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN") as copy:
        for row in rows:
            if table is schema.store_meta and row[0] in _OWN_META:
                continue
            copy.write_row(row)
            count += 1
    if "seq" in table.columns:
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, 'seq'), max(seq)) FROM {table.name} HAVING max(seq) > 0",
            (table.name,),
        )
    return count
