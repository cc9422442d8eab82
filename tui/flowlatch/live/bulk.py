"""One act on many runs: the list is frozen first, each run is changed on its own version, each ends in a result.

A conflict of one never stops the others; a lost connection stops what is not sent yet (ux.md §2 "Bulk", rows 53–56).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from flowlatch.errors import BackendError
from flowlatch.live.create import RunCreated, RunExisted, new_key, outcome_line, retry_of
from flowlatch.live.desk import Cancelled, Deleted, Desk, Outcome
from flowlatch.live.edit import Agreed, Applied, Base, Conflict, Gone, NotSent, Refused, Unknown, failure
from flowlatch.live.parties import party
from flowlatch.model.run import FlowRun
from flowlatch.model.state import StateDraft
from flowlatch.model.versions import version_label
from flowlatch.text import one_line

AT_ONCE = 8
"""Changes under way at the same time."""
TYPED_OVER = 20
"""Over this many runs the count has to be typed."""


class Verb(StrEnum):
    """What can be done to many runs."""

    SET_STATE = "set_state"
    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"


class Result(StrEnum):
    """Where one run of a bulk stands."""

    NOT_SENT = "not sent"
    SENDING = "sending"
    DONE = "done"
    CONFLICT = "conflict"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Item:
    """One run of a bulk, as it was when the list was frozen."""

    run: FlowRun
    base: Base
    key: str = ""
    """Idempotency key of a retry: fixed from the start, so that sending it again makes no second run."""
    outcome: Outcome | None = None
    is_sending: bool = False

    def __post_init__(self) -> None:
        """Fix the key."""
        self.key = self.key or new_key(self.run)

    @property
    def result(self) -> Result:
        """The outcome in one word."""
        if self.is_sending:
            return Result.SENDING
        match self.outcome:
            case None | NotSent():
                return Result.NOT_SENT
            case Conflict():
                return Result.CONFLICT
            case Refused() | Gone():
                return Result.REFUSED
            case Unknown():
                return Result.UNKNOWN
            case _:
                return Result.DONE

    @property
    def is_rest(self) -> bool:
        """True when sending it again is safe and may help: not sent, or unknown and then read back or under its key."""
        return not self.is_sending and self.result in (Result.NOT_SENT, Result.UNKNOWN)


class Bulk:
    """An act on a frozen list. `on_change` is called with each item that changed."""

    def __init__(
        self,
        desk: Desk,
        verb: Verb,
        runs: Sequence[FlowRun],
        *,
        on_change: Callable[[Item], None] = lambda item: None,
        at_once: int = AT_ONCE,
    ) -> None:
        self.desk = desk
        self.verb = verb
        self.items = [Item(run, desk.base_of(run)) for run in runs]
        self.draft: StateDraft | None = None
        """The state to set, for `SET_STATE`."""
        self.is_running = False
        self.is_started = False
        self._on_change = on_change
        self._at_once = at_once
        self._is_stopped = False

    def states(self) -> Counter[str]:
        """Return how many runs are in each state, as frozen."""
        return Counter(item.run.state for item in self.items)

    def results(self) -> Counter[Result]:
        """Return how many runs stand where."""
        return Counter(item.result for item in self.items)

    def rest(self) -> list[Item]:
        """Return the items that may be sent, or sent again."""
        return [item for item in self.items if item.is_rest]

    def stop(self) -> None:
        """Send nothing more; what is under way ends."""
        self._is_stopped = True

    async def run(self) -> None:
        """Act on all items that are not done, in order, a few at a time; end when stopped or all are answered."""
        self.is_running, self.is_started, self._is_stopped = True, True, False
        waiting = iter(self.rest())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._at_once):
                    group.create_task(self._work(waiting))
        finally:
            self.is_running = False

    async def _work(self, waiting: Iterator[Item]) -> None:
        for item in waiting:
            if self._is_stopped:
                return
            was_unknown = item.result is Result.UNKNOWN
            item.is_sending = True
            self._on_change(item)
            try:
                item.outcome = await self._act(item, was_unknown)
            finally:
                item.is_sending = False
                self._on_change(item)
            if isinstance(item.outcome, NotSent) and not was_unknown:
                self._is_stopped = True

    async def _act(self, item: Item, was_unknown: bool) -> Outcome:
        """Act on one run; what was unknown is read back first, never sent blindly again."""
        match self.verb:
            case Verb.SET_STATE:
                assert self.draft is not None
                if was_unknown:
                    return await self.desk.settle(item.base, self.draft)
                return await self.desk.set_state(item.base, self.draft)
            case Verb.CANCEL:
                return await self.desk.cancel(item.base, only_on_base=not was_unknown)
            case Verb.DELETE:
                return await self.desk.delete(item.base)
            case Verb.RETRY:
                return await self._retry(item, was_unknown)

    async def _retry(self, item: Item, was_unknown: bool) -> Outcome:
        """Create a run like this one; a list row has no parameters, so the run is read first."""
        run = item.run
        if run.parameters is None:
            try:
                run = await self.desk.session.backend.run(run.id)
            except BackendError as error:
                return failure(error)
            # the whole run is kept: a second try must send exactly what the first one sent under the same key
            item.run = run = replace(run, parameters=run.parameters or {})
        new = retry_of(run, key=item.key)
        return await self.desk.create(new, flow=run.flow_name, is_fresh_key=True, again=was_unknown)


def result_line(outcome: Outcome | None, *, me: str = "") -> str:
    """Return what became of one run, in one clean line; empty while nothing did."""
    match outcome:
        case None:
            return ""
        case Applied(version=version, state=state):
            return f"{version_label(version)} {one_line(state, 40)}"
        case Agreed(theirs=theirs):
            there = f"{version_label(theirs.version)} {one_line(theirs.name, 40)}"
            return f"{there} already, set by {party(theirs.actor, me=me)}"
        case Conflict(theirs=theirs):
            return f"{version_label(theirs.version)} {one_line(theirs.name, 40)} now, by {party(theirs.actor, me=me)}"
        case Cancelled(state=state):
            return one_line(state, 40)
        case Deleted():
            return "deleted"
        case RunCreated() | RunExisted():
            return one_line(outcome_line(outcome), 200)
        case Gone():
            return "it does not exist any more"
        case Refused(reason=reason) | NotSent(reason=reason) | Unknown(reason=reason):
            return one_line(reason, 200)
