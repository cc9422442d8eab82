"""Where a benchmark runs: a real server on a filled database, kept for the next time where a directory is given."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.fill import fill
from tests.support.server import ServerProcess


@contextmanager
def filled_server(runs: int, place: Path | None = None) -> Iterator[ServerProcess]:
    """Start a server on a database of `runs` runs: in `place` / runs, filled only when it is not there yet."""
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        directory = (place or Path(name)) / str(runs)
        if runs and not (directory / "data").exists():
            directory.mkdir(parents=True, exist_ok=True)
            fill(directory / "data", runs, random.Random(1), datetime.now(UTC))
        with ServerProcess(directory, "--no-scheduler") as server:
            yield server
