"""Care of a database file: check, backup, vacuum, prune. All of it may be done while a server uses the file.

Each raises `StoreUnusable` (one line) for a file that is missing, foreign, newer, damaged beyond reading, or locked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flowlatch.store.base import StoreUnusable
from flowlatch.store.pruning import PART, prune_store
from flowlatch.store.sqlite import files
from flowlatch.store.sqlite.backup import copy_database
from flowlatch.store.sqlite.connection import connect, connect_writer
from flowlatch.store.sqlite.derived import INDEXED
from flowlatch.store.sqlite.store import FILE_NAME, open_sqlite
from flowlatch.store.tables import Table
from flowlatch.store.tx import wall_clock

MOVED = ".moved"
PROBLEMS = 20
"""Lines of a check at most."""

_RULES = (
    (
        "flow runs whose newest history row is not their state",
        """SELECT count(*) FROM flow_run LEFT JOIN flow_run_state ON flow_run_state.id = flow_run.state_id
        WHERE flow_run_state.version IS NOT flow_run.version OR flow_run_state.state IS NOT flow_run.state""",
    ),
    (
        "flow runs with a gap in their versions",
        """SELECT count(*) FROM (SELECT 1 FROM flow_run_state GROUP BY flow_run_id
        HAVING count(*) <> max(version))""",
    ),
    (
        "states whose counter is wrong",
        """SELECT count(*) FROM (SELECT state, count(*) AS runs FROM flow_run GROUP BY state) AS counted
        LEFT JOIN state_count USING (state) WHERE counted.runs IS NOT state_count.runs""",
    ),
    (
        "flow runs that the index of names lacks",
        f"""SELECT abs((SELECT count(*) FROM flow_run WHERE seq <= {INDEXED})
        - (SELECT count(*) FROM flow_run_name_docsize))""",
    ),
)


def database_in(place: Path) -> Path:
    """Return the database file: `place` itself, or the one in the directory `place`. Raises `StoreUnusable`."""
    path = place / FILE_NAME if place.is_dir() else place
    if not path.is_file() or files.schema_version(path) == 0:
        raise StoreUnusable(f"{path}: there is no flowlatch database")
    return path


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise files.unusable(path, error) from error


def check(place: Path) -> list[str]:
    """Read the whole database and return what is wrong with it, one line each; an empty list when it is sound."""
    path = database_in(place)
    with _explained(path), closing(connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({PROBLEMS})")]
        problems = [line for text in found if text != "ok" for line in str(text).splitlines()]
        for table, row_id, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall():
            problems.append(f"row {row_id} of {table} belongs to a row of {parent} that does not exist")
        if not problems:
            for what, sql in _RULES:
                (count,) = connection.execute(sql).fetchone()
                if count:
                    problems.append(f"{count} {what}")
    return problems[:PROBLEMS]


def backup(place: Path, target: Path) -> int:
    """Copy the database, as it is at this moment, into the new file `target` (0600); return its size in bytes."""
    path = database_in(place)
    if target.exists():
        raise StoreUnusable(f"{target} exists already; a backup replaces nothing")
    try:
        with _explained(path):
            copy_database(path, target)
        return target.stat().st_size
    except OSError as error:
        raise StoreUnusable(f"{target} cannot be written: {error.strerror or error}") from error


@contextmanager
def contents(place: Path) -> Iterator[Callable[[Table], Iterator[tuple[Any, ...]]]]:
    """Return what gives the rows of each table as they all are at one moment, in the order of its key."""
    path = database_in(place)
    with _explained(path):
        files.check_whole(path)
        if files.schema_version(path) != files.SCHEMA_VERSION:
            raise StoreUnusable(f"{path} has an older schema: start a server on it once, which brings it up to date")
        with closing(connect(path)) as connection:
            connection.execute("BEGIN")

            def rows_of(table: Table) -> Iterator[tuple[Any, ...]]:
                return connection.execute(
                    f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
                )

            yield rows_of


def set_aside(place: Path) -> Path:
    """Rename a database that was moved, so that no server writes to it by mistake; return its new name."""
    path = database_in(place)
    aside = path.with_name(path.name + MOVED)
    try:
        path.rename(aside)
    except OSError as error:
        why = error.strerror or error
        raise StoreUnusable(f"everything was moved, but {path} is still there ({why}): take it away") from error
    return aside


def vacuum(place: Path) -> tuple[int, int]:
    """Rewrite the database without the room that deleted rows left; return its size in bytes before and after.

    Needs as much free disk as the database has; writers wait meanwhile.
    """
    path = database_in(place)
    before = path.stat().st_size
    with _explained(path), closing(connect_writer(path)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, path.stat().st_size


async def prune(
    place: Path, older_than: timedelta, *, clock: Callable[[], datetime] = wall_clock, part: int = PART
) -> int:
    """Delete old runs of a database file; see `prune_store`. `vacuum` gives the room back to the disk."""
    store = await open_sqlite(database_in(place), clock=clock)
    return await prune_store(store, str(store.path), older_than, part=part)
