"""kill -9 of a process that writes: nothing acknowledged is lost, no key made two runs, no version is missing.

Source: reliability.md P1, P2, P4.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

chance = random.Random(9)
LINES_BEFORE_KILL = 400
"""At most so many acknowledgements are read before the writer is killed."""

CHILD = """
import asyncio, json, sys
from pathlib import Path
from flowlatch.store.operations import flow_run_states, flow_runs
from flowlatch.store.sqlite.store import open_sqlite

async def main(directory, flow_id, round_, seed):
    store = await open_sqlite(Path(directory))
    print(json.dumps({"ready": True}), flush=True)

    async def writer(number):
        turn = 0
        while True:
            turn += 1
            # every key is sent by several writers, and again in later rounds: unknown outcomes are retried
            key = f"{round_ - turn % 3}/{turn}"
            run = await store.write(lambda tx: flow_runs.create_flow_run(tx, flow_id=flow_id, idempotency_key=key))
            print(json.dumps({"key": key, "id": run["id"]}), flush=True)
            own = await store.write(lambda tx: flow_runs.create_flow_run(tx, flow_id=flow_id))
            version = 1
            for kind in ("Running", "Success"):
                state = {"type": kind, "message": f"{number}/{turn}"}
                answer = await store.write(lambda tx: flow_run_states.set_flow_run_state(
                    tx, flow_run_id=own["id"], version=version, state=state))
                version = answer["version"]
                print(json.dumps({"id": own["id"], "version": version, "state": kind}), flush=True)

    await asyncio.gather(*(writer(number) for number in range(16)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), 0))
"""

SETUP = """
import asyncio, sys
from pathlib import Path
from flowlatch.store.operations import flows, tenants
from flowlatch.store.sqlite.store import open_sqlite

async def main(directory):
    store = await open_sqlite(Path(directory))
    project = await store.write(lambda tx: tenants.create_project(tx, name="p"))
    flow = await store.write(lambda tx: flows.create_flow(tx, project_id=project["id"], serialized_flow={"name": "f"}))
    await store.close()
    print(flow["id"])

asyncio.run(main(sys.argv[1]))
"""


def run_until_killed(directory: Path, flow_id: str, round_: int, lines: int) -> list[dict[str, object]]:
    """Let a child write; kill it after `lines` acknowledgements (0 = while it opens); return what it acknowledged."""
    command = [sys.executable, "-c", CHILD, str(directory), flow_id, str(round_)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if lines == 0:
            select.select([process.stdout], [], [], chance.uniform(0.2, 0.8))  # somewhere in its start
        taken = b"".join(process.stdout.readline() for _ in range(lines))
        os.kill(process.pid, signal.SIGKILL)
        taken += process.stdout.read()
        errors = process.stderr.read().decode()
        assert process.wait() == -signal.SIGKILL, errors
    whole = taken[: taken.rfind(b"\n") + 1]
    return [line for line in map(json.loads, whole.splitlines()) if "id" in line]


def check(database: Path, acknowledged: list[dict[str, object]]) -> None:
    """Compare a database, opened as it was left, with what its writers were told."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        keys = dict(connection.execute("SELECT key, flow_run_id FROM idempotency"))
        made = connection.execute("SELECT idempotency_key, count(*) FROM flow_run GROUP BY 1").fetchall()
        history = defaultdict(list)
        for run_id, version, state in connection.execute(
            "SELECT flow_run_id, version, state FROM flow_run_state ORDER BY version"
        ):
            history[run_id].append((version, state))
        current = {
            run_id: (version, state)
            for run_id, version, state in connection.execute("SELECT id, version, state FROM flow_run")
        }
        counted = dict(connection.execute("SELECT state, runs FROM state_count"))
    assert {key: runs for key, runs in made if key is not None and runs != 1} == {}
    for line in acknowledged:
        if "key" in line:
            assert keys[line["key"]] == line["id"]
        else:
            assert (line["version"], line["state"]) in history[line["id"]]
    for run_id, (version, state) in current.items():
        assert [seen for seen, _ in history[run_id]] == list(range(1, version + 1))
        assert history[run_id][-1] == (version, state)
    assert sum(counted.values()) == len(current)


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    kills = rounds(6, 40)
    setup = subprocess.run([sys.executable, "-c", SETUP, str(tmp_path)], capture_output=True, text=True, check=True)
    flow_id = setup.stdout.strip()
    acknowledged: list[dict[str, object]] = []
    for round_ in range(kills):
        lines = 0 if round_ % 3 == 2 else chance.randint(1, LINES_BEFORE_KILL)
        acknowledged += run_until_killed(tmp_path, flow_id, round_, lines)
    assert len(acknowledged) > kills
    check(tmp_path / "flowlatch.db", acknowledged)
