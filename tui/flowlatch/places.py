"""Where the files of this program are. Source: design.md §9."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Places:
    """Where files are."""

    config_file: Path
    data: Path
    state: Path


def brief(path: Path) -> str:
    """Return a path as a shell would take it, with `~` for the home directory."""
    try:
        home = Path.home()
    except RuntimeError:
        return str(path)
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)


def places(environ: Mapping[str, str] = os.environ) -> Places:
    """Return the places of files: all under `FLOWLATCH_HOME` if set, else the platform's directories."""
    home = environ.get("FLOWLATCH_HOME", "").strip()
    if home:
        root = Path(home).expanduser().absolute()
        return Places(root / "config.toml", root / "data", root / "state")
    return Places(
        platformdirs.user_config_path("flowlatch") / "config.toml",
        platformdirs.user_data_path("flowlatch"),
        platformdirs.user_state_path("flowlatch"),
    )
