"""Ours against a real Prefect 3 in turns: `python -m tests.bench.peer --prefect VENV/bin/prefect [--postgres BIN]`.

Make its environment with `pip install prefect==3.8.8 'fastapi==0.139.*' 'sqlalchemy<2.1'`. Ours runs on SQLite, the
peer on SQLite, or on a PostgreSQL made with the programs in BIN: it needs the extension pg_trgm, which Debian's
packages have and the wheels known to us have not. Both are asked over kept connections by the same plain client, a
second each in turns, so that a busy machine slows both.

What is not equal: ours waits for the disk and checks the version; the peer forces its states, writes SQLite with
synchronous=NORMAL, and keeps more details of a run. Its services are off, because with them it answers 503 more often.
It has only the runs that this script makes, ours as many more as `--runs` says; `--peer-runs` copies one of the peer's
in its PostgreSQL, for the page, the count and the memory at equal sizes. Source: performance.md §1, §7, §9.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.bench.fill import fill
from tests.bench.load import Ask, Place, Question, Taken
from tests.bench.report import Figure, median, show
from tests.bench.server import COUNT, CREATE, PAGE, asked, next_state
from tests.bench.startup import resident_mib
from tests.support.server import ServerProcess
from tests.support.waiting import eventually

START_S = 90.0
CLIENTS = (1, 8, 32)
AT_EIGHT = ("page of 200",)
"""What is asked by eight clients too."""
ROUNDS = 3
SEEDED = 240
GATES = {
    ("create", 1): "1/10",
    ("create", 32): "1/40",
    ("create, same key", 32): "1/60",
    ("set state", 32): "1/60",
    ("page of 200", 1): "1/12",
    ("page of 200", 8): "1/30",
    ("count of one state", 1): "1/10",
}
"""Goals as ratios of time, ours to the peer's: of p50 for one client, of time per answer for more."""
COPY_RUNS = """
CREATE TEMP TABLE one AS SELECT run AS kept, state AS stated FROM flow_run run JOIN flow_run_state state
  ON state.id = run.state_id LIMIT 1;
INSERT INTO flow_run SELECT filled.* FROM one, generate_series(1, {runs}) number,
  LATERAL jsonb_populate_record(one.kept, jsonb_build_object(
    'id', gen_random_uuid(), 'state_id', NULL, 'idempotency_key', NULL, 'name', 'run-' || number,
    'expected_start_time', (one.kept).expected_start_time + number * interval '1 minute')) filled;
INSERT INTO flow_run_state SELECT filled.* FROM one, flow_run run, LATERAL jsonb_populate_record(one.stated,
  jsonb_build_object('id', gen_random_uuid(), 'flow_run_id', run.id)) filled WHERE run.state_id IS NULL;
UPDATE flow_run SET state_id = state.id FROM flow_run_state state
  WHERE state.flow_run_id = flow_run.id AND flow_run.state_id IS NULL;
ANALYZE;
"""
"""Copies of one run and its state, later by a minute each; all columns of the peer's tables, whatever they are."""
SETTINGS = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_SERVER_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}


