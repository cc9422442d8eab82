"""The demo as the dashboard sees it: a throw-away home, a server in it, and the end of both on close."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Target
from flowlatch.demo.backstage import STOP_S, data_of
from flowlatch.discovery import is_running
from flowlatch.errors import Unreachable
from flowlatch.text import one_line

PREFIX = "flowlatch-demo-"
LOOK_EVERY_S = 0.05


class Stage:
    """Owns the process behind the demo. That process notices the end of this one, however it ends."""

    def __init__(self, *, speed: float = 1.0, seed: int = 1) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX))
        """Becomes FLOWLATCH_HOME, so that the demo leaves nothing in the operator's own journal and drafts."""
        self.data = data_of(self.home)
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.home, ignore_errors=True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flowlatch.demo.backstage", str(self.home), str(speed), str(seed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            undo.pop_all()

    async def open(self, target: Target) -> Backend:
        """Connect to the demo's server, as soon as it runs. Raises `Unreachable` when it did not start."""
        while not is_running(self.data):
            if self._process.poll() is not None:
                raise Unreachable("the demo's server is gone; quit and start the demo again")
            if (reason := self._failure()) is not None:
                raise Unreachable(f"the demo's server did not start: {reason}")
            await asyncio.sleep(LOOK_EVERY_S)
        return await open_backend(target, data=self.data)

    def _failure(self) -> str | None:
        """Return the last words of a server that said some before it ran; a healthy start says nothing this early."""
        try:
            lines = (self.home / "server.log").read_text("utf-8", "replace").splitlines()
        except OSError:
            return None
        return one_line(lines[-1]) if lines and lines[-1].startswith("flowlatch:") else None

    def close(self) -> None:
        """End server and actors, remove the directory, and wait until that is done."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(2 * STOP_S + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
