"""The store and the settings as the GraphQL layer sees them, and the reading of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from flowlatch.server.compile import NOW, Statement, compile_plan
from flowlatch.server.plan import Root, Values
from flowlatch.server.selection import Field, Request, row_plan
from flowlatch.store.base import Store
from flowlatch.store.times import utc_text

ANSWER_BYTES = 64 * 1024 * 1024
READ_TIMEOUT_S = 10.0


@dataclass
class Service:
    """What is served."""

    store: Store
    read_only: bool = False
    introspection: bool = True
    faults: int = 0
    """Faults of ours so far; each is in the log."""

    def now_text(self) -> str:
        """Return the server's time as stored text."""
        return utc_text(self.store.now())

    async def rows(self, statement: Statement, values: Values) -> list[str]:
        """Return the JSON texts a statement gives. Raises `Refusal`: LIMIT for too much, or too slow."""
        parameters = {**values.parameters(), NOW: self.now_text()}
        if statement.is_counted:
            found = await self.store.glance(statement.sql, parameters)
        else:
            found = await self.store.read(statement.sql, parameters, timeout_s=READ_TIMEOUT_S, limit_bytes=ANSWER_BYTES)
        return [row[0] for row in found.rows]

    async def answer(self, plan: Root, values: Values) -> Any:
        """Return the finished JSON of a plan, as bytes to be copied into the answer; None for a missing row."""
        return await self.run(compile_plan(plan, self.store.spelling), values)

    async def run(self, statement: Statement, values: Values) -> Any:
        """Return the finished JSON of a statement; see `answer`."""
        rows = await self.rows(statement, values)
        if statement.is_single:
            return orjson.Fragment(rows[0]) if rows else None
        return orjson.Fragment(f"[{','.join(rows)}]")

    async def row(self, request: Request, table: str, row_id: str, field: Field) -> Any:
        """Return the selected columns of one row, or None."""
        values = Values()
        plan = row_plan(request, table, row_id, field, values)
        return await self.answer(plan, values)
