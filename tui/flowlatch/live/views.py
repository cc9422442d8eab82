"""How the operator last looked at each server: kept across restarts, one file for all profiles.

Losing it costs nothing, so a file that cannot be read or written is ignored; it is replaced in one step, so that two
dashboards never leave half of one.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowlatch.live.session import TimeStyle
from flowlatch.model.query import Sort, SortKey


@dataclass(frozen=True, kw_only=True)
class View:
    """One profile's view of the list."""

    filter: str = ""
    default_filter: str = ""
    """The profile's own filter when this was kept: where it is another one now, the profile's counts."""
    sort: Sort = field(default_factory=Sort)
    columns: tuple[str, ...] = ()
    """Empty = the profile's, else the default ones."""
    has_pane: bool = True
    time_style: TimeStyle = TimeStyle.RELATIVE


def load_view(path: Path, profile: str, default_filter: str = "") -> View:
    """Return the kept view of a profile, or a fresh one with the profile's filter."""
    fresh = View(filter=default_filter, default_filter=default_filter)
    try:
        view = _view(_read(path)[profile])
    except (KeyError, TypeError, ValueError):
        return fresh
    return view if view.default_filter == default_filter else fresh


def _view(kept: Any) -> View:
    """Return the view that was kept. Raises KeyError, TypeError or ValueError for what `save_view` did not write.

    By hand and not by `values.validated`: it is read at each start, before the first frame.
    """
    texts = [kept["filter"], kept["default_filter"], *kept["columns"]]
    if not all(isinstance(text, str) for text in texts) or not isinstance(kept["columns"], list):
        raise TypeError("texts are expected")
    return View(
        filter=kept["filter"],
        default_filter=kept["default_filter"],
        sort=Sort(key=SortKey(kept["sort"]["key"]), descending=bool(kept["sort"]["descending"])),
        columns=tuple(kept["columns"]),
        has_pane=bool(kept["has_pane"]),
        time_style=TimeStyle(kept["time_style"]),
    )


def save_view(path: Path, profile: str, view: View) -> None:
    """Keep a view. Does nothing when the file cannot be written."""
    content = {**_read(path), profile: asdict(view)}
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
