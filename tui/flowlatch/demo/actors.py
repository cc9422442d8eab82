"""The process that makes the demo move: `python -m flowlatch.demo.actors DIR SPEED SEED`.

It seeds the past, keeps new runs coming, works on what is due and lets a colleague interfere. It ends when its
standard input ends, so it never outlives the one who started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Target
from flowlatch.demo import colleague
from flowlatch.demo.documents import create_runs, set_task_states, task_runs, write_logs
from flowlatch.demo.flows import CHILD_FLOW, COLLEAGUE_FLOW, FLOWS, SampleFlow, run_name
from flowlatch.demo.history import Crew, FlowIds, register, seed
from flowlatch.demo.history import inputs as inputs_of
from flowlatch.demo.plan import PAST_ENDS, late, whole_past
from flowlatch.demo.worker import Worker
from flowlatch.errors import BackendError
from flowlatch.model.run import NewRun, RunId
from flowlatch.model.state import StateDraft

WORKERS = 5
SEEDERS = 3
"""Workers that appear in the history of the past."""
NEW_RUN_EVERY_S = (2.0, 6.0)
COLLEAGUE_AFTER_S = 60.0
CLOSING_PAUSE_S = 90.0
PAUSE_AFTER_LOSS_S = 1.0

Sleep = Callable[[float], Awaitable[None]]


def scaled(speed: float) -> Sleep:
    """Return a sleep that is `speed` times as short as asked."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    return sleep


