"""Writing on SQLite: one immediate transaction at a time, names of new runs indexed many at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from flowlatch.store.base import Change, Refusal
from flowlatch.store.sqlite import derived
from flowlatch.store.sqlite.connection import as_refusal


class SqliteSession:
    """A `session.Session` on a connection made by `connection.connect_writer`."""

    error: type[Exception] = sqlite3.Error
    is_remote = False
    is_cut = False
    is_spoiled = False
    """A statement that fails leaves the rest of its transaction as it was."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unindexed: int = connection.execute(derived.UNINDEXED_COUNT).fetchone()[0]
        self._unindexed_then = self._unindexed
        self.execute = connection.execute
        self.execute_many = connection.executemany

    def begin(self) -> tuple[str, int]:
        """Begin a transaction, alone; see `session.Session`."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            last_time, change_seq = self._connection.execute("SELECT last_time, change_seq FROM store_clock").fetchone()
        except sqlite3.Error:
            self.rollback()
            raise
        return last_time, change_seq

    def commit(self) -> None:
        """Commit; with `synchronous=FULL` it is on the disk then. A failed one is rolled back by `rollback`."""
        self._connection.execute("COMMIT")
        self._unindexed = self._unindexed_then

    def rollback(self) -> None:
        """End the transaction if there is one."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @property
    def is_in_transaction(self) -> bool:
        """See `session.Session`."""
        return self._connection.in_transaction

    @property
    def written(self) -> int:
        """See `session.Session`."""
        return self._connection.total_changes

    def before_commit(self, changes: Sequence[Change]) -> None:
        """Put the names of new runs into the full-text index once they are many."""
        left_out = self._unindexed + sum(change.kind == "added" for change in changes)
        if left_out >= derived.UNINDEXED_NAMES:
            self._connection.execute(derived.INDEX_NAMES)
            left_out = max(left_out - derived.NAMES_AT_ONCE, 0)
        self._unindexed_then = left_out

    def as_refusal(self, error: Exception) -> Refusal | None:
        """See `session.Session`."""
        return as_refusal(error) if isinstance(error, sqlite3.Error) else None
