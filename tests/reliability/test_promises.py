"""P1, P2 and P4 from outside: real clients, a real server process, ends at any moment. Source: reliability.md §1."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from flowlatch.store.sqlite import maintenance
from tests.support.server import ServerProcess
from tests.support.wire import CREATE_RUN, GraphQLErrors, Wire
from tests.support.writers import Writers, check

UP_AGAIN_S = 15.0
"""Five seconds are promised; here other tests share the machine."""
WRITERS = 16
THREADS = 32
MOVES = 25


def test_nothing_acknowledged_is_lost_and_no_key_makes_two_runs_by_kill_9(
    server: ServerProcess, rounds: Callable[[int, int], int]
) -> None:
    """Sixteen clients repeat what they do not know the outcome of; read back everything.

    Every third time the new process is killed too, somewhere in its start, while it takes in what the first one left.
    """
    chance = random.Random(4)
    flow_id = server.wire().create_flow("killed")
    writers = Writers(server, flow_id, WRITERS).start()
    kills, slowest_s = rounds(3, 20), 0.0
    for number in range(kills):
        writers.wait_more(chance.randint(10, 120))
        server.kill()
        if number % 3 == 1:
            server.start_and_kill(chance.uniform(0.1, 1.0))
        began = time.monotonic()
        server.start()
        slowest_s = max(slowest_s, time.monotonic() - began)
    writers.wait_more(20)
    records = writers.finish()
    assert records.lost >= kills
    assert check(server.wire(), records) >= WRITERS
    assert slowest_s < UP_AGAIN_S
    assert maintenance.check(server.data) == []


def test_a_stop_under_load_loses_no_acknowledged_request(server: ServerProcess) -> None:
    flow_id = server.wire().create_flow("stopped")
    writers = Writers(server, flow_id, WRITERS).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        writers.wait_more(60)
        assert server.stop(number) == 0, server.log
        server.start()
    assert check(server.wire(), writers.finish()) >= WRITERS
    assert "Traceback" not in server.log


def at_once(ask: Callable[[Wire, int], object], server: ServerProcess) -> list[object]:
    """Let 32 threads, each on a connection of its own, ask at the same moment; return answers or errors."""
    barrier = threading.Barrier(THREADS)

    def one(number: int) -> object:
        wire = Wire(server.url, server.token)
        try:
            wire.data("{ hello }")
            barrier.wait(20)
            return ask(wire, number)
        except GraphQLErrors as error:
            return error
        finally:
            wire.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def test_32_threads_on_one_version_have_one_winner(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    run_id = wire.create_run(wire.create_flow("one winner"))
    for version in (1, 2, 3):
        told = at_once(lambda w, n, v=version: w.set_state(run_id, v, "Running", f"thread {n}"), shared_server)  # type: ignore[misc]
        winners = [number for number, answer in enumerate(told) if answer == version + 1]
        conflicts = [answer for answer in told if isinstance(answer, GraphQLErrors)]
        assert (len(winners), len(conflicts)) == (1, THREADS - 1)
        assert {error.code for error in conflicts} == {"VERSION_LOCKING_ERROR"}
        last = wire.run(run_id)["states"][-1]
        assert (last["version"], last["message"]) == (version + 1, f"thread {winners[0]}")


def test_32_threads_with_one_key_make_one_run(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    flow_id = wire.create_flow("one run")
    sent = {"input": {"flow_id": flow_id, "idempotency_key": "the one"}}
    told = at_once(lambda w, _: w.data(CREATE_RUN, sent)["create_flow_run"]["id"], shared_server)
    runs = wire.data("query($f: uuid!) { flow_run(where: {flow_id: {_eq: $f}}) { id } }", {"f": flow_id})["flow_run"]
    assert set(told) == {run["id"] for run in runs}
    assert len(runs) == 1


@dataclass(frozen=True)
class Event:
    """One change as a client saw it; `seen` is the version it was told: its own new one, or the one in its way."""

    run_id: str
    message: str
    base: int
    seen: int
    won: bool
    began_at: float
    ended_at: float


def move_some(server: ServerProcess, run_ids: list[str], number: int) -> list[Event]:
    """Change runs at random, each time on the version last heard of; return what was told."""
    chance, wire, known = random.Random(number), Wire(server.url, server.token), dict.fromkeys(run_ids, 1)
    events = []
    for turn in range(MOVES):
        run_id = chance.choice(run_ids)
        base, message, began_at = known[run_id], f"{number}/{turn}", time.monotonic()
        try:
            seen, won = wire.set_state(run_id, base, "Running", message), True
        except GraphQLErrors as error:
            if error.code != "VERSION_LOCKING_ERROR":
                raise
            seen, won = int(error.errors[0]["extensions"]["current"]["version"]), False
        events.append(Event(run_id, message, base, seen, won, began_at, time.monotonic()))
        known[run_id] = seen
    wire.close()
    return events


def test_the_recorded_history_is_linear(shared_server: ServerProcess) -> None:
    """The version gives the order, so each answer can be held against it: no gap, no second winner, no old answer."""
    wire = shared_server.wire()
    flow_id = wire.create_flow("history")
    run_ids = [wire.create_run(flow_id) for _ in range(3)]
    with ThreadPoolExecutor(WRITERS) as pool:
        every = [
            e for events in pool.map(lambda n: move_some(shared_server, run_ids, n), range(WRITERS)) for e in events
        ]
    assert any(not event.won for event in every)
    for run_id in run_ids:
        events = [event for event in every if event.run_id == run_id]
        winners = {event.seen: event for event in events if event.won}
        assert len(winners) == sum(event.won for event in events)
        history = {state["version"]: state["message"] for state in wire.run(run_id)["states"]}
        assert {version: event.message for version, event in winners.items()} == {
            version: message for version, message in history.items() if version > 1
        }
        assert sorted(history) == list(range(1, len(history) + 1))
        for event in events:
            assert event.seen == event.base + 1 if event.won else event.seen != event.base
            newest_before = max((v for v, w in winners.items() if w.ended_at < event.began_at), default=1)
            begun = max((v for v, w in winners.items() if w.began_at < event.ended_at), default=1)
            assert newest_before <= event.seen <= begun
            if event.won:
                assert event.seen > newest_before


@pytest.mark.parametrize("version", [0, -1, 2, 2**31 - 1])
def test_a_version_that_is_not_the_run_s_changes_nothing(shared_server: ServerProcess, version: int) -> None:
    wire = shared_server.wire()
    run_id = wire.create_run(wire.create_flow("exact"))
    with pytest.raises(GraphQLErrors) as refused:
        wire.set_state(run_id, version, "Running")
    assert refused.value.code == "VERSION_LOCKING_ERROR"
    assert wire.run(run_id)["version"] == 1
