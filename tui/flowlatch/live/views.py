"""How the operator last looked at each server: kept across restarts, one file for all profiles.

Losing it costs nothing, so a file that cannot be read or written is ignored; it is replaced in one step, so that two
dashboards never leave half of one.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from flowlatch.live.session import TimeStyle
from flowlatch.model.query import Sort


class View(BaseModel):
    """One profile's view of the list."""

    model_config = ConfigDict(frozen=True)

    filter: str = ""
    default_filter: str = ""
    """The profile's own filter when this was kept: where it is another one now, the profile's counts."""
    sort: Sort = Sort()
    columns: tuple[str, ...] = ()
    """Empty = the profile's, else the default ones."""
    has_pane: bool = True
    time_style: TimeStyle = TimeStyle.RELATIVE


def load_view(path: Path, profile: str, default_filter: str = "") -> View:
    """Return the kept view of a profile, or a fresh one with the profile's filter."""
    fresh = View(filter=default_filter, default_filter=default_filter)
    try:
        view = View.model_validate(_read(path)[profile])
    except (KeyError, ValidationError):
        return fresh
    return view if view.default_filter == default_filter else view.model_copy(update=dict(fresh))


def save_view(path: Path, profile: str, view: View) -> None:
    """Keep a view. Does nothing when the file cannot be written."""
    content = {**_read(path), profile: view.model_dump(mode="json")}
    name = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=".views-", dir=path.parent)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(name, path)
    except OSError:
        if name:
            Path(name).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
