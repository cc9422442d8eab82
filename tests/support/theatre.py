"""The real dashboard on a seeded real server whose clock stands still: what pictures and snapshots are taken of."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Settings, Target
from flowlatch.live.follow import Follow
from flowlatch.profile import checked_profile
from flowlatch.secret import Secret
from flowlatch.ui.app import FlowlatchApp
from tests.bench.fill import fill
from tests.support.server import ServerProcess
from tests.support.stage import screen_text
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

NOW = datetime(2030, 1, 15, 13, 3, 10, tzinfo=UTC)
"""In the future, since the server's clock is never earlier than the last time stored: so it stands still too."""
ZONE = "Europe/Berlin"
PORT = 4200
"""Shown in the pictures, whichever port of as many digits the server has."""
SEED, RUNS = 11, 1200
STEADY_LOOKS = 12
"""Looks in a row, a few hundredths of a second apart, that must show the same."""
DEADLINE_S = 30.0
YOU = "you@ops-1"
COLLEAGUE = {"X-Flowlatch-Actor": "mira@ops-2"}


@dataclass
class Stage:
    """One start of the application, ready to be driven."""

    app: FlowlatchApp
    pilot: Pilot[Any]
    server: ServerProcess
    wire: Wire
    """The way a colleague acts."""

    async def shows(self, *wanted: str) -> None:
        """Wait until all of these texts are on the screen."""
        await eventually_async(
            lambda: all(text in screen_text(self.app) for text in wanted), DEADLINE_S, f"{wanted} on the screen"
        )
        await self.settled()

    async def on(self, screen: str) -> None:
        """Wait until the screen of this class is on top."""
        await eventually_async(lambda: type(self.app.screen).__name__ == screen, DEADLINE_S, f"{screen} on top")
        await self.settled()

    async def settled(self) -> None:
        """Wait until the screen has looked the same for `STEADY_LOOKS` looks: what was asked of the server has come."""
        await self.pilot.pause()
        last, same = "", 0

        def is_steady() -> bool:
            nonlocal last, same
            shown = screen_text(self.app)
            last, same = shown, same + 1 if shown == last else 0
            return same >= STEADY_LOOKS

        await eventually_async(is_steady, DEADLINE_S, "a screen that stands still")

    async def press(self, *keys: str) -> None:
        """Press keys and let the screen settle."""
        await self.pilot.press(*keys)
        await self.settled()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*("space" if char == " " else char for char in text))

    async def command(self, text: str) -> None:
        """Type a command."""
        await self.press("colon")
        await self.write(text)
        await self.press("enter")

    async def filtered(self, text: str) -> None:
        """Show only the runs that match a filter."""
        await self.press("slash")
        await self.write(text)
        await self.press("enter")


@dataclass
class House:
    """A seeded data directory, and the server that is started on a copy of it."""

    directory: Path
    port: int
    _server: ServerProcess | None = field(default=None, init=False)
    _copies: int = field(default=0, init=False)
    _is_touched: bool = field(default=False, init=False)

    def build(self) -> None:
        """Fill the directory that all servers start from."""
        fill(self.directory / "seed" / "data", RUNS, random.Random(SEED), NOW, ahead=6)

    def server(self, *, afresh: bool = False) -> ServerProcess:
        """Return a running server; `afresh` for one that will change its data."""
        if self._server is not None and (afresh or self._is_touched or not self._server.is_alive):
            self.close()
        self._is_touched = afresh
        if self._server is None:
            self._copies += 1
            place = self.directory / str(self._copies)
            shutil.copytree(self.directory / "seed", place)
            self._server = ServerProcess(place, "--no-scheduler").start(port=self.port)
        return self._server

    def close(self) -> None:
        """End the server that runs."""
        if self._server is not None:
            self._server.close()
            self._server = None


@contextmanager
def kept_port() -> Iterator[int]:
    """Give a free port with as many digits as the one in the pictures; no other house on this machine takes it."""
    for port in range(PORT, 10_000):
        with (Path(tempfile.gettempdir()) / f"flowlatch-picture-{port}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            with socket.socket() as probe:
                is_free = probe.connect_ex(("127.0.0.1", port)) != 0
            if is_free:
                yield port
                return
    raise AssertionError("no free port of four digits")


@contextmanager
def house() -> Iterator[House]:
    """Make a house, and end what it started. Keys and ids that this process makes are the same each time."""
    with tempfile.TemporaryDirectory(prefix="flowlatch-picture-") as directory, kept_port() as port:
        made = House(Path(directory), port)
        made.build()
        with (
            mock.patch.dict(os.environ, HOME="/home/you"),
            mock.patch.object(secrets, "token_hex", lambda size: random.Random(SEED).randbytes(size).hex()),
        ):
            try:
                yield made
            finally:
                made.close()


PROFILES = {
    "prod": Profile(name="prod", url="https://ops.example/graphql", production=True, read_only=True),
    "staging": Profile(name="staging", url="https://staging.example/graphql", verify=False),
    "prefect3": Profile(name="prefect3", url="http://127.0.0.1:4210/api", kind="prefect3"),
}
"""Other servers of the operator, never connected to."""


def settings_of(profile: Profile) -> Settings:
    """Return settings with this profile as the default, and those of `PROFILES`."""
    return Settings(default=profile.name, profiles={profile.name: profile, **PROFILES})


@asynccontextmanager
async def opened(
    server: ServerProcess,
    size: tuple[int, int],
    *,
    token: str | None = None,
    is_plain: bool = False,
    has_toasts: bool = False,
    **profile: Any,
) -> AsyncIterator[Stage]:
    """Open the dashboard on a server, at rest on the list; `is_plain` under NO_COLOR, `profile` as in the file."""
    made = checked_profile({"name": "ops", "url": server.url, **profile})
    target = Target(made, Secret(token or server.token or ""), YOU)
    waits = mock.patch.dict(Follow.__init__.__kwdefaults__ or {}, jitter=lambda: 1.0)
    with tempfile.TemporaryDirectory(prefix="flowlatch-state-") as state, mock.patch.dict(os.environ), waits:
        os.environ.update(HOME=state, FLOWLATCH_HOME=f"{state}/.flowlatch", **({"NO_COLOR": "1"} if is_plain else {}))
        app = FlowlatchApp(
            settings_of(made),
            target,
            open_backend,
            theme="dark",
            clock=lambda: NOW,
            zone=ZONE,
            state_dir=Path(state) / "state",
        )
        async with app.run_test(size=size, notifications=has_toasts) as pilot:
            yield Stage(app, pilot, server, server.wire(**COLLEAGUE))
            workers = list(app.workers)
            app.workers.cancel_all()
            for worker in workers:
                with suppress(WorkerCancelled):
                    await worker.wait()
