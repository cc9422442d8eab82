"""What may happen to a database at any moment: gone, restarted, read-only, its answer lost. Source: reliability.md."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowlatch.server.answers import Refused
from flowlatch.server.execute import execute, prepare
from flowlatch.server.service import Service
from flowlatch.store.base import NOBODY, Refusal
from flowlatch.store.postgres import session
from flowlatch.store.postgres.connection import Connection
from flowlatch.store.session import OutcomeUnknown
from tests.postgres.between import Between
from tests.postgres.conftest import OpenWorld, store_of
from tests.store.world import World
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess
from tests.support.waiting import eventually, eventually_async
from tests.support.writers import Writers, check


@pytest.fixture
async def own_cluster() -> AsyncIterator[PostgresProcess]:
    """A cluster that the test may stop and kill."""
    cluster = await asyncio.to_thread(PostgresProcess().start)
    yield cluster
    await asyncio.to_thread(cluster.close)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_done_once(
    cluster: PostgresProcess, open_world: OpenWorld, moment: str
) -> None:
    """The database is asked what became of it: no caller is left in doubt and nothing is done twice."""
    async with Between(cluster.port) as between:
        world = await open_world(between.way(cluster.new_database()))
        flow_id = await world.flow()
        run_id = await world.run(flow_id)
        between.cut_at = moment
        version = await world.set(run_id, 1, "Running", message="once")
        assert (between.cuts, version) == (1, 2)
        assert await world.history(run_id) == [(1, "Scheduled"), (2, "Running")]
        between.cut_at = moment
        creates = await asyncio.gather(*(world.run(flow_id) for _ in range(20)))
        assert between.cuts == 2
        assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {run_id, *creates}
        await world.store.close()


async def test_without_an_answer_in_time_the_outcome_is_unknown(
    cluster: PostgresProcess, open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CERTAINTY_S", 0.3)
    async with Between(cluster.port) as between:
        world = await open_world(between.way(cluster.new_database()))
        flow_id = await world.flow()
        between.cut_at, between.stays_down = "after", True
        with pytest.raises(OutcomeUnknown):
            await world.run(flow_id)
        with pytest.raises(Refusal, match="does not answer"):
            await world.run(flow_id)
        between.is_down = False
        await eventually_async(lambda: created(world, flow_id))
        assert await world.count("flow_run") == 2
        await world.store.close()


async def works(world: World) -> bool:
    """Return whether the store reads again."""
    try:
        return bool(await world.count("tenant"))
    except Refusal:
        return False


async def test_an_unknown_outcome_is_no_answer_at_200(
    open_world: OpenWorld, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(url)
    flow_id = await world.flow()

    async def lost(*_: Any) -> Any:
        raise OutcomeUnknown("gone")

    monkeypatch.setattr(world.store, "write_all", lost)
    asked = prepare(f'mutation {{ createFlowRun(input: {{ flowId: "{flow_id}" }}) {{ id }} }}', {}, None)
    with pytest.raises(Refused) as refused:
        await execute(Service(world.store), asked, NOBODY)
    assert (refused.value.status, refused.value.code) == (503, "OUTCOME_UNKNOWN")


async def test_while_the_database_is_away_everything_is_refused_and_then_goes_on(
    own_cluster: PostgresProcess, open_world: OpenWorld
) -> None:
    world = await open_world(own_cluster.new_database())
    flow_id = await world.flow()
    await asyncio.to_thread(own_cluster.stop)
    for _ in range(3):
        outcomes = await asyncio.gather(*(world.run(flow_id) for _ in range(50)), return_exceptions=True)
        assert {outcome.code for outcome in outcomes if isinstance(outcome, Refusal)} == {"BUSY"}
        assert len(outcomes) == sum(isinstance(outcome, Refusal) for outcome in outcomes)
    with pytest.raises(Refusal, match="does not answer"):
        await world.count("flow_run")
    heard: list[Any] = []
    world.store.on_commit(heard.append)
    await asyncio.to_thread(own_cluster.start)
    await eventually_async(lambda: works(world))
    run_id = await eventually_async(lambda: created(world, flow_id))
    await eventually_async(lambda: heard and heard[-1][-1].run_id == run_id)


async def created(world: World, flow_id: str) -> str:
    """Return a new run, or nothing while that is refused."""
    try:
        return await world.run(flow_id)
    except Refusal:
        return ""


def test_nothing_acknowledged_is_lost_when_servers_and_the_database_are_killed(tmp_path: Path) -> None:
    with PostgresProcess(fsync="on") as cluster:
        options = ("--database", cluster.new_database(), "--no-scheduler")
        with ServerProcess(tmp_path / "one", *options) as one, ServerProcess(tmp_path / "two", *options) as two:
            flow_id = one.wire().create_flow("killed")
            crews = [Writers(server, flow_id, 4, server.data.parent.name).start() for server in (one, two)]
            for victim in (cluster, one, cluster, two):
                done = [crew.acknowledged for crew in crews]
                eventually(lambda done=done: all(c.acknowledged > d + 20 for c, d in zip(crews, done, strict=True)), 60)  # type: ignore[misc]
                if isinstance(victim, PostgresProcess):
                    victim.stop(signal.SIGQUIT)
                else:
                    victim.kill()
                victim.start()
            for crew in crews:
                check(two.wire(), crew.finish())


def writer_of(world: World) -> Connection:
    """Return the connection that writes; use it only while nothing does."""
    return store_of(world)._session._connection


async def test_a_server_that_hangs_in_its_turn_is_waited_for_and_then_refused(open_world: OpenWorld, url: str) -> None:
    world = await open_world(url)
    flow_id = await world.flow()
    writer_of(world).execute("SET lock_timeout = '300ms'")
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM store_clock FOR UPDATE")
        with pytest.raises(Refusal) as refused:
            await world.run(flow_id)
        assert refused.value.code == "BUSY"
        waiting = asyncio.create_task(world.run(flow_id))
        await asyncio.to_thread(other.rollback)
        await waiting
    assert await world.count("flow_run") == 1


async def test_a_database_that_cannot_write_is_said_to_be_so(
    cluster: PostgresProcess, open_world: OpenWorld, url: str
) -> None:
    world = await open_world(url)
    flow_id = await world.flow()
    writer_of(world).execute("SET default_transaction_read_only = on")
    with pytest.raises(Refusal) as refused:
        await world.run(flow_id)
    assert refused.value.code == "STORAGE_FULL"
    writer_of(world).execute("SET default_transaction_read_only = off")
    await world.run(flow_id)


async def test_a_text_too_long_for_an_index_is_refused_and_takes_nothing_along(open_world: OpenWorld, url: str) -> None:
    world = await open_world(url)
    flow_id = await world.flow()
    random = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1_024))
    outcomes = await asyncio.gather(
        world.run(flow_id), world.run(flow_id, flow_run_name=random), world.run(flow_id), return_exceptions=True
    )
    refused = outcomes[1]
    assert isinstance(refused, Refusal)
    assert (refused.code, "2,600 bytes" in refused.message) == ("BAD_USER_INPUT", True)
    assert {row["id"] for row in await world.rows("SELECT id FROM flow_run")} == {outcomes[0], outcomes[2]}


async def test_a_dead_connection_is_made_anew_without_a_word_to_callers(open_world: OpenWorld, url: str) -> None:
    world = await open_world(url)
    flow_id = await world.flow()
    assert await world.count("flow_run") == 0
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    await world.run(flow_id)
    assert await world.count("flow_run") == 1
    assert store_of(world).server_id
