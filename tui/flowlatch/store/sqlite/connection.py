"""SQLite connections of this program: how they are opened, and what their errors mean to a caller."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from flowlatch.store.base import Refusal
from flowlatch.store.sqlite import functions

BUSY_TIMEOUT_S = 5.0
WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 8 * 1024
"""Each of the reading threads has its own; what is in none of them is in the system's cache, some 2 µs a page away."""
CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the write-ahead log before a commit moves them into the database."""
LOG_KEPT_BYTES = 64 * 1024 * 1024
"""Size to which the write-ahead log is cut back after a burst."""

_STORAGE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def connect(path: Path) -> sqlite3.Connection:
    """Return a bare connection that starts no transactions by itself and waits `BUSY_TIMEOUT_S` for a lock."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    functions.register(connection)
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """Return the one connection that writes: what it has committed survives a crash and a power loss (P1)."""
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_KEPT_BYTES}")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write."""
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    return connection


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of an error, -1 where the driver gives none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else -1


def as_refusal(error: sqlite3.Error) -> Refusal | None:
    """Return what a driver's error means to a caller: `STORAGE_FULL`, `BUSY`, or None for a fault of ours."""
    code = primary_code(error)
    if code in _STORAGE:
        return Refusal("STORAGE_FULL", "the server cannot write: its disk is full or read-only; nothing was changed")
    if code in _BUSY:
        return Refusal("BUSY", "the database is locked by another process; nothing was changed")
    return None
