"""graphql-transport-ws and the live changes, by push and by poll. Source: design.md §9, reliability.md §6."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import GraphQLErrors, Wire

WAIT_S = 8.0
SUBSCRIBE = """subscription($since: String, $ids: [uuid!]) { flow_run_changes(since: $since, ids: $ids) {
  cursor resync changes { id kind flow_run { id version state } } } }"""
POLL = """query($since: String, $ids: [uuid!], $limit: Int) {
  flow_run_changes(since: $since, ids: $ids, limit: $limit) {
    cursor resync changes { id kind flow_run { id version state } } } }"""


class Socket:
    """A websocket seen from the client's side; pings are answered and not shown."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pings = 0

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def get(self) -> Any:
        """Return the next message that is no ping."""
        while True:
            message = json.loads(await asyncio.wait_for(self.connection.recv(), WAIT_S))
            if message["type"] != "ping":
                return message
            self.pings += 1
            await self.send(type="pong")

    async def init(self, **payload: Any) -> None:
        """Do the handshake of the protocol."""
        await self.send(type="connection_init", **({"payload": payload} if payload else {}))
        assert await self.get() == {"type": "connection_ack"}

    async def subscribe(self, name: str = "1", document: str = SUBSCRIBE, **variables: Any) -> None:
        """Start an operation."""
        await self.send(type="subscribe", id=name, payload={"query": document, "variables": variables})

    async def changes(self, name: str = "1") -> Any:
        """Return `flow_run_changes` of the next message, which must be one of that subscription."""
        message = await self.get()
        assert (message["type"], message["id"]) == ("next", name), message
        return message["payload"]["data"]["flow_run_changes"]

    async def closed(self) -> int:
        """Return the code the server closes with."""
        try:
            while True:
                await asyncio.wait_for(self.connection.recv(), WAIT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 0


@asynccontextmanager
async def opened(
    server: ServerProcess, path: str = "/graphql", headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """Open a websocket; it carries the token unless other headers are given."""
    sent = server.headers if headers is None else headers
    protocols = options.pop("subprotocols", ["graphql-transport-ws"])
    url = f"ws://127.0.0.1:{server.port}{path}"
    async with connect(url, additional_headers=sent, subprotocols=protocols, proxy=None, **options) as connection:
        yield Socket(connection)


@pytest.fixture
async def socket(shared_server: ServerProcess) -> AsyncIterator[Socket]:
    """An open socket after its handshake."""
    async with opened(shared_server) as open_socket:
        await open_socket.init()
        yield open_socket


def poll(wire: Wire, since: str | None = None, **variables: Any) -> Any:
    """Return `flow_run_changes` by HTTP."""
    return wire.data(POLL, {"since": since, **variables})["flow_run_changes"]


# ---- the changes ---------------------------------------------------------------------------------------------------


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


# ---- the protocol --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/graphql", "/graphql/"])
async def test_the_token_may_come_in_either_place(shared_server: ServerProcess, path: str) -> None:
    async with opened(shared_server, path) as by_header:
        await by_header.init()
    for key in ("authorization", "Authorization"):
        async with opened(shared_server, path, headers={}) as by_payload:
            await by_payload.init(**{key: f"Bearer {shared_server.token}"})
            assert by_payload.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer x"}, {"authorization": 5}, "text"], ids=repr)
async def test_no_or_a_wrong_token_is_4403(shared_server: ServerProcess, payload: Any) -> None:
    async with opened(shared_server, headers={}) as socket:
        await socket.send(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await socket.closed() == 4403


async def test_a_wrong_token_in_the_header_is_4403_at_once(shared_server: ServerProcess) -> None:
    async with opened(shared_server, headers={"Authorization": "Bearer wrong"}) as socket:
        assert await socket.closed() == 4403


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "nonsense"}], 4400),
        ([{"type": "connection_init"}, {"id": "1"}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "id": "1"}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, []], 4400),
        ([{"type": "connection_init"}, *[{"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIBE}}] * 2], 4409),
        (
            [{"type": "connection_init"}]
            + [{"type": "subscribe", "id": f"{n}", "payload": {"query": SUBSCRIBE}} for n in range(33)],
            4429,
        ),
    ],
)
async def test_close_codes(shared_server: ServerProcess, messages: list[Any], code: int) -> None:
    async with opened(shared_server) as socket:
        for message in messages:
            await socket.connection.send(json.dumps(message))
        assert await socket.closed() == code


@pytest.mark.parametrize("frame", ["{", "", b"\xff\xfe", "[" * 100_000, "null", '"x"', "5"], ids=repr)
async def test_frames_that_are_no_messages_close_the_socket(shared_server: ServerProcess, frame: str | bytes) -> None:
    async with opened(shared_server) as socket:
        await socket.init()
        await socket.connection.send(frame)
        assert await socket.closed() in (4400, 1007)


async def test_no_init_is_4408_after_five_seconds(shared_server: ServerProcess) -> None:
    async with opened(shared_server) as socket:
        assert await socket.closed() == 4408


async def test_a_silent_socket_is_pinged(socket: Socket) -> None:
    assert json.loads(await asyncio.wait_for(socket.connection.recv(), WAIT_S)) == {"type": "ping"}
    await socket.send(type="pong")
    await socket.send(type="ping", payload={"x": 1})
    assert (await socket.get())["type"] == "pong"


async def test_a_socket_that_is_told_things_all_the_time_is_pinged_too(
    socket: Socket, wire: Wire, flow_id: str
) -> None:
    """A client that only listens has nothing else to show that it lives."""
    await socket.subscribe()
    await socket.changes()
    async with asyncio.timeout(2 * WAIT_S):
        while not socket.pings:
            await asyncio.to_thread(wire.create_run, flow_id)
            await socket.changes()
    assert socket.pings == 1


async def test_queries_and_mutations_are_answered_too(socket: Socket, flow_id: str) -> None:
    await socket.subscribe("q", "query { hello }")
    assert (await socket.get())["payload"]["data"]["hello"]
    assert await socket.get() == {"type": "complete", "id": "q"}
    await socket.subscribe("m", f'mutation {{ createFlowRun(input: {{flowId: "{flow_id}"}}) {{ id }} }}')
    assert (await socket.get())["payload"]["data"]["createFlowRun"]["id"]
    assert await socket.get() == {"type": "complete", "id": "m"}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { a: flow_run_changes { cursor } b: flow_run_changes { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { flow_run_changes(since: "x") { cursor } }', "BAD_USER_INPUT"),
        ('subscription { flow_run_changes(ids: ["x"]) { cursor } }', "BAD_USER_INPUT"),
        ("subscription { flow_run_changes @skip(if: true) { cursor } }", None),
    ],
)
async def test_subscriptions_that_cannot_be(socket: Socket, document: str, code: str | None) -> None:
    await socket.subscribe("bad", document)
    message = await socket.get()
    assert (message["type"], message["id"]) == ("error", "bad")
    if code is not None:
        assert message["payload"][0]["extensions"]["code"] == code
    await socket.subscribe("bad")  # the name is free again
    assert (await socket.changes("bad"))["changes"] == []


async def test_complete_ends_one_subscription_and_frees_its_name(socket: Socket, wire: Wire, flow_id: str) -> None:
    await socket.subscribe("a")
    await socket.changes("a")
    await socket.send(type="complete", id="a")
    await socket.send(type="complete", id="unknown")
    await socket.subscribe("b")
    await socket.changes("b")
    run_id = await asyncio.to_thread(wire.create_run, flow_id)
    assert (await socket.changes("b"))["changes"][0]["id"] == run_id
    await socket.subscribe("a")
    await socket.changes("a")


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({"Origin": "http://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({}, {"subprotocols": ["graphql-ws"]}, 400),
        ({}, {"subprotocols": None}, 400),
        ({}, {"path": "/elsewhere"}, 404),
    ],
)
async def test_foreign_sockets_are_refused_before_they_open(
    shared_server: ServerProcess, headers: dict[str, str], options: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with opened(shared_server, headers={**shared_server.headers, **headers}, **options):
            raise AssertionError("it opened")
    assert caught.value.response.status_code == status
    assert json.loads(caught.value.response.body or b"{}")["errors"]


async def test_a_foreign_host_cannot_open_a_socket(shared_server: ServerProcess) -> None:
    url = f"ws://evil.example:{shared_server.port}/graphql"
    options: dict[str, Any] = {"subprotocols": ["graphql-transport-ws"], "host": "127.0.0.1", "proxy": None}
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, additional_headers=shared_server.headers, **options):
            raise AssertionError("it opened")
    assert caught.value.response.status_code == 400


async def test_sockets_close_when_the_server_stops(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    async with opened(server) as socket:
        await socket.init()
        await socket.subscribe()
        await socket.changes()
        stopped = asyncio.create_task(asyncio.to_thread(server.stop))
        assert await socket.closed() in (1001, 1012)
        assert await stopped == 0


async def test_left_sockets_are_forgotten(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    wire = server.wire()
    for _ in range(3):
        async with opened(server) as socket:
            await socket.init()
            await socket.subscribe()
            await socket.changes()
            assert b"flowlatch_subscriptions 1.0" in wire.http.get("/metrics").content
        socket.connection.transport.abort()
        await eventually_async(lambda: b"flowlatch_subscriptions 0.0" in wire.http.get("/metrics").content)
        assert b"flowlatch_websockets 0.0" in wire.http.get("/metrics").content
