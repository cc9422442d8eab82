"""The runs that a filter text means, page by page; `list` shows them and the bulk commands act on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

from flowlatch.errors import BadInput
from flowlatch.model.filter import Parsed, parse_filter
from flowlatch.model.query import PAGE_LIMIT, RunQuery, Sort
from flowlatch.model.run import FlowRun, RunId
from flowlatch.text import one_line

if TYPE_CHECKING:
    from flowlatch.cli.connect import Connection


async def parsed(connection: Connection, text: str, sort: Sort = Sort()) -> Parsed:  # noqa: B008
    """Read a filter text at the server's clock, in the operator's zone. Raises `BadInput`."""
    now = await connection.measured_now()
    reading = parse_filter(text, now, zone=connection.zone, base=RunQuery(sort=sort))
    if reading.problems:
        raise BadInput("--filter: " + one_line("; ".join(reading.problems), 500))
    return reading


async def matching(connection: Connection, reading: Parsed, limit: int) -> AsyncIterator[FlowRun]:
    """Yield at most `limit` runs in the order of the query, each once, though runs come and go meanwhile."""
    seen: set[RunId] = set()
    offset = 0
    while len(seen) < limit:
        wanted = PAGE_LIMIT if reading.local_regex else min(PAGE_LIMIT, limit - len(seen))
        query = replace(reading.query, offset=offset, limit=wanted)
        page = await connection.backend.page(query, with_total=False)
        for run in page.rows:
            if run.id in seen or len(seen) >= limit or not _fits(reading, run):
                continue
            seen.add(run.id)
            yield run
        if len(page.rows) + page.unreadable < wanted:
            return
        offset += wanted


def _fits(reading: Parsed, run: FlowRun) -> bool:
    pattern = reading.local_regex
    return pattern is None or bool(pattern.search(f"{run.flow_name} / {run.name} {run.state_message or ''}"))