class Actors:
    """All who act on the demo's server, each with a connection and a name of its own."""

    def __init__(self, data: Path, speed: float, seed: int) -> None:
        self._data = data
        self._seed = seed
        self._sleep = scaled(speed)

    async def act(self) -> None:
        """Act until cancelled."""
        opener = await self._opened("scheduler")
        try:
            now = await opener.server_now()
            flow_ids = await register(opener, now)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._seed_past(opener, flow_ids, now))
                for number in range(1, WORKERS + 1):
                    group.create_task(
                        self._for_ever(name := f"worker ops-{number}", self._worker(name, now - PAST_ENDS))
                    )
                group.create_task(self._for_ever("scheduler", lambda backend: self._order(backend, flow_ids)))
                group.create_task(self._for_ever("worker ops-9", lambda backend: self._close_books(backend, flow_ids)))
        finally:
            await opener.aclose()

    async def _opened(self, actor: str) -> Backend:
        return await open_backend(Target(Profile(name="demo"), None, actor), data=self._data)

    async def _seed_past(self, backend: Backend, flow_ids: FlowIds, now: datetime) -> None:
        """Bring the past onto the server; "yesterday" is that of this machine, as it is on the screen."""
        try:
            async with AsyncExitStack() as opened:
                names = [*(f"worker ops-{number}" for number in range(1, SEEDERS + 1)), colleague.NAME]
                *workers, mira = [await opened.enter_async_context(self._connection(name)) for name in names]
                await create_runs(backend, [inputs_of(run, flow_ids) for run in late(self._seed, now)])
                crew = Crew(backend, tuple(workers), mira)
                await seed(crew, flow_ids, whole_past(self._seed, now.astimezone()), now)
        except* BackendError as errors:
            sys.stderr.write(f"the past is incomplete: {errors.exceptions}\n")

    @asynccontextmanager
    async def _connection(self, actor: str) -> AsyncIterator[Backend]:
        backend = await self._opened(actor)
        try:
            yield backend
        finally:
            await backend.aclose()

    async def _for_ever(self, actor: str, act: Callable[[Backend], Awaitable[None]]) -> None:
        """Keep an actor acting; a server that is away, or has no room, is tried again."""
        while True:
            try:
                backend = await self._opened(actor)
                try:
                    await act(backend)
                finally:
                    await backend.aclose()
            except BackendError as error:
                sys.stderr.write(f"{actor}: {error}\n")
                await asyncio.sleep(PAUSE_AFTER_LOSS_S)

    def _worker(self, name: str, since: datetime) -> Callable[[Backend], Awaitable[None]]:
        random = Random(f"{name} {self._seed}")
        return lambda backend: Worker(backend, random, since, sleep=self._sleep).work()

    async def _order(self, backend: Backend, flow_ids: FlowIds) -> None:
        """Ask for new runs, most of them for now, some for later."""
        random = Random(f"order {self._seed}")
        flows = [flow for flow in FLOWS for _ in range(flow.weight)]
        while True:
            flow = random.choice(flows)
            now = await backend.server_now()
            due = now + timedelta(minutes=random.randint(2, 30)) if random.random() < 0.04 else now
            await backend.create_run(new_run(flow, flow_ids, random, due))
            await self._sleep(random.uniform(*NEW_RUN_EVERY_S))

    async def _close_books(self, backend: Backend, flow_ids: FlowIds) -> None:
        """Keep one long run going on the flow made for it, and let the colleague end it by hand after a while."""
        flow = next(flow for flow in FLOWS if flow.name == COLLEAGUE_FLOW)
        random = Random(f"books {self._seed}")
        mira = await self._opened(colleague.NAME)
        try:
            while True:
                created = await backend.create_run(new_run(flow, flow_ids, random, await backend.server_now()))
                try:
                    version = await backend.set_state(created.id, 1, StateDraft(type="Submitted", message="Submitted"))
                    await backend.set_state(created.id, version, StateDraft(type="Running", message="Reconciling"))
                    await self._start_child(backend, flow_ids, random, created.id)
                    await self._sleep(COLLEAGUE_AFTER_S)
                    await colleague.change(mira, created.id)
                except BackendError as error:
                    sys.stderr.write(f"{COLLEAGUE_FLOW}: {error}\n")
                await self._sleep(CLOSING_PAUSE_S)
        finally:
            await mira.aclose()

    async def _start_child(self, backend: Backend, flow_ids: FlowIds, random: Random, parent: RunId) -> None:
        """Let the first task start a run of another flow, under its own id as the real client does, and end."""
        flow = next(flow for flow in FLOWS if flow.name == CHILD_FLOW)
        slug, task_id = next(iter((await task_runs(backend, [parent]))[parent].items()))
        await set_task_states(backend, [_task(task_id, 0, "Running", "Running")])
        now = await backend.server_now()
        child = replace(new_run(flow, flow_ids, random, now), idempotency_key=task_id)
        created = await backend.create_run(child)
        said = (f"Task '{slug}': starting task run", f"Created flow run '{child.flow_run_name}': {created.id}")
        line = {"flow_run_id": parent, "task_run_id": task_id, "level": "INFO", "name": f"prefect.{COLLEAGUE_FLOW}"}
        await write_logs(backend, [line | {"timestamp": now.isoformat(), "message": words} for words in said])
        await set_task_states(backend, [_task(task_id, 1, "Success", "Task run succeeded.")])


def _task(task_id: str, version: int, kind: str, message: str) -> dict[str, Any]:
    return {"task_run_id": task_id, "version": version, "state": {"type": kind, "message": message}}


def new_run(flow: SampleFlow, flow_ids: FlowIds, random: Random, due: datetime) -> NewRun:
    """Return the request for a run that is due at a time."""
    return NewRun(
        flow_id=flow_ids[flow.name],
        flow_run_name=run_name(random),
        parameters=flow.draw(random, due),
        labels=list(flow.labels),
        scheduled_start_time=due,
        idempotency_key=f"{flow.name}-{due:%Y%m%dT%H%M%S}-{random.randrange(16**4):04x}",
    )


async def _until_input_ends(act: Awaitable[None]) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb"))
    acting = asyncio.ensure_future(act)
    ended = asyncio.ensure_future(reader.read())
    await asyncio.wait((acting, ended), return_when=asyncio.FIRST_COMPLETED)
    acting.cancel()
    await asyncio.gather(acting, ended, return_exceptions=True)
    if acting.done() and not acting.cancelled() and (error := acting.exception()):
        raise error


def main(arguments: list[str]) -> None:
    """Act on the server of a data directory until standard input ends."""
    directory, speed, number = arguments
    asyncio.run(_until_input_ends(Actors(Path(directory), float(speed), int(number)).act()))


if __name__ == "__main__":
    main(sys.argv[1:])
