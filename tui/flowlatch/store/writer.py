"""The one thread that writes: it drains what waits, commits once, then answers all (group commit).

A refused operation takes nothing with it. Nearly all refuse before they write, so a batch runs without savepoints at
first; one that fails after it has written makes the batch run again, each operation under a savepoint of its own. The
answers leave only after COMMIT has returned, which means that they are on the disk. Sources: design.md §7,
performance.md §4 "Durable writes".

Statements of SQLite and the event loop take turns with the interpreter; waiting for the disk leaves it to the loop. So
while more jobs wait, the answers of one commit are handed out when the next one begins to wait for the disk: what they
cause, up to the requests that follow them, is done then, and does not stop a batch at each of its statements.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any

from flowlatch.store.base import Change, Operation, Origin
from flowlatch.store.session import OutcomeUnknown, Session, TransactionLost
from flowlatch.store.tx import Sources, StoreClock, StoreTx

BATCH = 256
"""Operations in one commit at most."""


@dataclass
class Job:
    """Operations that one caller waits for, and what became of each: a result or the exception that ended it."""

    operations: Sequence[Operation[Any]]
    origin: Origin
    answer: Callable[[list[Any]], None]
    """Takes the outcomes; called in the event loop."""
    outcomes: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Failed:
    """The outcome of an operation that raised."""

    error: Exception


class _Attempt:
    """Keeps the exception that ends its block, so that one operation's fault never ends the writer."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> _Attempt:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


class _Spoiled(Exception):
    """An operation failed after it had written, and there was no savepoint to go back to."""


@dataclass(frozen=True)
class Batch:
    """What became of the jobs of one commit."""

    jobs: list[Job]
    changes: list[Change]
    now: datetime
    """The newest time in it."""
    done_at: float
    """By the monotonic clock."""


class Writer:
    """Owns the session that writes. In its thread it calls `done` after each commit, and `pausing` when it is about to
    wait: for the disk, or for jobs."""

    def __init__(
        self,
        session: Session,
        sources: Sources,
        clock: StoreClock,
        done: Callable[[Batch], None],
        pausing: Callable[[], None],
    ) -> None:
        self._session = session
        self._sources = sources
        self._clock = clock
        self._done = done
        self._pausing = pausing
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="flowlatch-writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Finish everything submitted before, then end the thread. Blocks; call it once."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            jobs, last = self._drain()
            if jobs:
                self._work(jobs)
            if self._jobs.empty() or self._session.is_remote:
                self._pausing()
            if last:
                return

    def _drain(self) -> tuple[list[Job], bool]:
        """Wait for a job, then take what else waits. Returns them, and whether the writer shall end after them."""
        first = self._jobs.get()
        if first is None:
            return [], True
        jobs, taken = [first], len(first.operations)
        while taken < BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            taken += len(job.operations)
        return jobs, False

    def _work(self, jobs: list[Job], *, is_again: bool = False) -> None:
        """Run a batch. If its transaction is lost as a whole, run it once more where the connection was the reason,
        else each job in one of its own, so that one too big for the disk does not take the others with it."""
        try:
            changes = self._transact(jobs)
        except TransactionLost as lost:
            if lost.is_cut and not is_again:
                self._work(jobs, is_again=True)
                return
            if len(jobs) > 1:
                for job in jobs:
                    self._work([job], is_again=True)
                return
            changes = []
            self._fail(jobs, lost.cause)
        except OutcomeUnknown as error:
            changes = []
            self._fail(jobs, error)
        except self._session.error as error:  # at the beginning: nobody's operation has run
            changes = []
            self._fail(jobs, error)
        self._done(Batch(jobs, changes, self._clock.last, time.monotonic()))

    def _transact(self, jobs: list[Job]) -> list[Change]:
        """Run all operations of `jobs` in one transaction and commit it. Returns the changes of runs in it."""
        try:
            return self._commit(jobs, self._operate)
        except _Spoiled:
            return self._commit(jobs, self._operate_apart)

    def _commit(self, jobs: list[Job], operate: Callable[[StoreTx, Operation[Any]], Any]) -> list[Change]:
        session = self._session
        last_time, change_seq = session.begin()
        try:
            before = session.written
            tx = StoreTx(session, last_time, change_seq, self._sources, self._clock)
            for job in jobs:
                job.outcomes = []
                for operation in job.operations:
                    tx.begin_operation(job.origin)
                    job.outcomes.append(operate(tx, operation))
            if session.written == before:
                return []  # nothing to keep: no need to wait for the disk
            session.before_commit(tx.changes)
            tx.store_clock()
            self._pausing()
            session.commit()
        except session.error as error:
            raise TransactionLost(error, is_cut=session.is_cut) from error
        finally:
            session.rollback()
        return tx.changes

    def _operate(self, tx: StoreTx, operation: Operation[Any]) -> Any:
        """Run one operation. Returns its result or `Failed`; raises if others cannot go on after it."""
        session, kept = self._session, len(tx.changes)
        before = session.written
        with _Attempt() as attempt:
            return operation(tx)
        assert attempt.error is not None
        self._check_alive(attempt.error)
        if session.written != before or session.is_spoiled:
            raise _Spoiled
        del tx.changes[kept:]
        return Failed(self._meaning(attempt.error))

    def _operate_apart(self, tx: StoreTx, operation: Operation[Any]) -> Any:
        """Run one operation under a savepoint. Returns its result or `Failed`; raises only if all is lost."""
        session, kept = self._session, len(tx.changes)
        session.execute("SAVEPOINT operation")
        with _Attempt() as attempt:
            result = operation(tx)
        if attempt.error is None:
            session.execute("RELEASE operation")
            return result
        self._check_alive(attempt.error)
        session.execute("ROLLBACK TO operation")
        session.execute("RELEASE operation")
        del tx.changes[kept:]
        return Failed(self._meaning(attempt.error))

    def _check_alive(self, error: Exception) -> None:
        """Raise `TransactionLost` if an operation's error has ended the transaction."""
        if not self._session.is_in_transaction and isinstance(error, self._session.error):
            raise TransactionLost(error, is_cut=self._session.is_cut)

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        for job in jobs:
            job.outcomes = [Failed(self._meaning(error)) for _ in job.operations]

    def _meaning(self, error: Exception) -> Exception:
        """Return the refusal that a driver's error stands for, or the error itself."""
        if isinstance(error, self._session.error):
            return self._session.as_refusal(error) or error
        return error
