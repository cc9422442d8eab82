"""Opens screens, remembers the way, goes back and forward on it. Screens are imported when they are first opened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from textual import on
from textual.app import App
from textual.screen import Screen

from flowlatch.live.session import Session
from flowlatch.ui.messages import (
    OpenBulk,
    OpenCancel,
    OpenCreate,
    OpenEditState,
    OpenNamed,
    OpenRetry,
    OpenRun,
    OpenSchedule,
    OpenUndo,
    ShowRuns,
)
from flowlatch.ui.screens.out_of_date import OutOfDateScreen

log = logging.getLogger(__name__)
AnyScreen = Screen[Any]
Factory = Callable[[], AnyScreen]
NAMED = {
    "flows": ("flows", "FlowsScreen"),
    "agents": ("agents", "AgentsScreen"),
    "drafts": ("drafts", "DraftsScreen"),
    "journal": ("journal", "JournalScreen"),
}
"""Name of a place → module in `ui.screens` and class; each takes the session alone."""


def load(module: str, name: str) -> Callable[..., AnyScreen]:
    """Import a screen. One that is not what this program was started with, after an upgrade, is stood in for."""
    try:
        found: Callable[..., AnyScreen] = getattr(import_module(f"flowlatch.ui.screens.{module}"), name)
    except (ImportError, AttributeError, SyntaxError):
        log.exception("cannot load %s of %s", name, module)
        return OutOfDateScreen
    return found


class Navigator(App[object]):
    """The way through the screens: home is the list of runs, everything else is opened on top of it."""

    session: Session

    def __init__(self) -> None:
        super().__init__()
        self._ahead: list[Factory] = []
        """What `>` opens, last one first."""
        self._makers: dict[AnyScreen, Factory] = {}
        """How each open place was made."""

    def go(self, make: Factory) -> None:
        """Open a place of the map, from now on reachable by back and forward."""
        self._ahead.clear()
        self._open(make)

    def _open(self, make: Factory) -> None:
        screen = make()
        self._makers = {known: made for known, made in self._makers.items() if known in self.screen_stack}
        self._makers[screen] = make
        self.push_screen(screen)

    def is_home(self) -> bool:
        """True while the list of runs is in front."""
        return len(self.screen_stack) <= self.home_depth

    home_depth = 2
    """Screens on the stack while home is in front: Textual's own blank one and the list."""

    # Moving

    async def action_back(self) -> None:
        """Close what is in front; home stays."""
        self._go_back()

    def _go_back(self) -> None:
        if not self.is_home():
            make = self._makers.get(self.screen)
            if make is not None:
                self._ahead.append(make)
            self.pop_screen()

    def action_history_back(self) -> None:
        """The screen before this one."""
        self._go_back()

    def action_history_forward(self) -> None:
        """What back has closed."""
        if self._ahead:
            self._open(self._ahead.pop())

    def action_last_view(self) -> None:
        """To and fro between this view and the one before."""
        if self.is_home():
            self.action_history_forward()
        else:
            self._go_back()

    def go_home(self) -> None:
        """Close everything but the list of runs."""
        while not self.is_home():
            self.pop_screen()

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Take a picture of the screen in front, whichever it is, then ask where to write it.

        Instead of Textual's own, which writes at once and for everybody to read; its arguments are not used.
        """
        from flowlatch.live.export import picture_of

        picture = picture_of(self.export_screenshot(title="flowlatch"))
        self.push_screen(load("export", "ExportScreen")(self.session, picture))

    # What screens ask for

    @on(OpenRun)
    def _open_run(self, message: OpenRun) -> None:
        session = self.session
        self.go(lambda: load("run", "RunScreen")(session, message.run_id, tab=message.tab))

    @on(OpenCreate)
    def _open_create(self, message: OpenCreate) -> None:
        create = load("create", "CreateScreen")
        self.push_screen(create(self.session, message.flow, message.source, start=message.start))

    @on(OpenSchedule)
    def _open_schedule(self, message: OpenSchedule) -> None:
        flow_id = message.source.flow_id if message.source else None
        self.push_screen(load("schedule", "ScheduleScreen")(self.session, message.flow, flow_id=flow_id))

    @on(OpenEditState)
    def _open_edit_state(self, message: OpenEditState) -> None:
        self.push_screen(load("edit_state", "EditStateScreen")(self.session, message.run))

    @on(OpenUndo)
    def _open_undo(self, message: OpenUndo) -> None:
        self.push_screen(load("edit_state", "EditStateScreen")(self.session, message.run, undo=True))

    @on(OpenCancel)
    def _open_cancel(self, message: OpenCancel) -> None:
        self.push_screen(load("cancel", "CancelScreen")(self.session, message.run))

    @on(OpenRetry)
    def _open_retry(self, message: OpenRetry) -> None:
        if len(message.runs) == 1:
            self.push_screen(load("retry", "RetryScreen")(self.session, message.runs[0]))
        else:
            self._open_bulk(OpenBulk("retry", message.runs))

    @on(OpenBulk)
    def _open_bulk(self, message: OpenBulk) -> None:
        if message.verb == "delete" and len(message.runs) == 1:
            self.push_screen(load("cancel", "DeleteScreen")(self.session, message.runs[0]))
            return
        self.push_screen(load("bulk", "BulkScreen")(self.session, message.verb, message.runs), message.then)

    @on(OpenNamed)
    def _open_named(self, message: OpenNamed) -> None:
        if message.name == "runs":
            self.go_home()
            return
        if message.name == "connections":
            self.call_later(self.run_action, "connections")
            return
        module, name = NAMED[message.name]
        session = self.session
        self.go(lambda: load(module, name)(session))

    @on(ShowRuns)
    def _show_runs(self, message: ShowRuns) -> None:
        home = self.screen_stack[self.home_depth - 1]
        self.go_home()
        home.post_message(ShowRuns(message.filter))

    def action_drafts(self) -> None:
        """What was typed and not sent."""
        self.post_message(OpenNamed("drafts"))
