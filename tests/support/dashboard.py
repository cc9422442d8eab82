"""The real dashboard on a real server, driven by keys in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from textual import events
from textual.message import Message
from textual.notifications import Notify
from textual.pilot import Pilot
from textual.screen import Screen
from textual.worker import WorkerCancelled

from flowlatch.api.opener import open_backend
from flowlatch.config import load_settings, resolve
from flowlatch.profile import checked_profile
from flowlatch.secret import Secret
from flowlatch.ui.app import FlowlatchApp
from tests.support.stage import screen_text
from tests.support.waiting import eventually_async

S = TypeVar("S", bound=Screen[Any])
SMALL, LARGE = (80, 24), (120, 40)
ACTOR = "tester@here"


class Deck:
    """One running dashboard and its keys."""

    def __init__(self, app: FlowlatchApp, pilot: Pilot[object], toasts: list[str]) -> None:
        self.app = app
        self.pilot = pilot
        self.toasts = toasts
        """What was said so far, oldest first, also what is not shown any more."""

    @property
    def text(self) -> str:
        """What the screen in front shows."""
        return screen_text(self.app)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)
        await self._handled()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*text)

    def burst(self, *keys: str) -> None:
        """Send keys as a slow link delivers them: all at once."""
        for key in keys:
            self.app.post_message(events.Key(key, key if len(key) == 1 else None))

    async def _handled(self) -> None:
        def has_come_to_rest() -> bool:
            return self.app.is_between_keys or not self.app.is_running

        await eventually_async(has_come_to_rest, what="the end of what the keys began")

    async def shows(self, *texts: str, deadline_s: float = 10.0) -> str:
        """Wait until all these texts are on the screen and return it."""

        def seen() -> str:
            text = self.text
            missing = [wanted for wanted in texts if wanted not in text]
            assert not missing, f"missing {missing} in\n{text}"
            return text

        return await eventually_async(seen, deadline_s)

    async def hides(self, text: str) -> None:
        """Wait until a text is not on the screen any more."""
        await eventually_async(lambda: text not in self.text, what=f"{text!r} to go")

    async def screen(self, kind: type[S]) -> S:
        """Wait until a screen of this kind is in front and return it."""
        await eventually_async(lambda: isinstance(self.app.screen, kind), what=f"{kind.__name__} in front")
        assert isinstance(self.app.screen, kind)
        await self.pilot.pause()
        return self.app.screen


class Server(Protocol):
    """What a dashboard needs to know of a server."""

    url: str

    @property
    def token(self) -> str | None:
        """What it wants in a request."""
        ...


@asynccontextmanager
async def dashboard(
    server: Server,
    *,
    size: tuple[int, int] = SMALL,
    read_only: bool = False,
    zone: str = "Europe/Berlin",
    url: str | None = None,
    name: str | None = None,
    actor: str = ACTOR,
    **profile: object,
) -> AsyncIterator[Deck]:
    """Open the dashboard on `server` and wait until it is online; it is closed at the end.

    `url` leads there another way, and so does `name`, a profile of the configuration file; `profile` holds settings
    such as `production=True`.
    """
    settings = load_settings()
    token = Secret(server.token) if server.token else None
    way = None if name else url or server.url
    target = resolve(settings, profile=name, server=way, token=token, read_only=read_only, actor=actor)
    target = replace(target, profile=checked_profile({**vars(target.profile), **profile}))
    app = FlowlatchApp(settings, target, open_backend, zone=zone)
    said: list[str] = []

    def hear(message: Message) -> None:
        if isinstance(message, Notify):
            said.append(message.notification.message)

    async with app.run_test(size=size, message_hook=hear) as pilot:
        await eventually_async(lambda: app.session.link.is_online, what="the link")
        yield Deck(app, pilot, said)
        workers = list(app.workers)
        app.workers.cancel_all()
        for worker in workers:
            with suppress(WorkerCancelled):
                await worker.wait()
