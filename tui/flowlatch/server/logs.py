"""Log lines: one event, one line, on stderr; never a query, a variable or a header."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime

from flowlatch.text import clean

LINE_LIMIT = 2_000


class _Line(logging.Formatter):
    """`time level name message`, control characters made visible; a traceback without locals is folded in."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{moment} {record.levelname} {record.name} {_message(self, record)}"


class _Json(logging.Formatter):
    """The same as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
                "level": record.levelname,
                "logger": record.name,
                "message": _message(self, record),
            }
        )


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    text = record.getMessage()
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, asyncio.CancelledError):  # the server stops and waits no longer for the rest of a request
        text = f"a request was cut off: {error or 'it was cancelled'}"
    elif record.exc_info:
        text += " | " + formatter.formatException(record.exc_info)
    return clean(text, LINE_LIMIT)


class _Quiet(logging.StreamHandler):  # type: ignore[type-arg]
    """A stderr that cannot be written to must not end a request."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is the library's)
        return


def configure(*, as_json: bool) -> None:
    """Send all log lines to stderr, ours from INFO, those of libraries from WARNING."""
    handler = _Quiet(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("flowlatch").setLevel(logging.INFO)
