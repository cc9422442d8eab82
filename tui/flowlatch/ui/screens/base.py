"""What every screen shares: the top line, the connection band, the status line, the key line; and dialogs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.containers import Vertical
from textual.content import Content
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.screen import ModalScreen, Screen
from textual.timer import Timer

from flowlatch.live.session import Session
from flowlatch.ui.keys import named, rebound
from flowlatch.ui.messages import AttentionChanged, LinkChanged, Reload, Tick, TimesChanged, WritingChanged
from flowlatch.ui.screens import link_text
from flowlatch.ui.widgets.connection_bar import ConnectionBar
from flowlatch.ui.widgets.key_line import KeyLine, takes_text
from flowlatch.ui.widgets.line import StatusLine, TopLine

T = TypeVar("T")
WIDE = 110
"""From this width on, screens show a second column."""
ROOMY = 100
"""From this width on, one-line extras find room."""


class _Linked(Screen[T]):
    """A screen that knows its server and says so at the top."""

    title_text: Content = Content("")
    letters_are_keys = True
    """False on forms: the band then offers ctrl+r only."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._ticking: Timer | None = None

    @property
    def is_open(self) -> bool:
        """True while the screen has its widgets: a worker may end after the screen was closed."""
        return self.is_mounted and self.is_attached and self.display

    @property
    def own_keys(self) -> Mapping[str, str]:
        """The keys that the operator chose: action id → comma-separated keys."""
        return self.app._keymap

    def named(self, text: str) -> str:
        """Return a sentence of ours with each `{action}` in it as the key that it has now."""
        return named(text, self.own_keys)

    @property
    def _binding_chain(self) -> list[tuple[DOMNode, BindingsMap]]:
        """The keys of each part from the focused one outwards, less those that a part within takes as text."""
        if not self.own_keys:
            return super()._binding_chain
        focused = None if self.focused is None or self.focused.loading else self.focused
        nodes: list[DOMNode] = [self, self.app] if focused is None else focused.ancestors_with_self
        chain: list[tuple[DOMNode, BindingsMap]] = []
        for node in nodes:
            bindings = rebound(node._bindings, self.own_keys)
            for key in list(bindings.key_to_bindings):
                if any(within.check_consume_key(key, key_to_character(key)) for within, _ in chain):
                    del bindings.key_to_bindings[key]
            chain.append((node, bindings))
        return chain

    @on(events.Mount)
    def _frame_mounted(self) -> None:
        self.set_class(self.session.profile.production, "production")
        if waits_s := link_text.band_waits_s(self.session):
            self.set_timer(waits_s + 0.05, self.show_link)
        self.show_link()

    @on(LinkChanged)
    @on(Reload)
    @on(Tick)
    @on(TimesChanged)
    def _frame_heard(self) -> None:
        self.show_link()

    @on(WritingChanged)
    def _frame_writing_changed(self) -> None:
        self.show_link()
        self.refresh_bindings()

    @on(AttentionChanged)
    @on(events.ScreenResume)
    def _frame_looked_at(self) -> None:
        self.show_link()

    def show_link(self) -> None:
        """Show the band while there is no link; it counts by the second only then, and only while looked at."""
        bar = self.query_one_optional(ConnectionBar)
        if bar is None:
            return
        letters_are_keys = self.letters_are_keys and not self._is_typing()
        lines = link_text.band(self.session, letters_are_keys=letters_are_keys, keymap=self.own_keys)
        bar.show(lines, calm=link_text.band_is_calm(self.session))
        is_counting = len(lines) > 1 and self.app.app_focus and self.is_current
        if is_counting:
            self._ticking = self._ticking or self.set_interval(1.0, self.show_link)
            self._ticking.resume()
        elif self._ticking is not None:
            self._ticking.pause()

    def _is_typing(self) -> bool:
        return takes_text(self.focused)


class FlowScreen(_Linked[T]):
    """A full screen: subclasses give `body()`, call `show_title`, and may override `status_left` and `status_right`."""

    DEFAULT_CSS = """
    FlowScreen { layout: vertical; background: $background; }
    FlowScreen.production { border-left: outer $bad; }
    FlowScreen #body { height: 1fr; width: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """Stack band, top line, body, status line and key line."""
        yield ConnectionBar()
        yield TopLine(id="top")
        with Vertical(id="body"):
            yield from self.body()
        yield StatusLine(id="status")
        yield KeyLine(id="keys")

    @abstractmethod
    def body(self) -> ComposeResult:
        """Return the widgets between top line and status line."""

    def show_title(self, title: Content) -> None:
        """Show what this screen is about, behind the server's name."""
        self.title_text = title
        self.show_link()

    def show_link(self) -> None:
        """Show server, mode and clock at the top and freshness below."""
        super().show_link()
        if not self.is_open:
            return
        top = self.query_one(TopLine)
        top.set_class(self.session.profile.production, "production")
        is_short = bool(self.title_text.plain) and self.size.width < ROOMY
        left = link_text.server_name(self.session, short=is_short)
        if self.title_text.plain:
            left = Content.assemble(left, ("  │  ", "$faint"), self.title_text)
        chips = [link_text.mode(self.session)] if self.size.width >= ROOMY else []
        top.show(left, Content("   ").join([Content(text) for text in (*chips, link_text.wall_clock(self.session))]))
        self.query_one(StatusLine).show(self.status_left(), self.status_right())

    def status_left(self) -> Content:
        """Return the left end of the status line: the freshness of the data."""
        return link_text.freshness(self.session)

    def status_right(self) -> Content:
        """Return the right end: lock level where there is room, and the mode."""
        mode = link_text.mode(self.session)
        style = "$muted" if mode == "READ-WRITE" else "$state-late bold"
        chips = [Content.styled(mode, style)]
        if self.size.width >= ROOMY and link_text.lock(self.session):
            chips.insert(0, Content(link_text.lock(self.session)))
        return Content("   ").join(chips)


class FlowModal(_Linked[T], ModalScreen[T]):
    """A dialog in a box over the screen below. Nothing that happens on the server closes or retargets it."""

    DEFAULT_CSS = """
    FlowModal { align: center middle; background: $background 60%; }
    FlowModal:ansi { background: ansi_default; }
    FlowModal > #box {
        width: 76; max-width: 96%; height: auto; max-height: 90%;
        border: round $border; background: $surface; padding: 0 1; border-title-color: $foreground;
    }
    FlowModal.production > #box { border: heavy $bad; }
    FlowModal > ConnectionBar { width: 100%; dock: top; }
    """
    letters_are_keys = False

    def compose(self) -> ComposeResult:
        """Put the band over a box with the dialog's body."""
        yield ConnectionBar()
        with Vertical(id="box"):
            yield from self.body()

    @abstractmethod
    def body(self) -> ComposeResult:
        """Return the widgets in the box."""
