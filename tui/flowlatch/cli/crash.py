"""What is said when this program has a bug: one line, and a log that only its owner reads (reliability.md §5)."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

LOG_FILE = "crash.log"


def tell_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the traceback, without local variables, into the log and name it in one line on stderr."""
    from flowlatch.config import places
    from flowlatch.text import one_line

    path = places().state / LOG_FILE
    lines = traceback.format_exception(kind, error, trace)
    where = f"details in {path}" if _append(path, lines) else "its details could not be written to a log"
    sys.stderr.write(f"flowlatch: internal error: {kind.__name__}; {one_line(where, 400)}\n")


def _append(path: Path, lines: list[str]) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
            file.write(datetime.now(UTC).isoformat() + "\n")
            file.writelines(line.encode("utf-8", "backslashreplace").decode() for line in lines)
    except OSError:
        return False
    return True
