"""A worker of the demo: takes runs that are due and brings them to an end, unless somebody else decides.

Every change goes out on the version the worker knows. When that is stale it looks: a cancel is obeyed, any other
decision is respected and the run let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from flowlatch.api.backend import Backend
from flowlatch.demo.documents import set_task_states, task_runs, write_logs
from flowlatch.demo.flows import COLLEAGUE_FLOW, FLOWS, UNSERVED_LABEL, SampleFlow
from flowlatch.demo.plan import ending
from flowlatch.errors import NotFound, Rejected, VersionConflict
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import StateDraft

LOOK_EVERY_S = 1.5
RETRY_AFTER = timedelta(seconds=8)
_BY_NAME = {flow.name: flow for flow in FLOWS}
_CHATTER = ("read {} rows", "wrote {} rows", "batch {} done", "checked {} keys", "{} records unchanged")

Sleep = Callable[[float], Awaitable[None]]


class LetGo(Exception):
    """Somebody else decided about the run."""


@dataclass
class _Grip:
    """A run in the worker's hands, with the version it knows."""

    run: FlowRun
    version: int


class Worker:
    """Works through runs due after `since`, one at a time, for ever. `sleep` is that of the demo's speed."""

    def __init__(self, backend: Backend, random: Random, since: datetime, *, sleep: Sleep = asyncio.sleep) -> None:
        self._backend = backend
        self._random = random
        self._since = since
        self._sleep = sleep

    async def work(self) -> None:
        """Take one due run after the other."""
        while True:
            run = await self._due()
            if run is None or not await self.carry(run):
                await self._sleep(LOOK_EVERY_S)

    async def _due(self) -> FlowRun | None:
        """Return a run that is due, one of the first few: several workers look at the same list."""
        now = await self._backend.server_now()
        query = RunQuery(
            states=("Scheduled", "Retrying"),
            since=self._since,
            until=now,
            not_labels=(UNSERVED_LABEL,),
            sort=Sort(key=SortKey.START, descending=False),
            limit=8,
        )
        page = await self._backend.page(query, with_total=False)
        due = [run for run in page.rows if _is_due(run, now) and run.flow_name in _BY_NAME]
        return self._random.choice(due) if due else None

    async def carry(self, run: FlowRun) -> bool:
        """Bring a run to its end; False when another worker or a person was faster."""
        grip = _Grip(run, run.version)
        try:
            await self._set(grip, "Submitted", "Submitted for execution")
            await self._sleep(self._random.uniform(0.3, 1.2))
            await self._set(grip, "Running", "Running")
            await self._execute(grip, _BY_NAME[run.flow_name])
        except (LetGo, NotFound):
            return False
        return True

    async def _execute(self, grip: _Grip, flow: SampleFlow) -> None:
        """Run the tasks and set the last state, or the next try."""
        states = ending(self._random, flow)
        if states[0]["type"] == "Cancelled" or grip.run.state == "Retrying":
            states = ({"type": "Success", "message": flow.done},)
        is_good = states[0]["type"] == "Success"
        stops_at = len(flow.tasks) if is_good else self._random.randrange(len(flow.tasks))
        tasks = (await task_runs(self._backend, [grip.run.id]))[grip.run.id]
        lasts_s = self._random.uniform(*flow.lasts_s) / len(flow.tasks)
        for index, slug in enumerate(flow.tasks[: stops_at + 1]):
            await self._task(grip, tasks.get(slug), slug, lasts_s, index < stops_at, states[0].get("message"))
        start = await self._backend.server_now() + RETRY_AFTER if states[0]["type"] == "Retrying" else None
        extra = {"run_count": states[0]["run_count"]} if start else {}
        await self._set(grip, states[0]["type"], states[0]["message"], start_time=start, extra=extra)

    async def _task(
        self, grip: _Grip, task_id: str | None, slug: str, lasts_s: float, is_good: bool, trouble: Any
    ) -> None:
        """Run one task: Running, some lines of log while it lasts, then its end. On a second try it has been run."""
        await self._task_state(task_id, 0, {"type": "Running", "message": "Running"})
        await self._log(grip.run, "INFO", f"Task '{slug}': starting task run", task_id)
        lines = self._random.randint(2, 4)
        for _ in range(lines):
            await self._sleep(lasts_s / lines)
            await self._look(grip)
            words = self._random.choice(_CHATTER).format(self._random.randint(100, 90000))
            await self._log(grip.run, self._random.choice(["INFO", "INFO", "DEBUG"]), f"{slug}: {words}", task_id)
        if is_good:
            await self._task_state(task_id, 1, {"type": "Success", "message": "Task run succeeded."})
        else:
            await self._log(grip.run, "ERROR", f"{slug}: {trouble}", task_id)
            await self._task_state(task_id, 1, {"type": "Failed", "message": str(trouble)})

    async def _task_state(self, task_id: str | None, version: int, state: dict[str, Any]) -> None:
        """Set a task's state; one that has moved already, or whose flow run is not running, stays as it is."""
        if task_id is None:
            return
        try:
            await set_task_states(self._backend, [{"task_run_id": task_id, "version": version, "state": state}])
        except (VersionConflict, Rejected):
            return

    async def _log(self, run: FlowRun, level: str, message: str, task_id: str | None) -> None:
        line = {"flow_run_id": run.id, "level": level, "message": message, "name": f"prefect.{run.flow_name}"}
        now = await self._backend.server_now()
        await write_logs(self._backend, [line | {"timestamp": now.isoformat(), "task_run_id": task_id}])

    async def _look(self, grip: _Grip) -> None:
        """See whether the run is still ours."""
        run = await self._backend.run(grip.run.id)
        if run.version != grip.version:
            await self._give_up(run.id)

    async def _set(
        self,
        grip: _Grip,
        kind: str,
        message: str,
        *,
        start_time: datetime | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        draft = StateDraft(type=kind, message=message, start_time=start_time, extra=extra or {})
        try:
            grip.version = await self._backend.set_state(grip.run.id, grip.version, draft)
        except (VersionConflict, Rejected) as error:
            if isinstance(error, NotFound):
                raise
            await self._give_up(grip.run.id)

    async def _give_up(self, run_id: RunId) -> None:
        """Let the run go; one that is being cancelled is brought to Cancelled first. Raises `LetGo`."""
        run = await self._backend.run(run_id)
        if run.state == "Cancelling":
            try:
                draft = StateDraft(type="Cancelled", message="Cancelled by the worker, as asked")
                await self._backend.set_state(run_id, run.version, draft)
            except (VersionConflict, Rejected):
                pass
        raise LetGo


def _is_due(run: FlowRun, now: datetime) -> bool:
    due = run.due_at()
    return due is not None and due <= now and run.flow_name != COLLEAGUE_FLOW
