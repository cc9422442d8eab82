"""Reading a log page by page, so that no answer is too large and no page takes long to convert."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from flowlatch.api import convert, documents
from flowlatch.api.http import TooLarge
from flowlatch.errors import Rejected
from flowlatch.model.run import LogLine, LogMark, RunId

PAGE_LINES = 2_000
"""Lines of one request."""
AT_ONCE = 250
"""Lines converted without a break, some milliseconds of work: an event loop that shows a log stays answerable."""
Read = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


class LogPages:
    """The log of one run. `has_order` says that the server keeps lines of one moment in the order they came in."""

    def __init__(self, read: Read, run_id: RunId, *, has_order: bool) -> None:
        self._read = read
        self._where: dict[str, Any] = {"flow_run_id": {"_eq": run_id}}
        self._ties: list[dict[str, str]] = [] if has_order else [{"id": "asc"}]
        self._size = PAGE_LINES

    async def newest(self, limit: int) -> list[LogLine]:
        """Return the newest `limit` lines, oldest first.

        Lines that come in meanwhile move the pages towards what was read already, so none is left out.
        """
        found: list[LogLine] = []
        known: set[str] = set()
        offset = 0
        while len(found) < limit:
            wanted = limit - len(found)
            page, is_last = await self._page(self._where, [{"timestamp": "desc"}], wanted, offset)
            found += [line for line in page if not line.id or line.id not in known]
            known.update(line.id for line in page)
            offset += len(page)
            if is_last:
                break
        return sorted(found, key=lambda line: line.timestamp)  # stable: lines of one moment stay as they came

    async def behind(self, mark: LogMark, limit: int) -> list[LogLine]:
        """Return up to `limit` lines that arrived behind a mark, as they arrived."""
        found: list[LogLine] = []
        while len(found) < limit:
            where = {**self._where, "created": {"_gte": mark.arrived.isoformat()}}
            page, is_last = await self._page(where, [{"created": "asc"}, *self._ties], limit - len(found), mark.taken)
            found += page
            mark = mark.behind(page)
            if is_last:
                break
        return found

    async def _page(
        self, where: Mapping[str, Any], order: list[dict[str, str]], wanted: int, offset: int
    ) -> tuple[list[LogLine], bool]:
        """Return one page and whether it is the last; of very long lines as many as an answer can hold."""
        while True:
            limit = min(wanted, self._size)
            variables = {"where": where, "order_by": order, "limit": limit, "offset": offset}
            try:
                rows = (await self._read(documents.LOGS, variables)).get("log")
            except (TooLarge, Rejected) as error:
                if limit == 1 or (isinstance(error, Rejected) and error.server_code != "LIMIT"):
                    raise
                self._size = max(limit // 8, 1)
                continue
            return await _converted(rows), not isinstance(rows, list) or len(rows) < limit


async def _converted(rows: Any) -> list[LogLine]:
    lines: list[LogLine] = []
    for begin in range(0, len(rows) if isinstance(rows, list) else 0, AT_ONCE):
        lines += convert.rows(rows[begin : begin + AT_ONCE], convert.log_line)[0]
        await asyncio.sleep(0)
    return lines
