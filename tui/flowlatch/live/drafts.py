"""What was typed and not sent, kept on disk until somebody discards it or it was sent (ux.md row 47).

One file for each draft, 0600, renamed into place, so that a crash leaves the old or the new one and never half of one.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from flowlatch.model.run import RunId
from flowlatch.text import one_line


class DraftKind(StrEnum):
    """Which form a draft belongs to."""

    EDIT = "edit"
    CREATE = "create"
    SCHEDULE = "schedule"


def new_draft_id() -> str:
    """Return an id for a new draft."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One form as it was typed. `fields` is the form's own; texts are raw."""

    id: str = field(default_factory=new_draft_id)
    kind: DraftKind
    profile: str = ""
    server_id: str = ""
    """The database it was meant for; a draft never goes to another one unseen."""
    title: str = ""
    """What the list of drafts shows, e.g. `Failed on etl-orders / amber-lynx`."""
    run_id: RunId | None = None
    base_version: int | None = None
    """The version an edit was based on."""
    fields: dict[str, Any] = field(default_factory=dict)
    saved_at: datetime
    is_unknown: bool = False
    """True when it was sent and its outcome is not known."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{32}", self.id):
            raise ValueError("a draft id is 32 hexadecimal digits")


class Drafts:
    """The drafts of this machine's user. Writing never raises: `problem` says when one could not be kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problem: str | None = None
        """One line while the last write failed, else None."""
        self._lock = Lock()
        self._discarded: set[str] = set()

    def save(self, draft: Draft) -> None:
        """Keep a draft in the place of an older one with its id; from any thread. A discarded one stays discarded."""
        with self._lock:
            if draft.id not in self._discarded:
                self._write(draft)

    def _write(self, draft: Draft) -> None:
        from flowlatch.values import dumped

        content = dumped(draft)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.directory, prefix=".", suffix=".new")
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    json.dump(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self._path(draft.id))
            finally:
                Path(name).unlink(missing_ok=True)
            self.problem = None
        except OSError as error:
            self.problem = f"draft not kept, {one_line(self.directory)}: {one_line(error.strerror or 'failed')}"

    def discard(self, draft_id: str) -> None:
        """Forget a draft; nothing happens when there is none."""
        path = self._path(draft_id)
        with self._lock:
            self._discarded.add(draft_id)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self.problem = f"draft not discarded: {one_line(error.strerror or 'failed')}"

    def all(self) -> list[Draft]:
        """Return the drafts, newest first. Files that cannot be read stay and are passed over."""
        try:
            paths = sorted(self.directory.glob("*.json"))
        except OSError:
            return []
        found = [draft for path in paths if (draft := _read(path)) is not None]
        return sorted(found, key=lambda draft: draft.saved_at, reverse=True)

    def count(self) -> int:
        """Return how many drafts there are: what makes quitting ask."""
        return len(self.all())

    def of_run(self, run_id: RunId, server_id: str) -> Draft | None:
        """Return the newest draft for a run of that database."""
        return next((draft for draft in self.all() if draft.run_id == run_id and draft.server_id == server_id), None)

    def _path(self, draft_id: str) -> Path:
        if not draft_id.isalnum():
            raise ValueError("a draft id has letters and digits only")
        return self.directory / f"{draft_id}.json"


def _read(path: Path) -> Draft | None:
    from flowlatch.values import ValidationError, validated

    try:
        return validated(Draft, path.read_bytes())
    except (OSError, ValidationError):
        return None
