"""Opens the dashboard, where there is a terminal for one."""

from __future__ import annotations

import os
import sys

from flowlatch.cli.common import Common
from flowlatch.errors import ConfigError

NO_SCREEN = (
    "the dashboard needs a terminal ({why}); without one use the plain commands, e.g. flowlatch runs list --json"
)


def is_served() -> bool:
    """True where textual-serve starts this program: a browser is its terminal, spoken to through standard streams."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def check_terminal() -> None:
    """Raise `ConfigError` when there is no terminal that a screen can be drawn on."""
    if is_served():
        return
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise ConfigError(NO_SCREEN.format(why="standard input or output is none"))
    term = os.environ.get("TERM", "")
    if term in ("", "dumb"):
        raise ConfigError(NO_SCREEN.format(why="TERM is dumb" if term else "TERM is not set"))


def open_dashboard(common: Common) -> int:
    """Run the dashboard until it is left and return its exit code."""
    check_terminal()
    settings, target = common.settings, common.target()
    from flowlatch.ui.launch import run_dashboard

    return run_dashboard(settings, target, mouse=not common.no_mouse, theme=common.theme)
