"""What the screens of flows and of agents share: a table read from the server, its heading, search, refresh."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from flowlatch.errors import BackendError
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.messages import LinkChanged, Reload, Tick, TimesChanged
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.line_view import LineView
from flowlatch.ui.widgets.rows import Column, Row, Rows
from flowlatch.ui.widgets.text_pane import TextPane
from flowlatch.ui.widgets.words import show_words

V = TypeVar("V")
AGAIN_S = 15.0
"""Seconds between two looks: these lists are not pushed, and they change seldom."""


class Listing(FlowScreen[None], Generic[V]):
    """A list of things that have no live changes. Subclasses give `columns`, `read`, `row`, `about`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.REFRESH,
        replace(keys.TIME_STYLE, action="app.time_style"),
        replace(keys.QUIT, action="app.quit"),
        replace(keys.BACK, action="app.back", show=True),
    ]
    DEFAULT_CSS = """
    Listing #heading { height: 1; color: $muted; }
    Listing #about { height: auto; max-height: 50%; padding: 0 1; border-top: solid $rule; overflow-y: auto; }
    """
    heading: ClassVar[str] = ""
    """What the top line says."""
    columns: ClassVar[Sequence[Column]] = ()
    nothing: ClassVar[str] = "none"
    """What stands in an empty list."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.values: dict[str, V] = {}
        """By key, in the order of the list."""
        self.problem = ""
        self.is_read = False

    @abstractmethod
    async def read(self) -> dict[str, V]:
        """Ask the server."""

    @abstractmethod
    def row(self, key: str, value: V) -> Row:
        """Return a line of the table."""

    @abstractmethod
    def about(self, value: V) -> Content:
        """Return what is said about the row under the cursor, below the table."""

    def body(self) -> ComposeResult:
        """Heading, table, and what is said about the row under the cursor."""
        yield Static(id="heading", markup=False)
        yield TextPane(Rows(self.columns, id="rows"))
        yield Static(id="about", markup=False)

    @property
    def table(self) -> Rows:
        """The table."""
        return self.query_one("#rows", Rows)

    @property
    def chosen(self) -> V | None:
        """What is under the cursor."""
        key = self.table.chosen
        return self.values.get(key) if key is not None else None

    def on_mount(self) -> None:
        """Read, and look again now and then."""
        self.show_title(Content(self.heading))
        self.table.focus()
        self.show_rows()
        self.set_interval(AGAIN_S, self._look_again)
        self.reread()

    def _look_again(self) -> None:
        if self.app.app_focus and self.is_current:
            self.reread()

    def reread(self) -> None:
        """Ask the server anew; the newest question wins."""
        if self.session.link.is_online:
            begin(self, self._read, group="list", exclusive=True)

    async def _read(self) -> None:
        try:
            values = await self.read()
        except BackendError as error:
            self.problem = one_line(error)
            self.show_rows()
            return
        self.values, self.problem, self.is_read = values, "", True
        self.show_rows()

    def show_rows(self) -> None:
        """Draw what is known."""
        if not self.is_mounted:
            return
        table = self.table
        loading = "loading …" if self.session.link.is_online else "nothing loaded yet"
        table.empty_text = f" {self.nothing if self.is_read else self.problem or loading}"
        table.show([self.row(key, value) for key, value in self.values.items()])
        show_words(self.query_one("#heading", Static), Content(table.heading))
        self._show_about()
        self.show_link()

    def _show_about(self) -> None:
        value = self.chosen
        show_words(self.query_one("#about", Static), self.about(value) if value is not None else Content(""))

    def on_line_view_moved(self, message: LineView.Moved) -> None:
        """Say what is under the cursor now."""
        self._show_about()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the columns."""
        self.call_after_refresh(self.show_rows)

    def on_reload(self, message: Reload) -> None:
        """Read anew."""
        self.reread()

    def on_link_changed(self, message: LinkChanged) -> None:
        """Read as soon as there is a link."""
        if message.link.is_online and not self.is_read:
            self.reread()

    def on_tick(self, message: Tick) -> None:
        """Repaint ages."""
        self.show_rows()

    def on_times_changed(self, message: TimesChanged) -> None:
        """Write times in the other way."""
        self.show_rows()

    def status_left(self) -> Content:
        """Return the freshness, how many there are, and what could not be read."""
        left = super().status_left()
        if self.is_read:
            left = Content.assemble(left, f"   {len(self.values)} shown")
        return Content.assemble(left, (f"   {self.problem}", "$state-late")) if self.problem else left

    def action_refresh(self) -> None:
        """Read anew; without a link, try to connect now."""
        self.session.retry_now()
        self.reread()

    def need(self, what: Any) -> bool:
        """True when something is chosen; else say that nothing is."""
        if what is None:
            self.notify("nothing is selected", severity="warning", markup=False)
        return what is not None
