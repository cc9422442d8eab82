"""What the GraphQL backend reads. Mixed into `graphql.GraphQLBackend`; documents in `documents.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flowlatch.api import convert, documents, filters
from flowlatch.api.call import Caller
from flowlatch.api.documents import Dialect
from flowlatch.api.graphql_kin import relatives
from flowlatch.api.http import TooLarge
from flowlatch.api.log_pages import LogPages
from flowlatch.errors import ForeignServer, NotFound
from flowlatch.model.kin import Relative
from flowlatch.model.query import Count, RunPage, RunQuery, is_end
from flowlatch.model.run import Agent, Flow, FlowId, FlowRun, LogLine, LogMark, RunId, TaskEdge, TaskRun
from flowlatch.model.state import State
from flowlatch.text import one_line

COUNT_LIMIT = 10_000
"""Counting stops here; more is shown as "10,000+"."""


class GraphQLReads:
    """Reads over one `Caller`; see `backend.Backend` for what each method promises."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller
        self._dialect = Dialect(is_ours=True)
        self._skew = timedelta()

    def now(self) -> datetime:
        """Return the server's clock, as far as it is known without asking."""
        return datetime.now(UTC) + self._skew

    async def server_now(self) -> datetime:
        """Ask the server for its clock; the `Date` header where it has no field for it (1 s exact)."""
        if not self._dialect.is_ours:
            await self._call.read(documents.HELLO)
            self._note_date()
        else:
            await self._timed(documents.NOW)
        return self.now()

    async def _timed(self, document: str) -> dict[str, Any]:
        """Read a document with the server's clock in it, and compare that with ours halfway through."""
        asked_at = time.monotonic()
        answer = await self._call.read(document)
        took = timedelta(seconds=time.monotonic() - asked_at)
        try:
            theirs = convert.time(convert.child(convert.child(answer, "api"), "capabilities"), "now")
        except convert.Unreadable:
            theirs = None
        if theirs is None:
            self._note_date()
        else:
            skew = theirs - (datetime.now(UTC) - took / 2)
            self._skew = skew if abs(skew) > took else timedelta()
        return answer

    def _note_date(self) -> None:
        self._skew = self._call.link.skew

    async def page(self, query: RunQuery, *, with_total: bool = True) -> RunPage:
        """Return one page of runs; without their messages when these make the answer too large."""
        where = filters.where(query, self.now())
        variables = {
            "where": where,
            "order_by": filters.order_by(query.sort),
            "limit": query.limit,
            "offset": query.offset,
        }
        is_counted = with_total and self._is_quick(query)
        document = self._dialect.counted_page if is_counted else self._dialect.page
        try:
            answer = await self._call.read(document, variables)
        except TooLarge:
            answer = await self._call.read(self._dialect.page_without_messages, variables)
        runs, unreadable = convert.rows(answer.get("flow_run"), convert.flow_run)
        total = await self._total(query, answer, len(runs) + unreadable) if with_total else None
        runs, repeats = convert.without_repeats(runs)
        return RunPage(
            rows=runs,
            offset=query.offset,
            total=total.value if total else None,
            total_is_exact=total.is_exact if total else True,
            unreadable=unreadable + repeats,
        )

    async def _total(self, query: RunQuery, answer: dict[str, Any], received: int) -> Count:
        """Return how many runs match: from the answer, from the end of the list when it was reached, else by asking."""
        if "c0" in answer:
            return self._count(answer, "c0", None)
        if is_end(received, query.offset, query.limit):
            return Count(value=query.offset + received)
        return (await self._counts([query]))[0]

    def _is_quick(self, query: RunQuery) -> bool:
        return self._dialect.is_ours and filters.is_counted_at_once(query)

    async def counts(self, queries: Mapping[str, RunQuery]) -> dict[str, Count]:
        """Return how many runs match each query, in one request; counting stops at 10,000 where it takes time."""
        if not queries:
            return {}
        return dict(zip(queries, await self._counts(list(queries.values())), strict=True))

    async def _counts(self, queries: Sequence[RunQuery]) -> list[Count]:
        now = self.now()
        variables: dict[str, Any] = {}
        for index, query in enumerate(queries):
            variables[f"w{index}"] = filters.where(query, now)
            variables[f"l{index}"] = None if self._is_quick(query) else COUNT_LIMIT + 1
        answer = await self._call.read(documents.counts(len(queries)), variables)
        return [self._count(answer, f"c{index}", variables[f"l{index}"]) for index in range(len(queries))]

    def _count(self, answer: dict[str, Any], field: str, limit: int | None) -> Count:
        try:
            value = convert.required_number(convert.child(convert.child(answer, field), "aggregate"), "count")
        except convert.Unreadable as error:
            raise ForeignServer(f"{one_line(self._call.link.url)}: the answer holds no count") from error
        return Count(value=min(value, COUNT_LIMIT) if limit else value, is_exact=limit is None or value < limit)

    async def run(self, run_id: RunId) -> FlowRun:
        """Return the whole run. Raises `NotFound`."""
        row = (await self._call.read(self._dialect.run, {"id": run_id})).get("flow_run_by_pk")
        if row is None:
            raise NotFound(f"no flow run has the id {one_line(run_id, 60)}")
        try:
            return convert.flow_run(row, is_whole=True)
        except convert.Unreadable as error:
            raise ForeignServer(f"flow run {one_line(run_id, 60)} is unreadable: {error}") from error

    async def history(self, run_id: RunId, *, after_version: int = 0) -> list[State]:
        """Return the states of a run with a version above `after_version`, oldest first."""
        answer = await self._call.read(self._dialect.history, {"id": run_id, "after": after_version})
        return convert.rows(answer.get("flow_run_state"), convert.state)[0]

    async def task_runs(self, run_id: RunId) -> list[TaskRun]:
        """Return the task runs in the order they were made, mapped children behind their parent."""
        answer = await self._call.read(documents.TASK_RUNS, {"id": run_id})
        found = convert.rows(answer.get("task_run"), convert.task_run)[0]
        place: dict[str, int] = {}
        for task in found:
            place.setdefault(task.task_slug or task.id, len(place))
        return sorted(found, key=lambda task: (place[task.task_slug or task.id], task.map_index))

    async def task_edges(self, flow_id: FlowId) -> list[TaskEdge]:
        """Return which task of a flow version waits for which."""
        return convert.rows(
            (await self._call.read(documents.TASK_EDGES, {"flow": flow_id})).get("edge"), convert.task_edge
        )[0]

    async def relatives(self, run: FlowRun) -> list[Relative]:
        """Return parents, children, source and copies of a whole run."""
        return await relatives(self._call, self._dialect, run)

    async def logs(self, run_id: RunId, *, after: LogMark | None = None, limit: int = 1000) -> list[LogLine]:
        """Return the newest lines, oldest first, or those that arrived behind a mark, in that order."""
        pages = LogPages(self._call.read, run_id, has_order=self._dialect.is_ours)
        return await (pages.newest(limit) if after is None else pages.behind(after, limit))

    async def flows(self, *, text: str = "", archived: bool = False, limit: int = 200) -> list[Flow]:
        """Return the newest version of each flow whose name contains `text`, by name."""
        where: dict[str, Any] = {} if archived else {"archived": {"_eq": False}}
        if text:
            where["name"] = {"_ilike": filters.contains(text)}
        answer = await self._call.read(documents.FLOWS, {"where": where, "limit": limit})
        return convert.rows(answer.get("flow"), convert.flow)[0]

    async def flow(self, flow_id: FlowId) -> Flow:
        """Return one flow version. Raises `NotFound`."""
        row = (await self._call.read(documents.FLOW, {"id": flow_id})).get("flow_by_pk")
        if row is None:
            raise NotFound(f"no flow has the id {one_line(flow_id, 60)}")
        try:
            return convert.flow(row)
        except convert.Unreadable as error:
            raise ForeignServer(f"flow {one_line(flow_id, 60)} is unreadable: {error}") from error

    async def agents(self) -> list[Agent]:
        """Return the agents, the one last heard of first."""
        return convert.rows((await self._call.read(documents.AGENTS)).get("agent"), convert.agent)[0]