class Peer:
    """A running Prefect 3 over its REST interface."""

    def __init__(self, url: str, pid: int) -> None:
        self.pid, self.place = pid, Place(url)
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            self._flow_id = http.post("/flows/", json={"name": "bench"}).raise_for_status().json()["id"]
            runs = [http.post("/flow_runs/", json=self._create(str(uuid.uuid4())).content) for _ in range(SEEDED)]
        self._run_ids = [run.json()["id"] for run in runs if run.status_code < 300]

    def _create(self, key: str) -> Question:
        """Create a run that starts far in the future, so that no service of the peer touches it."""
        details = {"scheduled_time": (datetime.now(UTC) + timedelta(days=300)).isoformat()}
        state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": details}
        return Question("/flow_runs/", {"flow_id": self._flow_id, "state": state, "idempotency_key": key})

    def _set_state(self, client: int) -> Question:
        path = f"/flow_runs/{self._run_ids[client]}/set_state"
        return Question(path, {"state": {"type": "RUNNING"}, "force": True})

    def asks(self) -> dict[str, Ask]:
        """Return what is measured, by name."""
        page = Question("/flow_runs/filter", {"limit": 200, "sort": "EXPECTED_START_TIME_DESC"})
        count = Question("/flow_runs/count", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        return {
            "create": lambda _: self._create(str(uuid.uuid4())),
            "create, same key": lambda _: self._create("the same"),
            "set state": self._set_state,
            "page of 200": lambda _: page,
            "count of one state": lambda _: count,
        }


class Ours:
    """The same questions to our server."""

    def __init__(self, server: ServerProcess) -> None:
        self.pid, self.place = server.pid, Place(server.url, server.headers)
        wire = server.wire()
        self._flow_id = wire.create_flow("bench")  # without tasks, like the peer's
        self._run_ids = [wire.create_run(self._flow_id) for _ in range(max(CLIENTS))]

    def asks(self) -> dict[str, Ask]:
        """Return what is measured, by name."""
        page, count = ({"query": text} for text in (PAGE, f"{{ {COUNT.format('Scheduled')} }}"))
        return {
            "create": lambda _: asked(CREATE, flow_id=self._flow_id, idempotency_key=str(uuid.uuid4())),
            "create, same key": lambda _: asked(CREATE, flow_id=self._flow_id, idempotency_key="the same"),
            "set state": next_state(self._run_ids),
            "page of 200": lambda _: Question("/graphql", page),
            "count of one state": lambda _: Question("/graphql", count),
        }


@contextmanager
def postgres(programs: Path, place: Path) -> Iterator[str]:
    """Start a new PostgreSQL with its own defaults; yield the peer's url of it."""
    user = "postgres" if os.geteuid() == 0 else None  # it does not run as root
    place.chmod(0o755)
    home = place / "postgres"
    home.mkdir()
    if user is not None:
        shutil.chown(home, user)
    make = [str(programs / "initdb"), "-D", str(home / "data"), "-U", "postgres", "-A", "trust"]
    subprocess.run(make, user=user, check=True, stdout=subprocess.DEVNULL, cwd=home)
    run = [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-c", "listen_addresses="]
    with subprocess.Popen(run, user=user, stderr=subprocess.DEVNULL, cwd=home) as process:
        try:
            eventually(lambda: (home / ".s.PGSQL.5432").exists(), START_S, "a socket of PostgreSQL")
            yield f"postgresql+asyncpg://postgres@/postgres?host={home}"
        finally:
            process.send_signal(signal.SIGINT)  # its "fast" way to end


def copy_runs(programs: Path, home: Path, runs: int) -> None:
    """Give the peer's database so many runs more."""
    command = [str(programs / "psql"), "-h", str(home), "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-1"]
    subprocess.run(command, input=COPY_RUNS.format(runs=runs), text=True, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def peer_server(prefect: Path, home: Path, database: str) -> Iterator[tuple[Peer, float]]:
    """Start the peer and yield it with the seconds until it was healthy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env = {**kept, **SETTINGS, "PREFECT_HOME": str(home)}
    env.pop("PYTHONPATH", None)
    if database:
        env["PREFECT_API_DATABASE_CONNECTION_URL"] = database
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
        took = time.perf_counter() - began
        yield Peer(url, process.pid), took
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


async def in_turns(ours: Ours, peer: Peer, seconds: float) -> list[Figure]:
    """Ask each question of one and then of the other, several times; return a line for each."""
    figures, asks, theirs = [], ours.asks(), peer.asks()
    for clients in CLIENTS:
        for name, ask in asks.items():
            if clients == 8 and name not in AT_EIGHT:
                continue
            mine, other = Taken(), Taken()
            for _ in range(ROUNDS):
                mine.add(await ours.place.load(clients, seconds, ask))
                other.add(await peer.place.load(clients, seconds, theirs[name]))
            assert not mine.errors, (name, mine.errors[:3])
            goal = GATES.get((name, clients), "")
            if clients == 1 and other.ms:
                figures.append(_against(f"{name}, p50", median(mine.ms), median(other.ms), "ms", goal))
            else:
                pair = mine.per_s, max(other.per_s, 0.01)
                figures.append(_against(f"{name}, c={clients}", *pair, "/s", goal.replace("1/", "") + "×" * bool(goal)))
            if other.errors:
                figures.append(Figure(f"{name}, c={clients}: answers the peer failed", len(other.errors), ""))
    return figures


async def page_bytes(ours: Ours, peer: Peer) -> Figure:
    """Return the bytes of a page of 200 runs as each sends it, not compressed."""
    sizes = []
    for side in (ours, peer):
        sizes.append(len(await side.place.once(side.asks()["page of 200"](0))))
    return _against("bytes of a page of 200", sizes[0], sizes[1], "B", "0.35")


def main() -> None:
    """Measure both and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peer", description=__doc__)
    parser.add_argument("--prefect", type=Path, required=True, help="the peer's prefect command")
    parser.add_argument("--postgres", type=Path, help="directory of initdb and postgres, for the peer")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--peer-runs", type=int, default=0, help="copies of a run in the peer's PostgreSQL (0)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn (1)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.peer_runs and not arguments.postgres:
        parser.error("--peer-runs needs --postgres")
    prefect, figures = arguments.prefect.absolute(), []
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        place = Path(name)
        fill(place / "data", arguments.runs, random.Random(1), datetime.now(UTC))
        with postgres(arguments.postgres, place) if arguments.postgres else nullcontext("") as database:
            with peer_server(prefect, place / "peer", database):
                pass  # its database is made and its files are read: the start below is a warm one
            if arguments.peer_runs:
                copy_runs(arguments.postgres, place / "postgres", arguments.peer_runs)
            with peer_server(prefect, place / "peer", database) as (peer, peer_s):
                server = ServerProcess(place, "--no-scheduler")
                with server.start():
                    pass
                began = time.perf_counter()
                with server.start():
                    took = time.perf_counter() - began
                    figures.append(_against("start until healthy, warm", took, peer_s, "s", "1/5"))
                    ours = Ours(server)
                    figures += asyncio.run(in_turns(ours, peer, arguments.seconds))
                    figures.append(asyncio.run(page_bytes(ours, peer)))
                    memory = tree_mib(ours.pid), tree_mib(peer.pid)
                    figures.append(_against("resident memory after it", *memory, "MiB", "1/3"))
    kind = "PostgreSQL" if arguments.postgres else "SQLite"
    sizes = f"{arguments.runs:,} runs on our side, {arguments.peer_runs:,} more on the peer's"
    title = f"Against Prefect 3.8.8 on {kind}, {sizes}"
    show(title, figures, as_json=arguments.json)


def _against(name: str, ours: float, peer: float, unit: str, goal: str) -> Figure:
    return Figure(f"{name} (peer {peer:,.3g} {unit})", ours, unit, ours / peer, "the peer", goal)


if __name__ == "__main__":
    main()
