"""Writers over HTTP that outlive their server and remember what it acknowledged, and the check of it afterwards.

Each writer creates runs under keys of its own and moves them to their end. Where an answer is lost it does what a
careful client does: the create is sent again under its key; after a state change the run is read and compared.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import CREATE_RUN, RUN, SET_STATE, GraphQLErrors, Wire

BACK_S = 60.0
"""A server that was killed has to answer again within so many seconds."""
READ = """query($keys: [String!], $after: uuid!) { flow_run(where: {idempotency_key: {_in: $keys}, id: {_gt: $after}},
  order_by: {id: asc}, limit: 500) { id version state idempotency_key
  states(order_by: {version: asc}) { version state message } } }"""
NO_ID = "00000000-0000-0000-0000-000000000000"


@dataclass
class Records:
    """What all writers were told, and what they saw that must not be."""

    runs: dict[str, set[str]] = field(default_factory=dict)
    """Key → ids that were answered."""
    states: list[tuple[str, int, str]] = field(default_factory=list)
    """Run id, version, message of each acknowledged state."""
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    """Answers that did not come."""


class Writers:
    """`count` threads that write to `server` from `start` to `finish`."""

    def __init__(
        self,
        server: ServerProcess,
        flow_id: str,
        count: int,
        name: str = "w",
        *,
        pace_s: float = 0,
        url: str | None = None,
    ) -> None:
        """`pace_s` is the rest of each writer between two runs; `url` leads to the server another way."""
        self.records = Records()
        self._server, self._flow_id, self._name = server, flow_id, name
        self._url = url or server.url
        self._over, self._pace_s = threading.Event(), pace_s
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._guarded, args=(n,), daemon=True) for n in range(count)]

    @property
    def acknowledged(self) -> int:
        """How many changes were acknowledged so far."""
        return len(self.records.runs) + len(self.records.states)

    def start(self) -> Writers:
        """Let them write."""
        for thread in self._threads:
            thread.start()
        return self

    def finish(self) -> Records:
        """Let each end the run it is at (the server has to be up) and return what they were told."""
        self._over.set()
        for thread in self._threads:
            thread.join(BACK_S)
        assert not any(thread.is_alive() for thread in self._threads), "a writer does not come to its end"
        return self.records

    def wait_more(self, count: int) -> None:
        """Wait until `count` more changes were acknowledged."""
        wanted = self.acknowledged + count
        eventually(lambda: self.acknowledged >= wanted or self.records.wrong, BACK_S, "acknowledged changes")
        assert not self.records.wrong, self.records.wrong[:3]

    def _guarded(self, number: int) -> None:
        wire = Wire(self._url, self._server.token)
        try:
            turn = 0
            while not self._over.is_set():
                turn += 1
                self._one_run(wire, f"{self._name}/{number}/{turn}")
                if self._pace_s:
                    self._over.wait(self._pace_s)
        except AssertionError as error:
            self.records.wrong.append(f"writer {number}: {error}")
        finally:
            wire.close()

    def _one_run(self, wire: Wire, key: str) -> None:
        """Create a run and move it to its end."""
        sent = {"flow_id": self._flow_id, "idempotency_key": key}
        run_id = str(self._until_answered(lambda: wire.data(CREATE_RUN, {"input": sent})["create_flow_run"]["id"]))
        with self._lock:
            self.records.runs.setdefault(key, set()).add(run_id)
        for version, kind in ((1, "Running"), (2, "Success")):
            message = f"{key} {kind}"
            self._move(wire, run_id, version, {"type": kind, "message": message})
            with self._lock:
                self.records.states.append((run_id, version + 1, message))

    def _move(self, wire: Wire, run_id: str, version: int, state: dict[str, str]) -> None:
        """Set a state; where the answer is lost, look whether it was set, and send it again only when it was not.

        What seemed lost may still be on its way: then the second one meets a newer version, and that is ours.
        """
        sent = {"flow_run_id": run_id, "version": version, "state": state}
        was_lost = False
        while True:
            try:
                assert wire.data(SET_STATE, {"input": sent})["set_flow_run_state"]["version"] == version + 1
                return
            except httpx.TransportError:
                self.records.lost += 1
                was_lost = True
            except GraphQLErrors as error:
                if error.code != "BUSY" and not (was_lost and error.code == "VERSION_LOCKING_ERROR"):
                    raise
            run = self._until_answered(lambda: wire.data(RUN, {"id": run_id})["flow_run_by_pk"])
            if run["version"] != version:
                assert (run["version"], run["state_message"]) == (version + 1, state["message"]), run
                return

    def _until_answered(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is an answer. Errors in an answer are no lost answer and end it, but "not now" is none."""
        wrong: list[GraphQLErrors] = []

        def answer() -> Any:
            try:
                return ask()
            except httpx.TransportError:
                self.records.lost += 1
                return None
            except GraphQLErrors as error:
                if error.code == "BUSY":
                    return None
                wrong.append(error)
                return error

        found = eventually(answer, BACK_S, "an answer of the server")
        if wrong:
            raise wrong[0]
        return found


def check(wire: Wire, records: Records) -> int:
    """Compare what the server has with what its writers were told; return the number of runs compared."""
    assert not records.wrong, records.wrong[:3]
    kept = {run["id"]: run for run in _read_all(wire, sorted(records.runs))}
    made = Counter(run["idempotency_key"] for run in kept.values())
    assert {key: count for key, count in made.items() if count != 1} == {}, "keys with more than one run"
    answered = {key: {run["id"]} for run in kept.values() for key in (run["idempotency_key"],)}
    differing = {key: (ids, answered.get(key)) for key, ids in records.runs.items() if answered.get(key) != ids}
    assert differing == {}, "keys whose acknowledged run is not there"
    for run in kept.values():
        assert [state["version"] for state in run["states"]] == list(range(1, run["version"] + 1)), run
        assert run["states"][-1]["state"] == run["state"], run
    for run_id, version, message in records.states:
        states = kept[run_id]["states"]
        assert len(states) >= version, f"version {version} of {run_id} is lost"
        assert states[version - 1]["message"] == message
    return len(kept)


def _read_all(wire: Wire, keys: list[str]) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    for first in range(0, len(keys), 500):
        after = NO_ID
        while page := wire.data(READ, {"keys": keys[first : first + 500], "after": after})["flow_run"]:
            runs += page
            after = page[-1]["id"]
    return runs
