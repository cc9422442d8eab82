"""Starts the dashboard: what must be settled before Textual is imported, and the exit code after it.

Importing this module costs nothing; `run_dashboard` imports the screen.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from flowlatch.config import Settings, Target, places

if TYPE_CHECKING:
    from flowlatch.api.backend import Backend
    from flowlatch.ui.hooks import Hooks

LOG_FILE = "flowlatch.log"
LOG_BYTES = 1_000_000
SSH_FRAMES_PER_S = 20
GONE = 128 + signal.SIGHUP
"""The exit code of a dashboard whose terminal is gone."""


def run_dashboard(
    settings: Settings,
    target: Target,
    *,
    opener: Callable[[Target], Awaitable[Backend]] | None = None,
    data: Path | None = None,
    mouse: bool = True,
    theme: str | None = None,
    hooks: Hooks | None = None,
) -> int:
    """Show the dashboard until it is left; return the exit code.

    `opener` connects to a target (by default `api.opener.open_backend`, on the data directory `data` for the embedded
    server); it is called after the first frame.
    """
    gc.disable()
    prepare(os.environ)
    log_to(places().state / LOG_FILE)
    from flowlatch.ui.app import FlowlatchApp

    app = FlowlatchApp(
        settings,
        target,
        settling(opener or opener_for(data)),
        theme=theme,
        hooks=hooks,
        ascii_only=knows_ascii_only(os.environ),
    )
    app.run(mouse=mouse)
    if app.return_code == GONE:
        # What could not be written to a terminal that is gone would fail again at the end, with another exit code.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
    return app.return_code or 0


def opener_for(data: Path | None) -> Callable[[Target], Awaitable[Backend]]:
    """Return an opener that imports the network client in a thread, so that the screen never waits for it."""

    async def opener(target: Target) -> Backend:
        module = await asyncio.to_thread(import_module, "flowlatch.api.opener")
        backend: Backend = await module.open_backend(target, data=data)
        return backend

    return opener


def settling(opener: Callable[[Target], Awaitable[Backend]]) -> Callable[[Target], Awaitable[Backend]]:
    """Return an opener that begins to collect garbage once the first connection is open, or failed.

    All that was made until then is left out for good: to look through it stops the screen for 60 ms each time.
    """

    async def settled(target: Target) -> Backend:
        try:
            return await opener(target)
        finally:
            if not gc.isenabled():
                gc.freeze()
                gc.enable()

    return settled


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set what Textual reads at import: over SSH no animations and fewer frames; the size comes from the terminal.

    Shells and programs between them export COLUMNS and LINES, and what was true when they did would hold for ever. Only
    Textual's driver for browsers, which has no terminal to ask, needs them. An empty NO_COLOR asks for nothing.
    """
    if not environ.get("NO_COLOR"):
        environ.pop("NO_COLOR", None)
    if "TEXTUAL_DRIVER" not in environ:
        environ.pop("COLUMNS", None)
        environ.pop("LINES", None)
    if "SSH_CONNECTION" in environ or "SSH_TTY" in environ:
        environ.setdefault("TEXTUAL_FPS", str(SSH_FRAMES_PER_S))
    environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")


def knows_ascii_only(environ: Mapping[str, str]) -> bool:
    """True when the locale says C, POSIX or an encoding that is not UTF-8; an unset one is taken for UTF-8."""
    locale = environ.get("LC_ALL") or environ.get("LANG") or ""
    name, _, encoding = locale.partition(".")
    if encoding:
        return encoding.partition("@")[0].lower().replace("-", "") != "utf8"
    return name in ("C", "POSIX")


class _OneLine(logging.Formatter):
    """One event, one line; control characters escaped; tracebacks without local variables."""

    def format(self, record: logging.LogRecord) -> str:
        from flowlatch.text import clean

        return clean(super().format(record).replace("\n", " | "), 20_000)


def log_to(path: Path) -> None:
    """Send all log lines to a file that only its owner reads; nothing may ever reach the screen from the side."""
    handler: logging.Handler
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
