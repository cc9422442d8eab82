"""Task runs and log lines for some runs of a filled database, so that their detail views have something to show."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from typing import Any

from tests.bench.fill_words import as_text, new_id

TASK_RUN = (
    "id created updated tenant_id flow_run_id task_id map_index name version run_count start_time end_time duration "
    "state_id state state_timestamp state_message"
)
TASK_STATE = "id created updated tenant_id task_run_id timestamp state version message serialized_state"
LOG = "id created updated tenant_id flow_run_id task_run_id timestamp name level message"
LINES = (
    ("INFO", "Task '{task}': Starting task run..."),
    ("INFO", "read 18,204 rows from warehouse.orders"),
    ("DEBUG", "batch 12 of 19, 1,024 rows, 0.41 s"),
    ("WARNING", "slow answer: 4.2 s, trying a smaller batch"),
    ("INFO", "Task '{task}': Finished task run for task with final state: '{state}'"),
)
MESSAGES = {"Running": "Starting task run.", "Success": "Task run succeeded.", "Pending": "Task run created"}


class Details:
    """Writes the tasks of runs one by one into an open database."""

    def __init__(self, connection: sqlite3.Connection, rng: random.Random, now: float) -> None:
        self._connection = connection
        self._rng = rng
        self._now = now
        rows = connection.execute("SELECT flow_id, id, name FROM task ORDER BY flow_id, seq").fetchall()
        self._tasks: dict[str, list[tuple[str, str]]] = {}
        for flow_id, task_id, name in rows:
            self._tasks.setdefault(flow_id, []).append((task_id, name))

    def add(self, run_id: str, flow_id: str, tenant_id: str, path: Sequence[tuple[str, float, str]]) -> None:
        """Write the tasks of a run whose states are `path`: they share its running time, the last one fails with it."""
        tasks = self._tasks.get(flow_id, [])
        started = next((at for state, at, _ in path if state == "Running"), None)
        final, ended, reason = path[-1]
        is_over = started is not None and final != "Running"
        span = ((ended if is_over else self._now + 60) - (started or self._now)) / max(len(tasks), 1)
        for place, (task_id, name) in enumerate(tasks):
            begins = (started or 0) + place * span
            own: list[tuple[str, float, str]] = [("Pending", path[0][1], MESSAGES["Pending"])]
            if started is not None and begins < self._now:
                own.append(("Running", begins, MESSAGES["Running"]))
                if is_over or begins + span < self._now:
                    is_last = place == len(tasks) - 1
                    state = final if is_last and final in ("Failed", "Cancelled") else "Success"
                    own.append((state, begins + span, reason if state == "Failed" else MESSAGES.get(state, reason)))
            self._task_run(run_id, task_id, name, tenant_id, own)

    def _task_run(
        self, run_id: str, task_id: str, name: str, tenant_id: str, path: list[tuple[str, float, str]]
    ) -> None:
        rng, task_run_id, state_id = self._rng, new_id(self._rng), ""
        states: list[tuple[Any, ...]] = []
        for version, (state, at, message) in enumerate(path):
            state_id, stamp = new_id(rng), as_text(at)
            serialized = json.dumps({"type": state, "message": message, "_result": {"type": "NoResultType"}})
            states.append((state_id, stamp, stamp, tenant_id, task_run_id, stamp, state, version, message, serialized))
        state, at, message = path[-1]
        begins = path[1][1] if len(path) > 1 else None
        ends = at if len(path) > 2 else None
        row = (
            *(task_run_id, as_text(path[0][1]), as_text(at), tenant_id, run_id, task_id, -1, name, len(path) - 1),
            *(int(begins is not None), begins and as_text(begins), ends and as_text(ends)),
            *(int((ends - begins) * 1e6) if begins and ends else None, state_id, state, as_text(at), message),
        )
        self._put("task_run", TASK_RUN, [row])
        self._put("task_run_state", TASK_STATE, states)
        if begins is not None:
            self._logs((tenant_id, run_id, task_run_id), name, state, message, begins, ends or self._now)

    def _logs(
        self, owner: tuple[str, str, str], name: str, state: str, message: str, begins: float, ends: float
    ) -> None:
        """Write the lines of one task; `owner` is (tenant, flow run, task run)."""
        lines = list(LINES if state != "Running" else LINES[:-1])
        if state == "Failed":
            lines.insert(-1, ("ERROR", f"Task '{name}': Exception encountered during task execution!\n{message}"))
        rows = []
        for place, (level, text) in enumerate(lines):
            stamp = as_text(begins + (ends - begins) * place / len(lines))
            shown = text.format(task=name, state=state) if level != "ERROR" else text
            rows.append((new_id(self._rng), stamp, stamp, *owner, stamp, "prefect.TaskRunner", level, shown))
        self._put("log", LOG, rows)

    def _put(self, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        self._connection.executemany(insert_sql(table, columns), rows)


def insert_sql(table: str, columns: str) -> str:
    """Return an INSERT of all `columns` (separated by spaces)."""
    names = columns.split()
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
