"""Copies of a database that is in use, by SQLite's own online backup."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from flowlatch.store.sqlite.connection import connect


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, also one in use, into the file `target` (0600, replaced as a whole) by SQLite's backup."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with closing(connect(source)) as old, closing(connect(part)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
