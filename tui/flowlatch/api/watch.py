"""Changes as they come: pushed by our server, polled from it where no websocket passes, and from Prefect 1.

An empty batch with an unchanged cursor is a sign of life: a ping, or a poll without news.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flowlatch.api import convert
from flowlatch.api.call import Caller
from flowlatch.api.documents import Dialect
from flowlatch.api.filters import Where
from flowlatch.api.http import TooLarge
from flowlatch.api.pace import Pace
from flowlatch.api.subscribe import MessageTooLarge, NoPush, subscribe
from flowlatch.errors import BadInput, ForeignServer
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import FlowRun, RunId

Sleep = Callable[[float], Awaitable[None]]

POLL_LIMIT = 1000
ROWS_FIRST_S = 0.2
"""How long the import of the websocket client, which takes as long, leaves the processor to the first page of runs."""
PUSH_AGAIN_S = 60.0
"""While polling, how long until push is tried again."""
OVERLAP = timedelta(seconds=5)
"""A poll on `updated` looks back so far: rows are stamped before they are committed."""
RELOAD_S = 60.0
"""A poll on `updated` cannot see deleted runs; a reload so often can."""


async def changes(
    caller: Caller, dialect: Dialect, *, since: str | None, ids: Sequence[RunId] | None, pace: Pace, sleep: Sleep
) -> AsyncGenerator[ChangeBatch, None]:
    """Yield the changes of our own server: pushed, or polled while no websocket can be opened.

    The place they count from is asked for over HTTP, so that nobody waits for the websocket to see rows.
    """
    cursor = since
    if cursor is None:
        first = _batch(await caller.read(dialect.changes, {**_variables(None, ids), "limit": POLL_LIMIT}))
        cursor = first.cursor
        yield first
    if "gql" not in sys.modules:
        await sleep(ROWS_FIRST_S)
    while True:
        try:
            async with aclosing(_pushed(caller, dialect, cursor, ids)) as pushed:
                async for batch in pushed:
                    cursor = batch.cursor
                    yield batch
        except NoPush:
            async with aclosing(_polled(caller, dialect, cursor, ids, pace)) as polled:
                async for batch in polled:
                    cursor = batch.cursor
                    yield batch
        except MessageTooLarge:
            cursor = None
            yield ChangeBatch(cursor="", resync=True)


async def _pushed(
    caller: Caller, dialect: Dialect, since: str | None, ids: Sequence[RunId] | None
) -> AsyncGenerator[ChangeBatch, None]:
    cursor = since or ""
    async with aclosing(subscribe(caller.link, dialect.subscription, _variables(since, ids))) as messages:
        async for data in messages:
            if data is None:
                if cursor:
                    yield ChangeBatch(cursor=cursor)
                continue
            batch = _batch(data)
            cursor = batch.cursor
            yield batch


async def _polled(
    caller: Caller, dialect: Dialect, since: str | None, ids: Sequence[RunId] | None, pace: Pace
) -> AsyncGenerator[ChangeBatch, None]:
    """Poll for about a minute, then end, so that push is tried again."""
    cursor = since
    for _ in range(max(int(PUSH_AGAIN_S / pace.poll_s), 1)):
        variables = {**_variables(cursor, ids), "limit": POLL_LIMIT}
        try:
            batch = _batch(await caller.read(dialect.changes, variables))
        except TooLarge:
            batch = _batch(await caller.read(dialect.changes, _variables(None, ids)))
            batch = replace(batch, resync=True)
        cursor = batch.cursor
        yield batch
        if len(batch.changes) < POLL_LIMIT:
            await pace.wait()


def _variables(since: str | None, ids: Sequence[RunId] | None) -> dict[str, Any]:
    return {"since": since, "ids": list(ids) if ids is not None else None}


def _batch(data: dict[str, Any]) -> ChangeBatch:
    try:
        batch, unreadable = convert.change_batch(data.get("flow_run_changes"))
    except convert.Unreadable as error:
        raise ForeignServer(f"an unreadable message about changes ({error})") from error
    return replace(batch, resync=True) if unreadable else batch


class UpdatedPoll:
    """Finds changes on a server without a change sequence, by the runs' `updated` (contract.md §5).

    `fetch(where)` returns runs in ascending order of `updated`, at most `POLL_LIMIT`. The cursor is a time.
    """

    def __init__(
        self,
        fetch: Callable[[Where], Awaitable[list[FlowRun]]],
        *,
        since: str | None,
        ids: Sequence[RunId] | None,
        now: Callable[[], datetime],
    ) -> None:
        self._fetch = fetch
        self._ids = list(ids) if ids is not None else None
        self._now = now
        self._started = _moment(since) if since else now()
        self._high = self._started
        self._seen: dict[RunId, tuple[int, datetime | None]] = {}
        self._reload_at = now() + timedelta(seconds=RELOAD_S)

    def empty(self) -> ChangeBatch:
        """Return the first batch: the point from which changes count."""
        return ChangeBatch(cursor=self._high.isoformat())

    async def poll(self) -> ChangeBatch:
        """Ask once and return what changed since the last time."""
        if self._ids is not None:
            return await self._poll_ids(self._ids)
        if self._now() >= self._reload_at:
            self._reload_at = self._now() + timedelta(seconds=RELOAD_S)
            return ChangeBatch(cursor=self._high.isoformat(), resync=True)
        runs = await self._fetch({"updated": {"_gte": (self._high - OVERLAP).isoformat()}})
        changes = self._news(runs)
        self._forget()
        if len(runs) >= POLL_LIMIT and not changes:
            self._high += OVERLAP
            return ChangeBatch(cursor=self._high.isoformat(), resync=True)
        return ChangeBatch(cursor=self._high.isoformat(), changes=changes)

    async def _poll_ids(self, ids: list[RunId]) -> ChangeBatch:
        runs = await self._fetch({"id": {"_in": ids}})
        changes = self._news(runs)
        for run_id in set(self._seen) - {run.id for run in runs}:
            del self._seen[run_id]
            changes.append(RunChange(id=run_id, kind=ChangeKind.GONE))
        return ChangeBatch(cursor=self._high.isoformat(), changes=changes)

    def _news(self, runs: list[FlowRun]) -> list[RunChange]:
        changes = []
        for run in runs:
            mark = (run.version, run.updated)
            if self._seen.get(run.id) == mark:
                continue
            is_first = run.id not in self._seen
            self._seen[run.id] = mark
            self._high = max(self._high, run.updated or self._high)
            if self._ids is not None and is_first and run.updated is not None and run.updated < self._started:
                continue
            is_new = is_first and run.created is not None and run.created >= self._started
            kind = ChangeKind.ADDED if is_new else ChangeKind.UPDATED
            changes.append(RunChange(id=run.id, kind=kind, run=run))
        return changes

    def _forget(self) -> None:
        """Keep only what an overlapping poll can return again."""
        edge = self._high - 2 * OVERLAP
        self._seen = {run_id: mark for run_id, mark in self._seen.items() if mark[1] is None or mark[1] >= edge}


def _moment(cursor: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cursor)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput("cursor: it is none of this server's") from error


async def polled_by_updated(poll: UpdatedPoll, pace: Pace) -> AsyncGenerator[ChangeBatch, None]:
    """Yield a batch at once and then one per poll, empty or not."""
    yield poll.empty()
    while True:
        batch = await poll.poll()
        yield batch
        if len(batch.changes) < POLL_LIMIT:
            await pace.wait()
