"""Goes to another server: the present one stays on the screen until the new one has answered (ux.md row 68)."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from pathlib import Path

from textual import on, work
from textual.worker import Worker

from flowlatch.config import Settings, Target, resolve
from flowlatch.errors import ConfigError
from flowlatch.live.link import Phase
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui.messages import SwitchProfile
from flowlatch.ui.navigator import Navigator, load
from flowlatch.ui.screens.runs import RunsScreen

ANSWER_WITHIN_S = 20.0


class Switching(Navigator):
    """The part of the app that exchanges the session."""

    settings: Settings
    state_dir: Path

    @abstractmethod
    def make_session(self, target: Target) -> Session:
        """Return a session for a server; nothing is sent yet."""

    @abstractmethod
    def follow(self, session: Session) -> Worker[None]:
        """Follow a server."""

    @abstractmethod
    def fit(self) -> None:
        """Cover the screen when the window is too small for it."""

    @work(group="question", exclusive=True)
    async def action_connections(self) -> None:
        """Choose another server."""
        chosen = await self.push_screen_wait(load("connections", "ConnectionsScreen")(self.session, self.settings))
        if chosen is not None:
            self.post_message(SwitchProfile(chosen))

    @on(SwitchProfile)
    @work(group="switch", exclusive=True)
    async def _switch(self, message: SwitchProfile) -> None:
        try:
            target = await asyncio.to_thread(resolve, self.settings, profile=message.name)
        except ConfigError as error:
            self.notify(one_line(error), severity="error")
            return
        name = one_line(target.profile.name, 40)
        if target.profile == self.session.profile:
            self.session.retry_now()
            return
        self.notify(f"connecting to {name}; this one stays until it answers", timeout=ANSWER_WITHIN_S)
        session = self.make_session(target)
        worker = self.follow(session)
        try:
            problem = await self._first_answer(session)
        except asyncio.CancelledError:
            worker.cancel()
            raise
        finally:
            self.clear_notifications()
        if problem:
            worker.cancel()
            self.notify(f"{name}: {problem}; still on {one_line(self.session.profile.name, 40)}", severity="error")
            return
        self._show(session, worker)

    async def _first_answer(self, session: Session) -> str | None:
        """Wait until the server has answered; returns one line why it has not."""
        answered = asyncio.Event()
        stop = session.listen(lambda _: answered.set() if session.link.phase is not Phase.CONNECTING else None)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await answered.wait()
        except TimeoutError:
            return "no answer"
        finally:
            stop()
        return None if session.link.is_online else session.link.reason

    def _show(self, session: Session, worker: Worker[None]) -> None:
        """Put the new server in the place of the old one."""
        self.go_home()
        self._ahead.clear()
        for old in list(self.workers):
            if old.group == "follow" and old is not worker:
                old.cancel()
        self.session = session
        self.switch_screen(RunsScreen(session, state_dir=self.state_dir))
        self.fit()
        self.notify(f"now on {one_line(session.profile.name, 40)}")
