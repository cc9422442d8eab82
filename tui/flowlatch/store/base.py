"""What a store is to the server: a place that keeps its word, whatever database is below.

Mutations are plain functions in `store.operations` that take a `Tx`; `Store.write` runs one of them, atomically, and
returns only once it is durable. Reads are SQL statements compiled by the server; `Store.read` runs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from flowlatch.errors import ConfigError
from flowlatch.store.spelling import Spelling

T = TypeVar("T")
DAY_S = 86_400.0
"""How long an idempotency key lives after its use, unless the server is told otherwise."""


class Refusal(Exception):
    """An operation refused by a rule; its savepoint is rolled back and nothing of it stays.

    `code` is a word of contract.md §1.4 (`BAD_USER_INPUT`, `NOT_FOUND`, `CONFLICT`, `VERSION_LOCKING_ERROR`, `BUSY`,
    `STORAGE_FULL`, `LIMIT`); `extensions` goes into the error beside it. The message names fields, types and ids only.
    """

    def __init__(self, code: str, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions = extensions


class StoreUnusable(ConfigError):
    """The database cannot be opened: foreign, newer, corrupt, locked by another server. One line, names the file."""


@dataclass(frozen=True)
class Change:
    """One run touched by a commit: what the live feed is made of."""

    seq: int
    """Place in the one sequence of changes of this database; grows with each commit."""
    run_id: str
    kind: str
    """`added`, `updated` or `gone`."""


@dataclass(frozen=True)
class Origin:
    """Who asks: what the server knows about a request before it runs. All None outside a request."""

    actor: str | None = None
    """Who to write down as the one who set a state (design.md §9)."""
    agent_id: str | None = None
    """Header X-PREFECT-AGENT-ID."""
    core_version: str | None = None
    """Header X-PREFECT-CORE-VERSION."""
    tenant_id: str | None = None


NOBODY = Origin()
"""Outside a request."""


class Tx(Protocol):
    """An open transaction, handed to operations. Only valid inside the function it was handed to."""

    now: datetime
    """Time of this transaction: max(clock, last time stored), aware UTC. The only clock an operation may look at."""
    now_text: str
    """The same as stored text: `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`."""
    origin: Origin
    idempotency_window_s: float

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """Run one statement and return the driver's cursor."""
        ...

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any] | dict[str, Any]]) -> Any:
        """Run one statement for each of `rows`."""
        ...

    def new_id(self) -> str:
        """Return a fresh UUID, lower case with hyphens."""
        ...

    def new_row_id(self) -> str:
        """Return a fresh UUID that begins with the time (version 7), for the many rows that nobody names by id.

        Such rows end up side by side in the index of ids, so that a commit writes fewer pages.
        """
        ...

    def new_name(self) -> str:
        """Return a fresh `adjective-animal` run name."""
        ...

    def changed(self, run_id: str, kind: str) -> int:
        """Note for the live feed that a run was `added`, `updated` or is `gone` with this transaction.

        Returns the change's place in the sequence, which the operation stores in `flow_run.change_seq`.
        """
        ...


Operation = Callable[[Tx], T]
Listener = Callable[[list[Change] | None], None]


@dataclass
class Rows:
    """The rows of a read, as tuples, and what they cost."""

    rows: list[tuple[Any, ...]]
    columns: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)


class Store(Protocol):
    """One open database. Belongs to one event loop."""

    spelling: Spelling
    server_id: str
    """UUID made with the database and kept in it: another id means another database."""
    idempotency_window_s: float

    def now(self) -> datetime:
        """Return the time as the next transaction would see it: max(clock, last time stored), aware UTC."""
        ...

    async def write(self, operation: Operation[T], origin: Origin = NOBODY) -> T:
        """Run one operation in a transaction, and return its result once it is on the disk.

        Raises `Refusal` (nothing of it was written). Many callers at once share one commit.
        """
        ...

    async def write_all(self, operations: Sequence[Operation[Any]], origin: Origin = NOBODY) -> list[Any]:
        """Run operations one after the other in the same batch, each atomic for itself.

        The list holds a result or a `Refusal` for each: the root mutations of one document.
        """
        ...

    async def read(
        self, sql: str, parameters: dict[str, Any], *, timeout_s: float = 10.0, limit_bytes: int = 0
    ) -> Rows:
        """Run one SELECT on a reader connection; it is interrupted at the timeout (`Refusal` LIMIT).

        With `limit_bytes` a result whose text is larger raises `Refusal` LIMIT as soon as that is known.
        """
        ...

    async def glance(self, sql: str, parameters: dict[str, Any]) -> Rows:
        """Run one SELECT of a handful of rows, in the event loop where that costs less than asking a thread."""
        ...

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` in the event loop after each commit that changed runs, by whichever server.

        It gets each run once with its newest change, or None: more was missed than can be told.
        """
        ...

    def on_silence(self, listener: Callable[[], None]) -> None:
        """Call `listener` in the event loop when commits of other servers cannot be heard of any more.

        Whoever follows here must not believe then that nothing happens.
        """
        ...

    async def changes_since(
        self, seq: int, *, ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[int, list[Change]] | None:
        """Return (sequence number reached, the changes after `seq`, each run once with its newest), or None if `seq`
        is too old or beyond the end: then everything must be loaded anew."""
        ...

    async def last_seq(self) -> int:
        """Return the newest sequence number."""
        ...

    async def close(self) -> None:
        """Finish what waits, checkpoint and close. Safe to call twice."""
        ...
