"""Several servers on one database: keys, versions, the sequence of changes, clocks. Source: design.md §7 and §8."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from flowlatch.store import changes
from flowlatch.store.base import Change, Refusal
from flowlatch.store.operations import flow_run_edits, flow_runs
from tests.postgres.conftest import OpenWorld
from tests.store.world import START, Clock, World
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess
from tests.support.sockets import opened
from tests.support.waiting import eventually_async


async def test_two_servers_make_one_run_of_a_key(open_world: OpenWorld, url: str) -> None:
    one, two = await open_world(url), await open_world(url)
    flow_id = await one.flow()
    answers = await asyncio.gather(
        *(
            world(flow_runs.create_flow_run, flow_id=flow_id, idempotency_key=f"k{number % 5}")
            for number in range(40)
            for world in (one, two)
        )
    )
    assert len({answer["id"] for answer in answers}) == 5
    assert sum(not answer["replayed"] for answer in answers) == 5
    assert await one.count("flow_run") == await two.count("flow_run") == 5


async def test_of_two_decisions_on_one_version_one_is_refused(open_world: OpenWorld, url: str) -> None:
    one, two = await open_world(url), await open_world(url)
    runs = [await one.run(await one.flow()) for _ in range(10)]
    outcomes = await asyncio.gather(
        *(world.set(run_id, 1, "Running", message=name) for run_id in runs for name, world in (("1", one), ("2", two))),
        return_exceptions=True,
    )
    for place, run_id in enumerate(runs):
        won, lost = sorted(outcomes[2 * place : 2 * place + 2], key=lambda outcome: isinstance(outcome, Refusal))
        assert won == 2
        assert isinstance(lost, Refusal)
        assert lost.code == "VERSION_LOCKING_ERROR"
        assert lost.extensions["current"]["message"] == (await two.row("flow_run", run_id))["state_message"]
        assert await one.history(run_id) == [(1, "Scheduled"), (2, "Running")]


async def test_each_server_tells_what_all_commit_in_one_order(open_world: OpenWorld, url: str) -> None:
    one, two = await open_world(url), await open_world(url)
    heard: list[list[Change]] = [[], []]
    for world, told in zip((one, two), heard, strict=True):
        world.store.on_commit(lambda changed, told=told: told.extend(changed))  # type: ignore[misc]
    flow_id = await one.flow()

    async def create(world: World) -> list[str]:
        return [await world.run(flow_id) for _ in range(30)]

    runs = [run_id for made in await asyncio.gather(create(one), create(two)) for run_id in made]
    await asyncio.gather(*(two.set(run_id, 1, "Running") for run_id in runs[:20]))
    await one(flow_run_edits.delete_flow_run, flow_run_id=runs[0])
    last = await one.store.last_seq()
    for told in heard:
        await eventually_async(lambda told=told: told and told[-1].seq == last)  # type: ignore[misc]
        seqs = [change.seq for change in told]
        assert seqs == sorted(set(seqs))
        assert {change.run_id for change in told} == set(runs)
        newest = {change.run_id: change for change in told}
        everything = await two.store.changes_since(0)
        assert everything is not None
        assert {change.run_id: change.seq for change in everything[1]} == {
            run_id: change.seq for run_id, change in newest.items()
        }
        assert newest[runs[0]].kind == "gone"


async def test_who_missed_too_much_is_told_to_load_anew(
    open_world: OpenWorld, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await open_world(url), await open_world(url)
    flow_id = await one.flow()
    monkeypatch.setattr(changes, "FAR_BEHIND", 5)
    heard: list[list[Change] | None] = []
    two.store.on_commit(heard.append)
    await one.store.write_all([lambda tx: flow_runs.create_flow_run(tx, flow_id=flow_id)] * 10)
    await eventually_async(lambda: None in heard)
    run_id = await one.run(flow_id)
    await eventually_async(lambda: heard[-1] and heard[-1][-1].run_id == run_id)


async def test_a_clock_that_is_behind_neither_revives_nor_shortens_a_key(open_world: OpenWorld, url: str) -> None:
    ahead = await open_world(url, Clock(START + timedelta(hours=2)))
    behind = await open_world(url, Clock(START))
    flow_id = await ahead.flow()

    async def use(world: World) -> tuple[str, str]:
        answer = await world(flow_runs.create_flow_run, flow_id=flow_id, idempotency_key="k")
        return answer["id"], answer["expires_at"]

    first = await use(ahead)
    assert await use(behind) == first
    ahead.clock.move(hours=24)
    second = await use(ahead)
    assert second[0] != first[0]
    assert await use(behind) == second
    times = [row["created"] for row in await behind.rows("SELECT created FROM flow_run ORDER BY change_seq")]
    assert times == sorted(times)


async def test_who_follows_is_told_when_the_database_is_not_heard_of(tmp_path: Path) -> None:
    """Other servers may still write to it: an open connection without a word would say that nothing happens."""
    cluster = PostgresProcess()
    with cluster, ServerProcess(tmp_path, "--database", cluster.new_database()) as server:
        async with opened(server) as socket:
            await socket.init()
            await socket.subscribe()
            await socket.changes()
            await asyncio.to_thread(cluster.stop)
            async with asyncio.timeout(20):  # the pings of the server go on
                assert await socket.get() == {"type": "complete", "id": "1"}
            await socket.subscribe("2")
            refused = await socket.get()
            assert (refused["type"], refused["id"]) == ("error", "2")
            assert refused["payload"][0]["extensions"]["code"] == "BUSY"
            await asyncio.to_thread(cluster.start)
            await eventually_async(lambda: asyncio.to_thread(server.wire().create_flow, "again"), 20)
            await socket.subscribe("3")
            assert (await socket.changes("3"))["changes"] == []


async def test_a_subscriber_sees_what_is_done_on_another_server(cluster: PostgresProcess, tmp_path: Path) -> None:
    options = ("--database", cluster.new_database())
    with ServerProcess(tmp_path / "one", *options) as one, ServerProcess(tmp_path / "two", *options) as two:
        flow_id = one.wire().create_flow("shared")
        async with opened(two) as socket:
            await socket.init()
            await socket.subscribe()
            assert (await socket.changes())["changes"] == []
            run_id = one.wire().create_run(flow_id)
            (told,) = (await socket.changes())["changes"]
            assert (told["id"], told["kind"], told["flow_run"]["state"]) == (run_id, "added", "Scheduled")
            one.kill()
            two.wire().set_state(run_id, 1, "Running")
            (told,) = (await socket.changes())["changes"]
            assert (told["id"], told["kind"], told["flow_run"]["version"]) == (run_id, "updated", 2)
