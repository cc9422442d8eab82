"""Ours against a real Prefect 3 in turns: `python -m tests.bench.peer --prefect VENV/bin/prefect [--json]`.

Make its environment with `pip install prefect==3.8.8 'fastapi==0.139.*' 'sqlalchemy<2.1'`. Both run on SQLite, one
client asks, and each question is put to one and then to the other, so that a busy machine slows both. The peer writes
with synchronous=NORMAL and its state changes are forced; ours is durable and checks the version. Its services
are off, because with them it answers 503 more often. The peer has only the
runs that this script makes, ours as many more as `--runs` says. Source: performance.md §1, §7, §9.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.bench.fill import fill
from tests.bench.report import Figure, median, show
from tests.bench.server import COUNT, PAGE
from tests.bench.startup import resident_mib
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import CREATE_RUN, Wire

START_S = 90.0
REFUSED_AT_MOST = 1_000
STATES = ("SCHEDULED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
TEXT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_SERVER_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}


class Peer:
    """A running Prefect 3 over its REST interface."""

    def __init__(self, url: str, pid: int) -> None:
        self.pid, self.refused = pid, 0
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.flow_id = self.ask("/flows/", {"name": "bench"})["id"]
        self.run_id = self.create()

    def ask(self, path: str, content: dict[str, Any]) -> Any:
        """Post and return the answer, again after a 503, as its own client does; fail at any other error."""
        answer = self.http.post(path, json=content)
        while answer.status_code == 503 and self.refused < REFUSED_AT_MOST:
            self.refused += 1
            answer = self.http.post(path, json=content)
        assert answer.status_code < 300, (path, answer.status_code, answer.text[:300])
        return answer.json()

    def create(self) -> str:
        """Create a run that starts far in the future, so that no service of the peer touches it."""
        details = {"scheduled_time": (datetime.now(UTC) + timedelta(days=300)).isoformat()}
        state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": details}
        sent = {"flow_id": self.flow_id, "state": state, "idempotency_key": str(uuid.uuid4())}
        return str(self.ask("/flow_runs/", sent)["id"])

    def set_state(self) -> object:
        """Set a state by force."""
        return self.ask(f"/flow_runs/{self.run_id}/set_state", {"state": {"type": "RUNNING"}, "force": True})

    def page(self) -> object:
        """Ask for the newest 200 runs."""
        return self.ask("/flow_runs/filter", {"limit": 200, "sort": "EXPECTED_START_TIME_DESC"})

    def count(self) -> object:
        """Count the runs of one state."""
        return self.ask("/flow_runs/count", {"flow_runs": {"state": {"type": {"any_": [STATES[0]]}}}})


class Ours:
    """The same questions to our server."""

    def __init__(self, wire: Wire, pid: int) -> None:
        self.pid = pid
        self._wire, self._version = wire, 1
        self.flow_id = wire.data("{ flow(limit: 1) { id } }")["flow"][0]["id"]
        self.run_id = self.create()

    def create(self) -> str:
        """Create a run under a new key."""
        sent = {"flow_id": self.flow_id, "idempotency_key": str(uuid.uuid4())}
        return str(self._wire.data(CREATE_RUN, {"input": sent})["create_flow_run"]["id"])

    def set_state(self) -> object:
        """Set a state on its version."""
        self._version = self._wire.set_state(self.run_id, self._version, "Running")
        return self._version

    def page(self) -> object:
        """Ask for the newest 200 runs."""
        return self._wire.data(PAGE)

    def count(self) -> object:
        """Count the runs of one state."""
        return self._wire.data(f"{{ {COUNT.format('Scheduled')} }}")


@contextmanager
def peer_server(prefect: Path, home: Path) -> Iterator[tuple[Peer, float]]:
    """Start the peer and yield it with the seconds until it was healthy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env = {**kept, **TEXT, "PREFECT_HOME": str(home)}
    command = [str(prefect), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-services"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/api"

        def is_healthy() -> bool:
            try:
                return httpx.get(f"{url}/health", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        eventually(is_healthy, START_S, "a healthy peer")
        yield Peer(url, process.pid), time.perf_counter() - began
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tree_mib(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return resident_mib(pid) + sum(tree_mib(int(child)) for child in children)


def in_turns(ours: Callable[[], object], peer: Callable[[], object], samples: int) -> tuple[float, float]:
    """Ask one, then the other; return both medians in ms."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(samples + 3):
        for place, ask in enumerate((ours, peer)):
            started = time.perf_counter()
            ask()
            if turn >= 3:
                taken[place].append((time.perf_counter() - started) * 1e3)
    return median(taken[0]), median(taken[1])


def main() -> None:
    """Measure both and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peer", description=__doc__)
    parser.add_argument("--prefect", type=Path, required=True, help="the peer's prefect command")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        place = Path(name)
        fill(place / "data", arguments.runs, random.Random(1), datetime.now(UTC))
        with peer_server(arguments.prefect, place / "first"):
            pass  # its database is made and its files are read: the start below is a warm one
        with peer_server(arguments.prefect, place / "first") as (peer, peer_s):
            server = ServerProcess(place, "--no-scheduler")
            began = time.perf_counter()
            with server.start():
                figures += [_against("start until healthy, warm", time.perf_counter() - began, peer_s, "s", "1/5")]
                ours = Ours(server.wire(), server.pid)
                for _ in range(200):
                    peer.create()
                for what, goal in {"create": "1/10", "set_state": "", "page": "1/12", "count": "1/10"}.items():
                    samples = arguments.samples if what != "page" else arguments.samples // 2
                    pair = in_turns(getattr(ours, what), getattr(peer, what), samples)
                    figures.append(_against(f"{what.replace('_', ' ')}, p50", *pair, "ms", goal))
                memory = tree_mib(ours.pid), tree_mib(peer.pid)
                figures.append(Figure("503 answers of the peer", peer.refused, ""))
                figures.append(_against("resident memory after it", *memory, "MiB", "1/3"))
    show(f"Against Prefect 3.8.8 on SQLite, c=1, {arguments.runs:,} runs on our side", figures, as_json=arguments.json)


def _against(name: str, ours: float, peer: float, unit: str, goal: str) -> Figure:
    return Figure(f"{name} (peer {peer:,.1f} {unit})", ours, unit, ours / peer, "the peer", goal)


if __name__ == "__main__":
    main()
