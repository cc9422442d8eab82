"""What one run's screen knows: read from a real server, never older over newer, each part with its age."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from flowlatch.api.opener import open_backend
from flowlatch.config import load_settings, resolve
from flowlatch.live import detail as module
from flowlatch.live.detail import Part, RunDetail
from flowlatch.live.link import RunsChanged
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import FlowRun, RunId
from flowlatch.secret import Secret
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire


class Watched:
    """A detail that follows a run, and the parts that it said were new."""

    def __init__(self, session: Session, run_id: str) -> None:
        self.said: list[frozenset[Part]] = []
        self.session = session
        self.detail = RunDetail(session, RunId(run_id), on_change=self.said.append)

    @property
    def run(self) -> FlowRun:
        """The run, once it is known."""
        assert self.detail.run is not None
        return self.detail.run

    async def has(self, condition: Callable[[RunDetail], Any]) -> RunDetail:
        """Wait until a condition holds of the detail."""
        await eventually_async(lambda: condition(self.detail))
        return self.detail


@asynccontextmanager
async def watching(server: ServerProcess, run_id: str, *parts: Part) -> AsyncIterator[Watched]:
    """Follow a run on a server, wanting these parts beside run and history."""
    target = resolve(load_settings(), server=server.url, token=Secret(server.token or ""))
    session = Session(target, lambda: open_backend(target))
    watched = Watched(session, run_id)
    watched.detail.want({Part.RUN, Part.HISTORY, *parts})
    session.listen(lambda e: watched.detail.apply(e.batch) if isinstance(e, RunsChanged) else watched.detail.resume())
    tasks = [asyncio.create_task(session.run()), asyncio.create_task(watched.detail.follow())]
    try:
        yield watched
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def flow(shared_wire: Wire) -> str:
    """Make a flow."""
    return shared_wire.create_flow("detail", [{"name": "day"}])


@pytest.fixture
def run_id(shared_wire: Wire, flow: str) -> str:
    """Make a running run."""
    made = shared_wire.create_run(flow, parameters={"day": "x"}, idempotency_key="k1")
    shared_wire.set_state(made, 1, "Running", "off it goes")
    return made


async def test_it_reads_the_run_and_its_history(shared_server: ServerProcess, run_id: str) -> None:
    async with watching(shared_server, run_id) as watched:
        detail = await watched.has(lambda d: d.run and len(d.history) == 2)
        assert detail.run is not None
        assert (detail.run.version, detail.run.parameters) == (2, {"day": "x"})
        assert [state.name for state in detail.history] == ["Scheduled", "Running"]
        assert detail.tail.lines == [], "what is not wanted is not asked for"
        assert detail.age_s(Part.LOGS) is None
        assert (detail.age_s(Part.RUN) or 0) < 30


async def test_it_follows_changes_and_appends_to_the_history(
    shared_server: ServerProcess, shared_wire: Wire, run_id: str
) -> None:
    async with watching(shared_server, run_id) as watched:
        await watched.has(lambda d: len(d.history) == 2)
        first = watched.detail.history[0]
        await asyncio.to_thread(shared_wire.set_state, run_id, 2, "Success", "done")
        detail = await watched.has(lambda d: watched.run.version == 3 and len(d.history) == 3)
        assert detail.history[0] is first, "the states held are not read again"
        await watched.has(lambda d: (watched.run.raw or {})["version"] == 3)


async def test_a_pushed_row_is_shown_at_once_and_an_older_one_never(shared_server: ServerProcess, run_id: str) -> None:
    async with watching(shared_server, run_id) as watched:
        detail = await watched.has(lambda d: d.run and d.history)
        old = detail.run
        assert old is not None
        newer = replace(old, version=7, state="Failed", parameters=None)
        for row in (newer, old):
            detail.apply(ChangeBatch(cursor="", changes=[RunChange(id=old.id, kind=ChangeKind.UPDATED, run=row)]))
            assert detail.run is not None
            assert (detail.run.version, detail.run.state) == (7, "Failed")
        assert watched.run.parameters == {"day": "x"}, "what a row does not tell stays known"


async def test_a_server_that_went_back_to_a_backup_is_believed_in_the_end(
    shared_server: ServerProcess, run_id: str
) -> None:
    async with watching(shared_server, run_id) as watched:
        detail = await watched.has(lambda d: d.run and len(d.history) == 2)
        old = watched.run
        lost = replace(old, version=7, state="Failed")
        detail.apply(ChangeBatch(cursor="", changes=[RunChange(id=old.id, kind=ChangeKind.UPDATED, run=lost)]))
        detail.history = [*detail.history, replace(detail.history[-1], version=7, name="Failed")]
        await watched.has(lambda d: watched.run.version == 2 and len(d.history) == 2)
        assert (watched.run.state, detail.history[-1].name) == ("Running", "Running")


async def test_the_log_is_followed_in_order_and_each_line_is_held_once(
    shared_server: ServerProcess, shared_wire: Wire, run_id: str
) -> None:
    shared_wire.log(run_id, "one", "two")
    async with watching(shared_server, run_id, Part.LOGS) as watched:
        await watched.has(lambda d: len(d.tail) == 2 and d.tail.is_whole)
        await asyncio.to_thread(shared_wire.log, run_id, "three")
        detail = await watched.has(lambda d: len(d.tail) == 3)
        assert sorted(line.message for line in detail.tail.lines) == ["one", "three", "two"]
        assert detail.tail.lines[-1].message == "three"


async def test_older_lines_are_read_when_they_are_asked_for(
    shared_server: ServerProcess, shared_wire: Wire, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_LINES", 20)
    shared_wire.log(run_id, *(f"line {number}" for number in range(100)))
    async with watching(shared_server, run_id, Part.LOGS) as watched:
        watched.detail._log_limit = 20
        detail = await watched.has(lambda d: Part.LOGS in d.loaded_at)
        assert (len(detail.tail), detail.tail.is_whole) == (20, False)
        assert detail.want_older_logs()
        await watched.has(lambda d: len(d.tail) == 100 and d.tail.is_whole)
        assert not detail.want_older_logs(), "there is no more"


async def test_related_runs_are_the_newest_others_of_the_flow(
    shared_server: ServerProcess, shared_wire: Wire, flow: str, run_id: str
) -> None:
    other = shared_wire.create_run(flow)
    async with watching(shared_server, run_id, Part.RELATED) as watched:
        detail = await watched.has(lambda d: d.related)
        assert [run.id for run in detail.related] == [other]


async def test_a_deleted_run_is_gone_and_what_was_known_of_it_stays(
    shared_server: ServerProcess, shared_wire: Wire, run_id: str
) -> None:
    async with watching(shared_server, run_id) as watched:
        await watched.has(lambda d: d.run and d.history)
        document = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"
        await asyncio.to_thread(shared_wire.data, document, {"input": {"flow_run_id": run_id}})
        detail = await watched.has(lambda d: d.is_gone)
        assert detail.run is not None
        assert len(detail.history) == 2


async def test_looking_at_another_run_drops_answers_about_the_one_before(
    shared_server: ServerProcess, shared_wire: Wire, flow: str, run_id: str
) -> None:
    other = shared_wire.create_run(flow)
    async with watching(shared_server, run_id) as watched:
        await watched.has(lambda d: d.run)
        watched.detail.see(RunId(other))
        assert watched.detail.run is None
        detail = await watched.has(lambda d: d.run and d.history)
        assert detail.run is not None
        assert detail.run.id == other
        assert {state.version for state in detail.history} == {1}


async def test_an_unknown_run_is_said_to_be_gone(shared_server: ServerProcess) -> None:
    async with watching(shared_server, "00000000-0000-4000-8000-000000000000") as watched:
        detail = await watched.has(lambda d: d.is_gone)
        assert "no flow run has the id" in detail.problems[Part.RUN]


async def test_a_lost_server_keeps_what_is_known_and_the_rest_comes_with_the_link(server: ServerProcess) -> None:
    wire = server.wire()
    run_id = await asyncio.to_thread(lambda: wire.create_run(wire.create_flow("lost")))
    async with watching(server, run_id) as watched:
        await watched.has(lambda d: d.run and d.history)
        await asyncio.to_thread(server.kill)
        await eventually_async(lambda: not watched.session.link.is_online)
        watched.detail.reload()
        assert watched.detail.run is not None
        await asyncio.to_thread(server.restart)
        wire = server.wire()
        await asyncio.to_thread(wire.set_state, run_id, 1, "Running")
        watched.session.retry_now()
        await eventually_async(lambda: watched.session.link.is_online, deadline_s=20)
        watched.detail.reload()
        await watched.has(lambda d: watched.run.version == 2 and len(d.history) == 2)
