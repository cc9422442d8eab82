"""Rows and logs written to a file: JSON lines, CSV or plain text. A new file, 0600, secrets redacted by name.

Writing is pure text first (`json_line`, `csv_text`), the file last (`write_new`). Source: reliability.md §5 and §7.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from flowlatch.errors import BadInput
from flowlatch.live.session import Session
from flowlatch.model.params import redacted
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, LogLine
from flowlatch.text import clean, counted, one_line

PAGE = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is read as a formula by spreadsheets."""
RUN_COLUMNS = (
    "id",
    "name",
    "flow_id",
    "flow_name",
    "flow_version",
    "version",
    "state",
    "state_message",
    "state_timestamp",
    "scheduled_start_time",
    "start_time",
    "end_time",
    "created",
    "updated",
    "labels",
    "idempotency_key",
    "actor",
)
LOG_COLUMNS = ("timestamp", "level", "name", "message", "task_run_id", "id")


class Format(StrEnum):
    """How a file is written; the value is the file name's end."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    TEXT = "log"
    SVG = "svg"


@dataclass(frozen=True)
class Export:
    """Something to write: what it is called, in which formats, and how to get its rows."""

    title: str
    """What the question says, e.g. `31 runs`."""
    name: str
    """Start of the suggested file name."""
    formats: Sequence[Format]
    text: Callable[[Format], AsyncIterator[str]]
    """Gives the file's text in pieces."""


def runs_of(session: Session, query: RunQuery, total: int | None = None) -> Export:
    """Return the export of all runs that match `query`, in its order, read page by page."""

    async def rows() -> AsyncIterator[Mapping[str, Any]]:
        offset = 0
        while True:
            asked = replace(query, limit=PAGE, offset=offset)
            page = await session.backend.page(asked, with_total=False)
            for run in page.rows:
                yield run_row(run)
            offset += len(page.rows)
            if len(page.rows) < PAGE:
                return

    title = "the runs" if total is None else counted(total, "run")
    return Export(title, "runs", (Format.JSON_LINES, Format.CSV), lambda kind: _table(kind, RUN_COLUMNS, rows()))


def marked_runs(runs: Sequence[FlowRun]) -> Export:
    """Return the export of these runs."""

    async def rows() -> AsyncIterator[Mapping[str, Any]]:
        for run in runs:
            yield run_row(run)

    return Export(
        counted(len(runs), "run"),
        "runs",
        (Format.JSON_LINES, Format.CSV),
        lambda kind: _table(kind, RUN_COLUMNS, rows()),
    )


def logs_of(run: FlowRun, lines: Sequence[LogLine]) -> Export:
    """Return the export of the log lines that are held, oldest first."""
    held = list(lines)

    async def rows() -> AsyncIterator[Mapping[str, Any]]:
        for line in held:
            yield {column: getattr(line, column) for column in LOG_COLUMNS}

    async def text(kind: Format) -> AsyncIterator[str]:
        if kind is Format.TEXT:
            for line in held:
                yield log_text(line)
        else:
            async for piece in _table(kind, LOG_COLUMNS, rows()):
                yield piece

    formats = (Format.TEXT, Format.JSON_LINES, Format.CSV)
    return Export(counted(len(held), "log line"), f"log-{_file_word(run.name) or run.id[:8]}", formats, text)


def picture_of(svg: str) -> Export:
    """Return the export of a picture of the screen."""

    async def text(kind: Format) -> AsyncIterator[str]:
        yield svg

    return Export("a picture of this screen", "screen", (Format.SVG,), text)


async def _table(kind: Format, columns: Sequence[str], rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[str]:
    if kind is Format.CSV:
        yield csv_text([columns])
    async for row in rows:
        yield json_line(row) if kind is Format.JSON_LINES else csv_text([[row.get(each) for each in columns]])


def run_row(run: FlowRun) -> dict[str, Any]:
    """Return a run as one row; columns named as on the wire."""
    return {column: getattr(run, column) for column in RUN_COLUMNS}


def run_document(run: FlowRun) -> Any:
    """Return the run as the server sent it, secrets redacted; as far as it is known when it never was read whole."""
    if run.raw is not None:
        return redacted(run.raw)
    from flowlatch.values import dumped

    return redacted(dumped(run, exclude={"raw"}))


def json_line(row: Mapping[str, Any]) -> str:
    """Return one JSON object on one line, ASCII-escaped, secrets redacted, times in ISO 8601."""
    return json.dumps(redacted(dict(row)), default=_plain) + "\n"


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV (RFC 4180), with `'` before every cell that a spreadsheet would take for a formula."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _plain(value)
    text = value if isinstance(value, str) else json.dumps(redacted(value), ensure_ascii=False, default=_plain)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, int | float) else text


def log_text(line: LogLine) -> str:
    """Return a log line as text: time in UTC, level, logger, message; further lines of it are indented."""
    message = clean(line.message.rstrip("\n"), 10**9, multiline=True).replace("\n", "\n    ")
    return f"{_plain(line.timestamp)} {one_line(line.level, 20):<8} {one_line(line.name)}: {message}\n"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)


def _file_word(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name[:40]).strip(
        "-"
    )


def suggested(export: Export, kind: Format, directory: Path, now: datetime) -> Path:
    """Return a file name that is not taken: `runs-20261124-140311.csv`."""
    stem = f"{export.name}-{now:%Y%m%d-%H%M%S}"
    path = directory / f"{stem}.{kind}"
    number = 1
    while path.exists():
        number += 1
        path = directory / f"{stem}-{number}.{kind}"
    return path


async def write_new(path: Path, pieces: AsyncIterator[str]) -> int:
    """Write a new file, readable by its owner only, and return its size in bytes.

    Raises `BadInput` when it exists or cannot be written; what an interrupted write left is removed.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BadInput(f"{one_line(path)} exists; give another name") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{one_line(path)}: {_reason(error)}") from error
    is_done = False
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            async for piece in pieces:
                file.write(piece)
            file.flush()
            size = os.fstat(file.fileno()).st_size
        is_done = True
        return size
    except OSError as error:
        raise BadInput(f"{one_line(path)}: {_reason(error)}") from error
    finally:
        if not is_done:
            os.unlink(path)


def _reason(error: Exception) -> str:
    return (error.strerror or "cannot be written") if isinstance(error, OSError) else one_line(error)
