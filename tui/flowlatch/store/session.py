"""The one connection of a server that writes, as the writer and its transactions use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from flowlatch.store.base import Change, Refusal

Parameters = Sequence[Any] | dict[str, Any]


class TransactionLost(Exception):
    """The whole transaction is gone: rolled back by the database, or not committed. `cause` is the driver's error.

    `is_cut`: for no fault of its own, but because the connection ended; the same may be tried on another one.
    """

    def __init__(self, cause: Exception, *, is_cut: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.is_cut = is_cut


class OutcomeUnknown(Exception):
    """The database went away while it committed, and did not come back to say whether it has."""


class Session(Protocol):
    """A connection that writes. All methods block; only the writer's thread calls them."""

    error: type[Exception]
    """What the driver raises."""
    is_remote: bool
    """True where a statement waits for another process, and leaves the interpreter to others meanwhile."""

    def begin(self) -> tuple[str, int]:
        """Begin a transaction that no other writer of this database is in at the same time.

        Returns (last time stored, newest number of the sequence of changes). Raises the driver's error.
        """
        ...

    def commit(self) -> None:
        """Commit: once it returns, what was written survives a crash. Raises `TransactionLost`, `OutcomeUnknown`."""
        ...

    def rollback(self) -> None:
        """End the transaction if there is one; nothing of it stays."""
        ...

    @property
    def is_in_transaction(self) -> bool:
        """True from `begin` until the end of the transaction, also an involuntary one."""
        ...

    @property
    def is_cut(self) -> bool:
        """True when the connection has ended by itself; `begin` makes another one."""
        ...

    @property
    def is_spoiled(self) -> bool:
        """True when nothing but going back is possible in the transaction."""
        ...

    @property
    def written(self) -> int:
        """A number that grows with every row written."""
        ...

    def execute(self, sql: str, parameters: Parameters = ()) -> Any:
        """Run one statement and return the driver's cursor."""
        ...

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> Any:
        """Run one statement for each of `rows`."""
        ...

    def before_commit(self, changes: Sequence[Change]) -> None:
        """Write what goes with the changes of a transaction; the last but the clock."""
        ...

    def as_refusal(self, error: Exception) -> Refusal | None:
        """Return what a driver's error means to a caller, None for a fault of ours."""
        ...
