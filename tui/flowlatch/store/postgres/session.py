"""Writing on PostgreSQL: one transaction at a time over all servers, and certainty about each commit.

The row of `store_clock` is the turn: a transaction locks it first and keeps it until its end. So times never run
backwards and numbers of the sequence of changes are committed in their order, whichever server they come from, and no
transaction ever waits for a second lock. What is decided does not rest on it: versions and keys are decided by the
statements. Source: design.md §7.

Each session leaves the number of its transaction in a row of its own, `commit_mark`. Where the answer to a COMMIT is
lost that row tells whether it happened. The database's own numbers of transactions cannot: after a crash it gives those
that were lost to others.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Sequence

import psycopg
from psycopg.pq import TransactionStatus

from flowlatch.store.base import Change, Refusal
from flowlatch.store.postgres.connection import Connection, Cursor, adapted, as_refusal, connect_writer, reason_of
from flowlatch.store.session import OutcomeUnknown, Parameters, TransactionLost

CHANNEL = "flowlatch"
"""What is notified of each commit, with the number of its last change."""
AGAIN_S = 1.0
"""While the database cannot be reached, it is tried again after so long; what comes meanwhile is refused at once."""
CERTAINTY_S = 20.0
"""How long a lost commit is asked after."""

KEPT_MARKS = "30 days"
_TURN = "SELECT last_time, change_seq FROM store_clock FOR UPDATE"
_MARK = """INSERT INTO commit_mark (id, number, marked_at) VALUES (%s, %s, now())
ON CONFLICT (id) DO UPDATE SET number = excluded.number, marked_at = excluded.marked_at"""
_MARK_AND_TELL = f"WITH marked AS ({_MARK}) SELECT pg_notify(%s, %s)"
_FORGET = f"DELETE FROM commit_mark WHERE marked_at < now() - interval '{KEPT_MARKS}'"
logger = logging.getLogger(__name__)


class PostgresSession:
    """A `session.Session` that connects anew when its connection is gone."""

    error: type[Exception] = psycopg.Error
    is_remote = True

    def __init__(self, conninfo: str, connection: Connection) -> None:
        self._conninfo = conninfo
        self._connection = connection
        self._id = str(uuid.uuid4())
        self._number = 0
        """Of the transaction under way, or of the last one."""
        connection.execute(_FORGET)
        self._failed_at = 0.0
        self._failure: psycopg.Error | None = None
        self.written = 0

    def begin(self) -> tuple[str, int]:
        """Wait for the turn, at most `connection.LOCK_S`; see `session.Session`."""
        if not self._connection.closed:
            try:
                return self._begin()
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
        self._reconnect()
        return self._begin()

    def _begin(self) -> tuple[str, int]:
        connection = self._connection
        try:
            connection.execute("BEGIN")
            row = connection.execute(_TURN).fetchone()
        except psycopg.Error:
            self.rollback()
            raise
        assert row is not None  # it was made with the schema and is never deleted
        self._number += 1
        last_time, change_seq = row
        return last_time, change_seq

    def _reconnect(self) -> None:
        """Connect anew, but not again and again while that fails. Raises the driver's error."""
        if self._failure is not None and time.monotonic() - self._failed_at < AGAIN_S:
            raise self._failure
        try:
            self._connection = connect_writer(self._conninfo)
        except psycopg.Error as error:
            self._failure, self._failed_at = error, time.monotonic()
            logger.warning("the database cannot be reached: %s", reason_of(error))
            raise
        if self._failure is not None:
            self._failure = None
            logger.info("the database answers again")

    def commit(self) -> None:
        """Commit. If the answer is lost, the database is asked what became of it; see `session.Session`."""
        try:
            cursor = self._connection.execute("COMMIT")
        except psycopg.Error as error:
            if not self._connection.closed:
                raise
            self._settle(error)
            return
        if cursor.statusmessage != "COMMIT":
            raise TransactionLost(psycopg.InternalError("the transaction was rolled back"), is_cut=False)

    def _settle(self, error: psycopg.Error) -> None:
        """Find out whether a transaction was committed whose answer is lost. Returns if it was."""
        deadline = time.monotonic() + CERTAINTY_S
        while True:
            try:
                self._reconnect()
                is_done = self._is_done()
            except psycopg.Error:
                is_done = None
            if is_done:
                logger.warning("the connection was lost while committing; the commit holds")
                return
            if is_done is False:
                raise TransactionLost(error, is_cut=True) from error
            if time.monotonic() > deadline:
                raise OutcomeUnknown("the database went away while it committed") from error
            time.sleep(AGAIN_S / 4)

    def _is_done(self) -> bool:
        """Return whether the last transaction was committed. Raises the driver's error while that is not known."""
        with self._connection.transaction():
            self._connection.execute(_TURN)  # the lost one has it until it has ended
            row = self._connection.execute("SELECT number FROM commit_mark WHERE id = %s", (self._id,)).fetchone()
        return row is not None and row[0] == self._number

    def rollback(self) -> None:
        """End the transaction if there is one; one whose connection is gone is ended by the database."""
        if self.is_in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    @property
    def is_in_transaction(self) -> bool:
        """See `session.Session`."""
        status = self._connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    @property
    def is_cut(self) -> bool:
        """See `session.Session`."""
        return self._connection.closed

    @property
    def is_spoiled(self) -> bool:
        """True after a statement that failed."""
        return self._connection.info.transaction_status == TransactionStatus.INERROR

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Run one statement of ours; see `connection.adapted`."""
        cursor = self._connection.execute(adapted(sql), parameters)
        self._count(cursor)
        return cursor

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> Cursor:
        """Run one statement for each of `rows`, without waiting for each."""
        cursor = self._connection.cursor()
        cursor.executemany(adapted(sql), rows)
        self.written += max(cursor.rowcount, 0)
        return cursor

    def _count(self, cursor: Cursor) -> None:
        message = cursor.statusmessage
        if message is not None and message.startswith(("INSERT", "UPDATE", "DELETE")):
            self.written += cursor.rowcount

    def before_commit(self, changes: Sequence[Change]) -> None:
        """Leave the mark, and let every server know that there is something new once it is committed."""
        if changes:
            self._connection.execute(_MARK_AND_TELL, (self._id, self._number, CHANNEL, str(changes[-1].seq)))
        else:
            self._connection.execute(_MARK, (self._id, self._number))

    def as_refusal(self, error: Exception) -> Refusal | None:
        """See `session.Session`."""
        return as_refusal(error) if isinstance(error, psycopg.Error) else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
