"""The dashboard: owns the session and its one loop, tells the screens what is new, opens what they ask for."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import Worker, WorkerFailed

from flowlatch.config import Settings, Target, places
from flowlatch.live.session import Session, TimeStyle, utc_now
from flowlatch.text import clean, one_line
from flowlatch.ui import keys, messages
from flowlatch.ui.hooks import Hooks
from flowlatch.ui.navigator import Navigator, load
from flowlatch.ui.newsroom import Newsroom
from flowlatch.ui.painted import Thrifty
from flowlatch.ui.plain import PLAIN, Shades
from flowlatch.ui.safety import LastLine
from flowlatch.ui.screens import link_text
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.too_small import TooSmallScreen, is_too_small
from flowlatch.ui.switching import Switching
from flowlatch.ui.terminal import GONE, Gone, hardened
from flowlatch.ui.themes import DARK, THEMES
from flowlatch.ui.type_ahead import TypeAhead
from flowlatch.ui.widgets.background import begin

if TYPE_CHECKING:
    from flowlatch.api.backend import Backend

LOOK_EVERY_S = 5.0
"""How often it is looked whether data got old, or a text on the screen is another one now. Nothing is sent for it."""
TWICE_S = 2.0
"""The second ctrl+c within this time quits."""
TOAST_LIMIT = 400
EXIT_BY_SIGNAL = {signal.SIGTERM: 143, signal.SIGHUP: 129}

log = logging.getLogger(__name__)


class FlowlatchApp(TypeAhead, Thrifty, Switching, Navigator, inherit_bindings=False):
    """The dashboard on one server at a time."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*keys.EVERYWHERE, *keys.ALWAYS]

    def __init__(
        self,
        settings: Settings,
        target: Target,
        opener: Callable[[Target], Awaitable[Backend]],
        *,
        theme: str | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], datetime] = utc_now,
        ascii_only: bool = False,
        state_dir: Path | None = None,
        zone: str | None = None,
    ) -> None:
        self._last_line, self._shades = LastLine(ascii_only=ascii_only), Shades()
        super().__init__()
        self.settings = settings
        self.hooks = hooks or Hooks()
        self.opener = opener
        self.clock = clock
        self.zone = zone
        self.state_dir = state_dir or places().state
        self.session = self.make_session(target)
        self._newsroom = Newsroom(self.tell_screens, self.set_timer)
        self._looks = 0
        self._minute = ""
        self._warned_until_s: dict[str, float] = {}
        self._interrupted_at_s = -1e9
        self._started_at = clock()
        for each in THEMES.values():
            self.register_theme(each)
        self.register_theme(PLAIN)
        self.theme = PLAIN.name if self.no_color else theme or settings.theme
        self.set_keymap({action: ",".join(names) for action, names in settings.keys.items()})

    def make_session(self, target: Target) -> Session:
        """Return a session for a server; nothing is sent yet."""
        return Session(target, lambda: self.opener(target), clock=self.clock, zone=self.zone)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our variables, for themes that do not have them."""
        return dict(DARK.variables)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Return the screens seen below the one in front: none unless that is a dialog.

        Textual names the one below an opaque screen too, and whatever it hears of repaints the screen in front.
        """
        return super()._background_screens if any(screen.is_modal for screen in self._screen_stack[-1:]) else []

    def get_line_filters(self) -> list[LineFilter]:
        """Let nothing through that a terminal obeys, and no colour where none is wanted."""
        colours = [self._shades] if self.no_color else super().get_line_filters()
        return [*colours, self._last_line]

    def get_driver_class(self) -> type[Driver]:
        """Return a driver that survives the loss of its terminal."""
        return hardened(super().get_driver_class())

    # Start and end

    def on_mount(self) -> None:
        """Show the list at once, then connect."""
        loop = asyncio.get_running_loop()
        for number, code in EXIT_BY_SIGNAL.items():
            loop.add_signal_handler(number, self._end_by_signal, code)
        self.push_screen(RunsScreen(self.session, state_dir=self.state_dir))
        self.app_resume_signal.subscribe(self, lambda _: self.action_try_now())
        self.set_interval(LOOK_EVERY_S, self._look)
        for problem in self.settings.problems:
            self.notify(problem, severity="warning", timeout=12)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.follow(self.session)

    def follow(self, session: Session) -> Worker[None]:
        """Follow a server, and tell the screens what is heard as long as it is the one shown."""
        session.listen(lambda event: self._newsroom.hear(event) if session is self.session else None)
        return begin(self, session.run, group="follow", name="follow")

    def on_unmount(self) -> None:
        """Give the signals back."""
        loop = asyncio.get_running_loop()
        for number in EXIT_BY_SIGNAL:
            loop.remove_signal_handler(number)

    def _end_by_signal(self, code: int) -> None:
        self.call_later(self.end, code)

    @on(Gone)
    async def _terminal_gone(self) -> None:
        await self.end(GONE)

    def _fatal_error(self) -> None:
        """End after an error of ours: one short message, the details in the log, no local variables anywhere."""
        error: BaseException | None = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        name = type(error).__name__ if error else "unknown"
        log.critical("fatal: %s", "".join(traceback.format_exception(error)) if error else name)
        if not self._exit_renderables:  # what fails in its wake is for the log
            where = one_line(self.state_dir / "flowlatch.log")
            self._exit_renderables.append(Text(f"flowlatch ended by an error of its own ({name}). Details: {where}"))
        self._close_messages_no_wait()

    def notify(self, message: str, *, markup: bool = False, **options: Any) -> None:
        """Show a toast. Whatever is in it, it is text: cleaned, cut, never markup. A warning stands there once."""
        text, now_s = clean(message, TOAST_LIMIT, multiline=True), time.monotonic()
        if options.get("severity") == "warning":
            if now_s < self._warned_until_s.get(text, 0.0):
                return
            self._warned_until_s[text] = now_s + (options.get("timeout") or self.NOTIFICATION_TIMEOUT)
        super().notify(text, markup=False, **options)

    # News

    def tell_screens(self, message: messages.News) -> None:
        """Send news to every screen that is open, also to those below."""
        for screen in self.screen_stack:
            screen.post_message(_copy(message))

    def _look(self) -> None:
        """Every five seconds: has data got old? Every ten: what counts on the screen? Every minute: its clock."""
        link, now = self.session.link, self.session.local_now()
        is_fresh = (link.is_live(now), link.is_stale(now))
        if is_fresh != getattr(self, "_was_fresh", is_fresh):
            self.tell_screens(messages.LinkChanged(link))
            self.tell_screens(messages.WritingChanged())
        self._was_fresh = is_fresh
        self._looks += 1
        minute = link_text.wall_clock(self.session)
        if self._looks % 2 == 0 and (self.app_focus or minute != self._minute):  # beside another window it is seen, too
            self.tell_screens(messages.Tick(is_minute=minute != self._minute))
            self._minute = minute

    def watch_app_focus(self, is_looked_at: bool) -> None:
        """Rest while nobody looks, then catch up. A key counts as a look where the terminal does not tell of one."""
        self._newsroom.is_resting = not is_looked_at
        self.session.rest(not is_looked_at)
        self.tell_screens(messages.AttentionChanged())
        if is_looked_at:
            self._newsroom.flush()
            self.tell_screens(messages.Tick())

    def on_resize(self) -> None:
        """Paint anew, also when the size is the old one again: terminals cut what they show. Then look for room."""
        self.paint_anew()
        self.call_next(self.fit)

    @on(TooSmallScreen.Uncovered)
    def fit(self) -> None:
        """Say so when there is too little room, and take it back when there is enough."""
        is_small = is_too_small(self.size)
        if is_small and not any(isinstance(screen, TooSmallScreen) for screen in self.screen_stack):
            self.push_screen(TooSmallScreen())
        elif not is_small and isinstance(self.screen, TooSmallScreen):
            self.pop_screen()

    # Keys that work everywhere

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep single letters for text on forms; where nothing can be seen, nothing can be opened."""
        if isinstance(self.screen, TooSmallScreen):
            return action in TooSmallScreen.ACTIONS
        if action in _LETTERS and not getattr(self.screen, "letters_are_keys", True):
            return False
        return super().check_action(action, parameters)

    def action_try_now(self) -> None:
        """Load anew, or try to connect now; paint anew what may be garbled."""
        self.paint_anew()
        if isinstance(self.screen, RunsScreen):
            self.screen.action_refresh()
        else:
            self.session.retry_now()
            if self.session.link.is_online:
                self.tell_screens(messages.Tick())

    def action_time_style(self) -> None:
        """Write times in the next way."""
        styles = list(TimeStyle)
        style = styles[(styles.index(self.session.time_style) + 1) % len(styles)]
        self.session.time_style = style
        self.notify(f"times: {style}" + (f" ({self.session.zone})" if style is TimeStyle.LOCAL else ""))
        self.tell_screens(messages.TimesChanged())

    @work(group="question", exclusive=True)
    async def action_read_only(self) -> None:
        """Switch writing off at once; switching it on asks."""
        session = self.session
        if not session.read_only:
            session.read_only = True
            self.notify(
                keys.named("read-only: nothing can be changed from here; {read_only} switches it back", self._keymap)
            )
        else:
            question = f"Allow changes on {one_line(session.profile.name, 40)}?"
            if session.profile.production:
                question += "\nThis server is marked as PRODUCTION."
            if await self.ask("Switch read-only off", question, yes="Allow changes"):
                session.read_only = False
        self.tell_screens(messages.WritingChanged())

    async def ask(self, title: str, question: str, *, yes: str) -> bool:
        """Ask a question whose default is no."""
        confirm = load("confirm", "ConfirmScreen")(self.session, title, Content(question), yes=yes)
        return bool(await self.push_screen_wait(confirm))

    async def action_quit(self) -> None:
        """Leave; asks only when something typed here is not sent, or an outcome is not known."""
        self._quit()

    @work(group="question", exclusive=True)
    async def _quit(self) -> None:
        mine = [draft for draft in self.session.drafts.all() if draft.is_unknown or draft.saved_at >= self._started_at]
        if mine:
            unknown = sum(draft.is_unknown for draft in mine)
            kept = "a draft" if len(mine) == 1 else "drafts"
            note = f"{len(mine)} kept as {kept} {keys.named('({drafts})', self._keymap)}"
            note += f", {unknown} with an unknown outcome" if unknown else ""
            if not await self.ask("Quit?", f"Typed here and not sent: {note}.", yes="Quit"):
                return
        self.exit()

    def action_interrupt(self) -> None:
        """Quit at the second press."""
        now_s = time.monotonic()
        if now_s - self._interrupted_at_s < TWICE_S:
            self.exit()
            return
        self._interrupted_at_s = now_s
        self.notify(keys.named("press {interrupt} again to quit", self._keymap), timeout=TWICE_S)

    @work(group="command", exclusive=True)
    async def action_command(self) -> None:
        """Type a command."""
        from flowlatch.ui.commands import perform, verbs

        extra = {name: verb.about for name, verb in self.hooks.verbs.items()}
        typed = await self.push_screen_wait(load("command", "CommandScreen")(self.session, verbs(extra)))
        if not typed:
            return
        name = typed.split()[0]
        if name in self.hooks.verbs:
            await self._perform_hook(name)
        else:
            await perform(self, typed, extra)

    async def _perform_hook(self, name: str) -> None:
        from flowlatch.ui.hooks import run_in_view

        self.notify(await self.hooks.verbs[name].act(run_in_view(reversed(self.screen_stack))))

    def action_palette(self) -> None:
        """The same as the command line."""
        self.action_command()

    def action_help(self) -> None:
        """Show the keys of the screen in front."""
        self.push_screen(load("help", "HelpScreen")(self.session, self.screen))

    @on(messages.CopyText)
    def _copy_text(self, message: messages.CopyText) -> None:
        from flowlatch.ui.clipboard import copy_text

        self.notify(copy_text(self, message.text, message.what, is_on=self.settings.clipboard))


_LETTERS = frozenset(binding.id for binding in keys.EVERYWHERE if binding.id and binding not in (keys.BACK, keys.HELP))


def _copy(message: messages.News) -> messages.News:
    """Return a message of its own for each screen: one message cannot be in two queues."""
    match message:
        case messages.LinkChanged():
            return messages.LinkChanged(message.link)
        case messages.RunsChanged():
            return messages.RunsChanged(message.batch)
        case messages.Reload():
            return messages.Reload(message.reason)
        case messages.Tick():
            return messages.Tick(is_minute=message.is_minute)
        case _:
            return type(message)()
