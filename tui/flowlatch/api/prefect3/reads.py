"""What the Prefect 3 backend reads; see `backend.Backend` for what each method promises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flowlatch.api.convert import Row, Unreadable, rows, without_repeats
from flowlatch.api.prefect3 import convert
from flowlatch.api.prefect3.call import RestCaller
from flowlatch.api.prefect3.query import Body, Plan, plan, sort_key
from flowlatch.errors import ForeignServer, NotFound
from flowlatch.model.kin import Relation, Relative
from flowlatch.model.match import matches
from flowlatch.model.query import Count, RunPage, RunQuery, is_end
from flowlatch.model.run import Agent, Flow, FlowId, FlowRun, LogLine, LogMark, RunId, TaskEdge, TaskRun
from flowlatch.model.state import State
from flowlatch.text import one_line

PAGE_ROWS = 200
"""Rows of one answer at most."""
SCANNED_ROWS = 2_000
"""Where the server cannot decide, so many of its newest rows are looked at."""
NAMES_KEPT = 10_000


class Prefect3Reads:
    """Reads over one `RestCaller`."""

    def __init__(self, caller: RestCaller) -> None:
        self._call = caller
        self._flow_names: dict[str, str] = {}

    def now(self) -> datetime:
        """Return the server's clock by the `Date` of its last answer."""
        return datetime.now(UTC) + self._call.link.skew

    async def server_now(self) -> datetime:
        """Return the server's clock by the `Date` header, exact to a second."""
        await self._call.get("/health")
        return self.now()

    # ---- lists ---------------------------------------------------------------------------------------------------

    async def page(self, query: RunQuery, *, with_total: bool = True) -> RunPage:
        """Return one page of runs. Where the server cannot decide or order, among its newest 2,000 matches."""
        asked = plan(query)
        if asked.is_direct:
            found, unreadable = await self._slice(asked.bodies[0], asked.sort, query.offset, query.limit)
            kept, repeats = without_repeats(found)
            total = await self._total(query, asked.bodies[0], len(found) + unreadable) if with_total else None
            return RunPage(rows=kept, offset=query.offset, total=total, unreadable=unreadable + repeats)
        found, unreadable, is_whole = await self._scanned(query, asked)
        page = found[query.offset : query.offset + query.limit]
        total = len(found) if with_total else None
        return RunPage(rows=page, offset=query.offset, total=total, total_is_exact=is_whole, unreadable=unreadable)

    async def _total(self, query: RunQuery, body: Body, received: int) -> int:
        if is_end(received, query.offset, query.limit):
            return query.offset + received
        return await self._count(body)

    async def _scanned(self, query: RunQuery, asked: Plan) -> tuple[list[FlowRun], int, bool]:
        """Return all matches found, in order; how many rows were unreadable; whether these are all there are."""
        found: list[FlowRun] = []
        unreadable, is_whole = 0, True
        for body in asked.bodies:
            part, bad = await self._slice(body, asked.sort, 0, SCANNED_ROWS)
            found += part
            unreadable += bad
            is_whole = is_whole and len(part) + bad < SCANNED_ROWS
        unique, _ = without_repeats(found)
        if asked.rest is not None:
            now = self.now()
            unique = [run for run in unique if matches(run, asked.rest, now)]
        unique.sort(key=sort_key(query.sort), reverse=query.sort.descending)
        return unique, unreadable, is_whole

    async def _slice(self, body: Body, sort: str, offset: int, limit: int) -> tuple[list[FlowRun], int]:
        """Return rows by as many requests as it takes, and how many could not be read."""
        taken: list[Row] = []
        while len(taken) < limit:
            wanted = min(limit - len(taken), PAGE_ROWS)
            asked = {**body, "sort": sort, "limit": wanted, "offset": offset + len(taken)}
            answer = self._list(await self._call.read("/flow_runs/filter", asked))
            taken += answer
            if len(answer) < wanted:
                break
        return await self._runs(taken)

    async def _runs(self, taken: Sequence[Any]) -> tuple[list[FlowRun], int]:
        names = await self._names(row.get("flow_id") for row in taken if isinstance(row, dict))
        return rows(list(taken), lambda row: convert.flow_run(row, names))

    async def _names(self, flow_ids: Iterable[Any]) -> Mapping[str, str]:
        """Return the names of flows by id; each is asked for once."""
        unknown = sorted({each for each in flow_ids if isinstance(each, str)} - self._flow_names.keys())
        if len(self._flow_names) > NAMES_KEPT:
            self._flow_names.clear()
        for begin in range(0, len(unknown), PAGE_ROWS):
            ids = unknown[begin : begin + PAGE_ROWS]
            body = {"flows": {"id": {"any_": ids}}, "limit": PAGE_ROWS}
            for row in self._list(await self._call.read("/flows/filter", body)):
                if isinstance(row, dict) and isinstance(row.get("name"), str):
                    self._flow_names[str(row.get("id"))] = row["name"]
        return self._flow_names

    async def counts(self, queries: Mapping[str, RunQuery]) -> dict[str, Count]:
        """Return how many runs match each query, one request for each; at least so many where the server cannot."""
        found = await asyncio.gather(*(self._counted(query) for query in queries.values()))
        return dict(zip(queries, found, strict=True))

    async def _counted(self, query: RunQuery) -> Count:
        asked = plan(query)
        if len(asked.bodies) == 1 and asked.rest is None:
            return Count(value=await self._count(asked.bodies[0]))
        found, _, is_whole = await self._scanned(query, asked)
        return Count(value=len(found), is_exact=is_whole)

    async def _count(self, body: Body) -> int:
        number = await self._call.read("/flow_runs/count", body)
        if not isinstance(number, int):
            raise ForeignServer(f"{self._call.link.where}: the answer holds no count")
        return number

    # ---- one run -------------------------------------------------------------------------------------------------

    async def run(self, run_id: RunId) -> FlowRun:
        """Return the whole run. Raises `NotFound`."""
        row = await self._run_row(run_id)
        names = await self._names([row.get("flow_id")])
        try:
            return convert.flow_run(row, names, is_whole=True)
        except Unreadable as error:
            raise ForeignServer(f"flow run {one_line(run_id, 60)} is unreadable: {error}") from error

    async def _run_row(self, run_id: RunId) -> Row:
        try:
            row = await self._call.get(f"/flow_runs/{as_path(run_id)}")
        except NotFound as error:
            raise NotFound(f"no flow run has the id {one_line(run_id, 60)}") from error
        if not isinstance(row, dict):
            raise ForeignServer(f"flow run {one_line(run_id, 60)} is unreadable")
        return row

    async def history(self, run_id: RunId, *, after_version: int = 0) -> list[State]:
        """Return the states of a run, oldest first."""
        answer = self._list(await self._call.get(f"/flow_run_states/?flow_run_id={as_path(run_id)}"))
        states, _ = rows(answer, convert.state)
        return sorted((each for each in states if each.version > after_version), key=lambda each: each.version)

    async def task_runs(self, run_id: RunId) -> list[TaskRun]:
        """Return the task runs of a run in the order they were to start."""
        found: list[TaskRun] = []
        body = {"task_runs": {"flow_run_id": {"any_": [run_id]}}, "sort": "EXPECTED_START_TIME_ASC"}
        while True:
            asked = {**body, "limit": PAGE_ROWS, "offset": len(found)}
            answer = self._list(await self._call.read("/task_runs/filter", asked))
            found += rows(answer, convert.task_run)[0]
            if len(answer) < PAGE_ROWS:
                return found

    async def task_edges(self, flow_id: FlowId) -> list[TaskEdge]:
        """Return nothing: the tasks of a flow are found while it runs."""
        return []

    async def relatives(self, run: FlowRun) -> list[Relative]:
        """Return the run whose task made this one, and the runs that tasks of this one made."""
        found: list[Relative] = []
        maker = (run.raw or {}).get("parent_task_run_id")
        if isinstance(maker, str):
            task = await self._call.get(f"/task_runs/{as_path(maker)}")
            parent = task.get("flow_run_id") if isinstance(task, dict) else None
            if isinstance(parent, str):
                name = str(task.get("name") or "")
                found.append(Relative(relation=Relation.PARENT, run=await self.run(RunId(parent)), task=name))
        body = {"flow_runs": {"parent_flow_run_id": {"any_": [run.id]}}}
        children, _ = await self._slice(body, "EXPECTED_START_TIME_ASC", 0, SCANNED_ROWS)
        return found + [Relative(relation=Relation.CHILD, run=each) for each in children]

    async def logs(self, run_id: RunId, *, after: LogMark | None = None, limit: int = 1000) -> list[LogLine]:
        """Return the newest lines, oldest first, or those written since a mark."""
        where: Body = {"flow_run_id": {"any_": [run_id]}}
        if after is None:
            newest = await self._lines(where, "TIMESTAMP_DESC", 0, limit)
            return newest[::-1]
        where["timestamp"] = {"after_": after.arrived.isoformat()}
        return await self._lines(where, "TIMESTAMP_ASC", after.taken, limit)

    async def _lines(self, where: Body, sort: str, offset: int, limit: int) -> list[LogLine]:
        found: list[LogLine] = []
        while len(found) < limit:
            wanted = min(limit - len(found), PAGE_ROWS)
            asked = {"logs": where, "sort": sort, "limit": wanted, "offset": offset + len(found)}
            answer = self._list(await self._call.read("/logs/filter", asked))
            found += rows(answer, convert.log_line)[0]
            if len(answer) < wanted:
                break
        return found

    # ---- what runs are made from -----------------------------------------------------------------------------------

    async def flows(self, *, text: str = "", archived: bool = False, limit: int = 200) -> list[Flow]:
        """Return the deployments whose flow's or own name contains `text`, or both its parts `FLOW/NAME`, by name."""
        body: Body = {"sort": "NAME_ASC", "limit": min(limit, PAGE_ROWS)}
        flow_name, slash, own_name = text.partition("/")
        if slash:
            body |= {"flows": {"name": {"like_": flow_name}}, "deployments": {"name": {"like_": own_name}}}
        elif text:
            body["deployments"] = {"flow_or_deployment_name": {"like_": text}}
        answer = self._list(await self._call.read("/deployments/filter", body))
        names = await self._names(row.get("flow_id") for row in answer if isinstance(row, dict))
        found, _ = rows(answer, lambda row: convert.deployment(row, names))
        return sorted(found, key=lambda each: (each.name.lower(), each.id))

    async def flow(self, flow_id: FlowId) -> Flow:
        """Return one deployment. Raises `NotFound`."""
        try:
            row = await self._call.get(f"/deployments/{as_path(flow_id)}")
        except NotFound as error:
            raise NotFound(f"no deployment has the id {one_line(flow_id, 60)}") from error
        names = await self._names([row.get("flow_id")] if isinstance(row, dict) else [])
        try:
            return convert.deployment(row, names)
        except Unreadable as error:
            raise ForeignServer(f"deployment {one_line(flow_id, 60)} is unreadable: {error}") from error

    async def agents(self) -> list[Agent]:
        """Return the workers of all work pools, the one last heard of first."""
        found: list[Agent] = []
        pools = self._list(await self._call.read("/work_pools/filter", {"limit": PAGE_ROWS}))
        for pool in pools:
            name = pool.get("name") if isinstance(pool, dict) else None
            if not isinstance(name, str):
                continue
            path = f"/work_pools/{as_path(name)}/workers/filter"
            workers, _ = rows(self._list(await self._call.read(path, {})), convert.worker)
            found += [replace(each, type=f"{each.type or 'worker'} of {name}") for each in workers]
        oldest = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda each: each.last_queried or oldest, reverse=True)

    def _list(self, answer: Any) -> list[Any]:
        if isinstance(answer, list):
            return answer
        raise ForeignServer(f"{self._call.link.where}: the answer is no list")


def as_path(part: str) -> str:
    """Return text as one piece of a path."""
    return quote(part, safe="")
