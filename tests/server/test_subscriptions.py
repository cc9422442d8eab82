"""The live changes, by push and by poll. Source: design.md §9."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.server import ServerProcess
from tests.support.sockets import Socket, opened
from tests.support.wire import GraphQLErrors, Wire

POLL = """query($since: String, $ids: [uuid!], $limit: Int) {
  flow_run_changes(since: $since, ids: $ids, limit: $limit) {
    cursor resync changes { id kind flow_run { id version state } } } }"""


def poll(wire: Wire, since: str | None = None, **variables: Any) -> Any:
    """Return `flow_run_changes` by HTTP."""
    return wire.data(POLL, {"since": since, **variables})["flow_run_changes"]


async def test_a_run_is_followed_from_its_making_to_its_end(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe()
    first = await socket.changes()
    assert (first["resync"], first["changes"]) == (False, [])
    run_id = await asyncio.to_thread(wire.create_run, flow_id)
    told = await socket.changes()
    assert told["changes"] == [
        {"id": run_id, "kind": "added", "flow_run": {"id": run_id, "version": 1, "state": "Scheduled"}}
    ]
    assert told["cursor"] != first["cursor"]
    await asyncio.to_thread(wire.set_state, run_id, 1, "Running")
    assert (await socket.changes())["changes"] == [
        {"id": run_id, "kind": "updated", "flow_run": {"id": run_id, "version": 2, "state": "Running"}}
    ]
    await asyncio.to_thread(
        wire.data, f'mutation {{ delete_flow_run(input: {{flow_run_id: "{run_id}"}}) {{ success }} }}'
    )
    assert (await socket.changes())["changes"] == [{"id": run_id, "kind": "gone", "flow_run": None}]


async def test_what_was_missed_comes_first_then_what_comes(socket: Socket, wire: Wire, flow_id: str) -> None:
    cursor = poll(wire)["cursor"]
    missed = [wire.create_run(flow_id) for _ in range(3)]
    wire.set_state(missed[0], 1, "Running")
    await socket.subscribe(since=cursor)
    told = await socket.changes()
    assert [(change["id"], change["kind"]) for change in told["changes"]] == [
        (missed[1], "added"),
        (missed[2], "added"),
        (missed[0], "added"),
    ]
    assert told["changes"][2]["flow_run"]["version"] == 2
    later = await asyncio.to_thread(wire.create_run, flow_id)
    assert [change["id"] for change in (await socket.changes())["changes"]] == [later]


async def test_push_and_poll_tell_the_same(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe()
    cursor = (await socket.changes())["cursor"]
    runs = [await asyncio.to_thread(wire.create_run, flow_id) for _ in range(5)]
    seen: dict[str, Any] = {}
    while len(seen) < len(runs):
        told = await socket.changes()
        seen |= {change["id"]: change for change in told["changes"]}
    polled = poll(wire, cursor)
    assert {change["id"]: change for change in polled["changes"]} == seen
    assert polled["cursor"] == told["cursor"]
    assert poll(wire, polled["cursor"]) == {"cursor": polled["cursor"], "resync": False, "changes": []}


def test_a_poll_goes_on_where_its_limit_ended(wire: Wire, flow_id: str) -> None:
    cursor = poll(wire)["cursor"]
    runs = [wire.create_run(flow_id) for _ in range(5)]
    seen: list[str] = []
    sizes = []
    while True:
        told = poll(wire, cursor, limit=2)
        cursor = told["cursor"]
        sizes.append(len(told["changes"]))
        seen += [change["id"] for change in told["changes"]]
        if len(told["changes"]) < 2:
            break
    assert seen == runs
    assert sizes == [2, 2, 1]


def test_a_poll_about_some_runs_tells_of_no_other(wire: Wire, flow_id: str) -> None:
    cursor = poll(wire)["cursor"]
    mine, other = wire.create_run(flow_id), wire.create_run(flow_id)
    wire.set_state(other, 1, "Running")
    told = poll(wire, cursor, ids=[mine.upper()])
    assert [change["id"] for change in told["changes"]] == [mine]
    assert poll(wire, cursor, ids=[])["changes"] == []


async def test_a_subscription_about_some_runs_tells_of_no_other(socket: Socket, wire: Wire, flow_id: str) -> None:
    mine, other = wire.create_run(flow_id), wire.create_run(flow_id)
    await socket.subscribe(ids=[mine])
    await socket.changes()
    await asyncio.to_thread(wire.set_state, other, 1, "Running")
    await asyncio.to_thread(wire.set_state, mine, 1, "Running")
    assert [change["id"] for change in (await socket.changes())["changes"]] == [mine]


def test_a_heartbeat_alone_is_no_change(wire: Wire, flow_id: str) -> None:
    run_id = wire.create_run(flow_id)
    cursor = poll(wire)["cursor"]
    wire.data(f'mutation {{ update_flow_run_heartbeat(input: {{flow_run_id: "{run_id}"}}) {{ success }} }}')
    assert poll(wire, cursor)["changes"] == []


@pytest.mark.parametrize("edit", ["set_flow_run_name", "set_flow_run_labels"])
def test_a_name_and_labels_are_changes(wire: Wire, flow_id: str, edit: str) -> None:
    run_id = wire.create_run(flow_id)
    cursor = poll(wire)["cursor"]
    value = 'name: "new"' if edit.endswith("name") else 'labels: ["new"]'
    wire.data(f'mutation {{ {edit}(input: {{flow_run_id: "{run_id}", {value}}}) {{ success }} }}')
    assert [(change["id"], change["kind"]) for change in poll(wire, cursor)["changes"]] == [(run_id, "updated")]


def test_cursors_of_elsewhere_ask_to_load_anew(wire: Wire) -> None:
    server_id = wire.data("{ api { capabilities { server_id } } }")["api"]["capabilities"]["server_id"]
    now = poll(wire)["cursor"]
    for cursor in (now.replace(server_id, "00000000-0000-0000-0000-000000000000"), f"{server_id}.999999999"):
        assert poll(wire, cursor) == {"cursor": now, "resync": True, "changes": []}
    for nonsense in ("", "x", f"{server_id}", f"{server_id}.", f"{server_id}.-1", f"{server_id}.x", "." * 300, "é.1"):
        with pytest.raises(GraphQLErrors) as caught:
            poll(wire, nonsense)
        assert caught.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_limit_out_of_range_is_refused(wire: Wire, limit: int) -> None:
    with pytest.raises(GraphQLErrors) as caught:
        poll(wire, limit=limit)
    assert caught.value.code == "BAD_USER_INPUT"


async def test_a_cursor_of_elsewhere_pushes_one_resync_and_goes_on(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe(since="00000000-0000-0000-0000-000000000000.5")
    assert (await socket.changes())["resync"] is True
    run_id = await asyncio.to_thread(wire.create_run, flow_id)
    told = await socket.changes()
    assert (told["resync"], [change["id"] for change in told["changes"]]) == (False, [run_id])


async def test_different_selections_of_one_change(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe(
        "names", "subscription { c: flow_run_changes { changes { flow_run { name f: flow { id } } } } }"
    )
    await socket.subscribe("ids", "subscription { flow_run_changes { changes { id } __typename } }")
    await socket.subscribe(
        "two", "subscription { flow_run_changes { changes { a: flow_run { id } b: flow_run { name } } } }"
    )
    for _ in range(3):
        await socket.get()
    run_id = await asyncio.to_thread(wire.create_run, flow_id, flow_run_name="seen")
    told = {message["id"]: message["payload"]["data"] for message in [await socket.get() for _ in range(3)]}
    assert told == {
        "names": {"c": {"changes": [{"flow_run": {"name": "seen", "f": {"id": flow_id}}}]}},
        "ids": {"flow_run_changes": {"changes": [{"id": run_id}], "__typename": "flow_run_changes"}},
        "two": {"flow_run_changes": {"changes": [{"a": {"id": run_id}, "b": {"name": "seen"}}]}},
    }


async def test_many_commits_lose_nothing_and_end_at_the_newest(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe()
    await socket.changes()

    async def work(number: int) -> str:
        run_id = await asyncio.to_thread(wire.create_run, flow_id, flow_run_name=f"run {number}")
        for version, state in enumerate(("Submitted", "Running", "Success"), 1):
            await asyncio.to_thread(wire.set_state, run_id, version, state)
        return run_id

    runs = set(await asyncio.gather(*(work(number) for number in range(20))))
    newest: dict[str, int] = {}
    while {run_id: newest.get(run_id) for run_id in runs} != dict.fromkeys(runs, 4):
        for change in (await socket.changes())["changes"]:
            version = change["flow_run"]["version"]
            assert version >= newest.get(change["id"], 0), "an older row came after a newer one"
            newest[change["id"]] = version


async def test_a_reader_that_does_not_keep_up_is_told_to_load_anew(
    start_server: Callable[..., ServerProcess],
) -> None:
    server = start_server()
    wire = server.wire()
    fat = (
        "subscription { flow_run_changes { resync cursor changes { id flow_run { "
        + " ".join(f"p{n}: parameters" for n in range(20))
        + " } } } }"
    )
    filler = await asyncio.to_thread(wire.create_flow, "filler", [{"name": "p", "default": "x" * 2_000}])
    create = " ".join(f'r{n}: create_flow_run(input: {{flow_id: "{filler}"}}) {{ id }}' for n in range(50))
    async with opened(server, max_queue=1, max_size=None, compression=None) as slow:
        await slow.init()
        await slow.subscribe(document=fat)
        first = await slow.changes()
        for _ in range(60):
            await asyncio.to_thread(wire.data, f"mutation {{ {create} }}")
        last = await asyncio.to_thread(poll, wire)
        resyncs, cursor = 0, first["cursor"]
        while cursor != last["cursor"]:
            told = await slow.changes()
            resyncs, cursor = resyncs + told["resync"], told["cursor"]
            assert not (told["resync"] and told["changes"])
        assert resyncs >= 1
