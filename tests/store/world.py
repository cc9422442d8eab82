"""A real store on a real file, with a clock that tests move, and short words for what tests do to it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowlatch.store.base import NOBODY, Origin, Store
from flowlatch.store.operations import flow_run_states, flow_runs, flows, tenants
from flowlatch.store.sqlite.store import open_sqlite
from tests.support.postgres import PostgresProcess

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move by `timedelta(**by)`, also backwards."""
        self.now += timedelta(**by)


class World:
    """One open store. `await world(operation, **inputs)` runs an operation and returns its payload."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, directory: Path, clock: Clock | None = None, **options: Any) -> World:
        clock = clock or Clock()
        current = PostgresProcess.current
        if current is not None:
            from flowlatch.store.postgres.store import open_postgres

            return cls(await open_postgres(current.database_of(directory), clock=clock, **options), clock)
        return cls(await open_sqlite(directory, clock=clock, **options), clock)

    async def __call__(self, operation: Callable[..., Any], origin: Origin = NOBODY, **inputs: Any) -> Any:
        return await self.store.write(lambda tx: operation(tx, **inputs), origin)

    async def project(self) -> str:
        """Return a new project."""
        return str((await self(tenants.create_project, name=f"project {uuid.uuid4()}"))["id"])

    async def flow(self, project_id: str | None = None, **document: Any) -> str:
        """Return a new flow; `document` is merged into its serialized form."""
        project_id = project_id or await self.project()
        document = {"name": f"flow {next(self._numbers)}", **document}
        return str((await self(flows.create_flow, project_id=project_id, serialized_flow=document))["id"])

    async def run(self, flow_id: str | None = None, **inputs: Any) -> str:
        """Return a new run of that flow, or of a new one."""
        flow_id = flow_id or await self.flow()
        return str((await self(flow_runs.create_flow_run, flow_id=flow_id, **inputs))["id"])

    async def set(self, run_id: str, version: int | None, kind: str, origin: Origin = NOBODY, **state: Any) -> int:
        """Set a run's state and return the new version."""
        entry = {"flow_run_id": run_id, "version": version, "state": {"type": kind, **state}}
        answer = await self(flow_run_states.set_flow_run_states, origin, states=[entry])
        return int(answer["states"][0]["version"])

    async def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        found = await self.store.read(sql, parameters)
        return [dict(zip(found.columns, row, strict=True)) for row in found]

    async def row(self, table: str, row_id: str) -> dict[str, Any]:
        """Return one row of a table."""
        (row,) = await self.rows(f"SELECT * FROM {table} WHERE id = :id", id=row_id)
        return row

    async def history(self, run_id: str) -> list[tuple[int, str]]:
        """Return (version, state) of a run's history, oldest first."""
        rows = await self.rows(
            "SELECT version, state FROM flow_run_state WHERE flow_run_id = :id ORDER BY seq", id=run_id
        )
        return [(row["version"], row["state"]) for row in rows]

    async def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        return int((await self.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"])
