"""The database file: made, recognised, refused. A file that is not ours is never touched, a damaged one never mended.

Source: reliability.md §2.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from flowlatch.store.base import StoreUnusable
from flowlatch.store.sqlite.connection import connect, connect_writer, primary_code

APPLICATION_ID = 0x664C6368
"""`PRAGMA application_id` of our files: ASCII `fLch`."""
SCHEMA_VERSION = 1
"""`PRAGMA user_version` of this program's schema: the number of its newest migration."""
CHECKED_BYTES = 16 * 1024 * 1024
"""Files up to this size are checked page by page at each start; larger ones by `flowlatch db check`."""

_HEADER = b"SQLite format 3\0"


def make_file(path: Path) -> bool:
    """Make an empty database file that only its owner can use; return False when one with content is there already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise StoreUnusable(f"{path} is no regular file")
        if stat.S_IMODE(status.st_mode) != 0o600:
            path.chmod(0o600)
    except OSError as error:
        raise StoreUnusable(f"{path} cannot be opened for writing: {error.strerror or error}") from error
    return status.st_size == 0


def schema_version(path: Path) -> int:
    """Return the schema version of an existing file, 0 for one that was never filled.

    Raises `StoreUnusable` when the file is foreign, newer than this program, damaged or locked.
    """
    _refuse_other_kinds(path)
    try:
        connection = connect(path)
        try:
            return _recognise(path, connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def _refuse_other_kinds(path: Path) -> None:
    """Refuse a file that is no SQLite database; SQLite itself would take a very short one for an empty one."""
    with path.open("rb") as file:
        start = file.read(len(_HEADER))
    if start not in (b"", _HEADER):
        raise StoreUnusable(f"{path} is no SQLite database; flowlatch leaves it alone")


def _recognise(path: Path, connection: sqlite3.Connection) -> int:
    application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application_id == 0 and version == 0 and tables == 0:
        return 0
    if application_id != APPLICATION_ID:
        raise StoreUnusable(
            f"{path} is a database of another program (application id {application_id & 0xFFFFFFFF:#x}, "
            f"version {version}); flowlatch leaves it alone"
        )
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path} has schema version {version}, this flowlatch knows up to {SCHEMA_VERSION}: use a newer flowlatch"
        )
    return version


def check_whole(path: Path) -> None:
    """Finish what a killed server left in the write-ahead log, then refuse a truncated or damaged file.

    Raises `StoreUnusable`.
    """
    try:
        connection = connect_writer(path)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
            page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
            log = path.with_name(path.name + "-wal")
            if pages * page_size > path.stat().st_size and not (log.exists() and log.stat().st_size):
                raise StoreUnusable(f"{path} is damaged: {pages} pages expected, the file is shorter")
            if pages * page_size <= CHECKED_BYTES:
                answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
                if answer != "ok":
                    raise StoreUnusable(f"{path} is damaged: {answer.splitlines()[-1]}")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: sqlite3.Error) -> StoreUnusable:
    """Return the one line that says why SQLite cannot use a file."""
    match primary_code(error):
        case sqlite3.SQLITE_NOTADB:
            return StoreUnusable(f"{path} is no SQLite database; flowlatch leaves it alone")
        case sqlite3.SQLITE_CORRUPT:
            return StoreUnusable(f"{path} is damaged ({error}); restore a backup")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnusable(f"{path} is locked by another process")
        case _:
            return StoreUnusable(f"{path} cannot be used: {error}")
