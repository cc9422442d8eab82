"""How a database gets this program's schema: built anew, or migrated step by step.

A new file is built from `store.schema` at once, without Alembic. An older one is migrated by Alembic, imported only
then, after a backup beside it; all steps are one transaction, so a kill leaves the old schema or the new one. Both ways
lead to the same schema, which a test compares.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from flowlatch.store import schema
from flowlatch.store.base import StoreUnusable
from flowlatch.store.sqlite import derived
from flowlatch.store.sqlite.backup import copy_database
from flowlatch.store.sqlite.files import APPLICATION_ID, SCHEMA_VERSION
from flowlatch.store.times import utc_text

logger = logging.getLogger(__name__)
PLACE = Path(__file__).parent


def revision_of(version: int) -> str:
    """Return Alembic's name of the migration that leads to a schema version."""
    return f"{version:04}"


def statements() -> Iterator[str]:
    """Return the statements that make the newest schema."""
    for table in schema.TABLES:
        yield from table.statements()
    yield from derived.STATEMENTS


def build(connection: sqlite3.Connection, *, now: datetime, new_id: Callable[[], str]) -> None:
    """Make the schema and the first rows in an empty file, unless another process was faster."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in statements():
                connection.execute(statement)
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision_of(SCHEMA_VERSION),))
            _first_rows(connection, utc_text(now), new_id)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def add_indexes(connection: sqlite3.Connection) -> None:
    """Make the indexes that a database of this version lacks: they change no row, so they need no version of their own.

    At a million runs that takes some seconds, once.
    """
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    for table in schema.TABLES:
        for index in table.indexes:
            if index.name not in there:
                connection.execute(table.index_statement(index).replace("INDEX", "INDEX IF NOT EXISTS", 1))


def _first_rows(connection: sqlite3.Connection, now: str, new_id: Callable[[], str]) -> None:
    connection.execute("INSERT INTO store_clock (one, last_time, change_seq, gone_floor) VALUES (1, ?, 0, 0)", (now,))
    connection.executemany("INSERT INTO store_meta VALUES (?, ?)", [("server_id", new_id()), ("created", now)])
    # The client takes the first tenant there is and fails where there is none (contract.md §1.5).
    connection.execute(
        "INSERT INTO tenant (id, created, updated, name, slug) VALUES (?, ?, ?, 'default', 'default')",
        (new_id(), now, now),
    )


def backup_path(path: Path, version: int) -> Path:
    """Return where the file goes before it is migrated away from schema `version`."""
    return path.with_name(f"{path.name}.schema-{version}.backup")


def upgrade(path: Path, version: int, *, target: int = SCHEMA_VERSION, place: Path = PLACE) -> None:
    """Migrate a database from schema `version` to `target` with the migrations in `place`.

    A backup of the old file is left beside it. Raises `StoreUnusable` when it cannot be made; nothing is changed then.
    """
    from flowlatch.store.sqlite.migrations.runner import run

    backup = backup_path(path, version)
    try:
        copy_database(path, backup)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(f"{path} has schema version {version}; no backup could be made: {error}") from error
    logger.info("migrating %s from schema version %d to %d, backup in %s", path, version, target, backup)
    run(path, revision_of(target), place)
