"""When a run shall start: plain words, a zone, and what they mean before anything is sent (ux.md §3)."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.errors import BackendError
from flowlatch.live.create import new_key
from flowlatch.live.drafts import Draft, DraftKind
from flowlatch.live.session import Session
from flowlatch.model.run import Flow, FlowId, FlowRun, NewRun
from flowlatch.model.schedule import EXAMPLES, NotATime, StartTime, TimeReading, TwoTimes, read_time, zone_problem
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.messages import OpenCreate
from flowlatch.ui.screens.base import WIDE
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.new_run import NewRunForm
from flowlatch.ui.screens.schedule_view import WIDTH, due_runs, preview, week_strip
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.picker import Item, Picker
from flowlatch.ui.widgets.words import show_words

EARLIER, LATER = "earlier", "later"


class ScheduleScreen(NewRunForm[StartTime]):
    """A run that starts later. With `is_pick` it only ends in a time, for the form below it."""

    BINDINGS = [
        worded(keys.SUBMIT, "Schedule"),
        worded(keys.NEXT_FIELD, "Next"),
        keys.CLOSE,
    ]
    DEFAULT_CSS = """
    ScheduleScreen #side { display: none; width: 44; border-left: solid $rule; padding: 0 1; }
    ScheduleScreen.-wide #side { display: block; }
    ScheduleScreen #which-field { display: none; }
    ScheduleScreen.-twice #which-field { display: block; }
    ScheduleScreen #preview { height: auto; margin: 1 0; border-top: solid $rule; border-bottom: solid $rule; }
    ScheduleScreen #tries { width: 1fr; height: auto; color: $muted; }
    """
    draft_kind = DraftKind.SCHEDULE

    def __init__(
        self,
        session: Session,
        flow: Flow | None = None,
        *,
        flow_id: FlowId | None = None,
        is_pick: bool = False,
        start: StartTime | None = None,
        draft: Draft | None = None,
    ) -> None:
        super().__init__(session, flow, draft)
        typed = draft.fields if draft else {}
        self.is_pick = is_pick
        self.key = str(typed.get("key") or new_key())
        self.reading: TimeReading = NotATime("")
        self._typed = typed
        self._flow_id = typed.get("flow_id") or flow_id
        self._due: list[FlowRun] = []
        self._text = str(typed.get("text") or (start.wire if start else ""))
        self._zone = str(typed.get("zone") or session.zone)

    def body(self) -> ComposeResult:
        """The two fields, what they mean, examples; other runs beside them where there is room."""
        with Horizontal():
            with VerticalScroll(id="form", can_focus=False):
                if not self.is_pick:
                    yield Field("Flow", Picker(placeholder="type to search", id="flow"), id="flow-field")
                start = TextInput(self._text, placeholder="tomorrow 7am", id="start")
                yield Field("Start", start, id="start-field")
                yield Field("Zone", Picker(_zones(self.session.zone), id="zone"), hint="UTC, server", id="zone-field")
                which = [Option(EARLIER, "the first"), Option(LATER, "the second")]
                yield Field("Which", Choice(which, id="which"), id="which-field")
                yield Static(Content(""), id="preview", markup=False)
                yield Field("Try", Static(Content(" · ".join(EXAMPLES)), id="tries", markup=False))
            with VerticalScroll(id="side", can_focus=False):
                yield Static(Content(""), id="week", markup=False)

    def on_mount(self) -> None:
        """Fill in what is known and look for other runs of the flow."""
        self._show_title()
        self.set_class(self.size.width >= WIDE, "-wide")
        self.query_one("#zone", Picker).pick(Item(self._zone, self._zone_label(self._zone)))
        first = self.query_one("#start", TextInput)
        if self.flow is None and not self._flow_id and not self.is_pick:
            self.query_one("#flow", Picker).input.focus()
        else:
            first.focus()
        self._read()
        begin(self, self._prepare, group="page", exclusive=True)

    def on_resize(self) -> None:
        """Show the side from a certain width on."""
        self.set_class(self.size.width >= WIDE, "-wide")

    def _show_title(self) -> None:
        name = f" · {one_line(self.flow.name, 60)}" if self.flow else ""
        self.show_title(Content(f"Schedule{name}"))

    def _zone_label(self, zone: str) -> str:
        return f"{zone} (yours)" if zone == self.session.zone else zone

    async def _prepare(self) -> None:
        try:
            backend = self.session.backend
            if self.flow is None and self._flow_id:
                self.flow = await backend.flow(FlowId(str(self._flow_id)))
            if not self.is_pick:
                await self.load_flows()
        except BackendError as error:
            self.say(f"flows could not be loaded: {one_line(error)}", is_bad=True)
        self._show_title()
        await self._load_due()

    async def _load_due(self) -> None:
        self._due = await due_runs(self.session, self.flow) if self.flow else []
        self._show()

    async def flow_chosen(self) -> None:
        """Show the name of the flow, and its week."""
        self._show_title()
        begin(self, self._load_due, group="page", exclusive=True)

    @on(Picker.Picked, "#zone")
    def _zone_picked(self, message: Picker.Picked) -> None:
        if message.value:
            self._zone = message.value
            self.query_one("#zone-field", Field).show_problem("")
        self._read()
        self.touch()

    @on(Picker.Typed, "#zone")
    def _zone_typed(self, message: Picker.Typed) -> None:
        """Take a zone or an offset that is typed out, whether the list has it or not."""
        text = message.text.removesuffix(" (yours)").strip()
        problem = zone_problem(text) or ""
        if not problem:
            self._zone = text
        self.query_one("#zone-field", Field).show_problem(problem)
        self._read()
        self.touch()

    @on(Input.Changed, "#start")
    def _start_typed(self, message: Input.Changed) -> None:
        if message.value != self._text:
            self._text = message.value
            self._read()
            self.touch()

    @on(Choice.Changed, "#which")
    def _which_chosen(self) -> None:
        self._show()
        self.touch()

    def _read(self) -> None:
        """Read the text anew; a time that happens twice brings up the question which."""
        self.reading = read_time(self._text, self._zone, self.session.now())
        is_twice = isinstance(self.reading, TwoTimes)
        if is_twice and not self.has_class("-twice"):
            self.query_one("#which", Choice).value = ""
        self.set_class(is_twice, "-twice")
        if isinstance(self.reading, TwoTimes):
            times = (self.reading.earlier, self.reading.later)
            options = [
                Option(name, f"{time.offset} ({time.wire})") for name, time in zip((EARLIER, LATER), times, strict=True)
            ]
            self.query_one("#which", Choice).set_options(options)
        self._show()

    def start(self) -> StartTime | None:
        """Return the time that would be sent; None while there is none, or while it is open which of two."""
        match self.reading:
            case StartTime() as start:
                return start
            case TwoTimes(earlier=earlier, later=later):
                return {EARLIER: earlier, LATER: later}.get(self.query_one("#which", Choice).value)
            case NotATime():
                return None

    def _show(self) -> None:
        """Show what the text means, in local time, UTC and as sent."""
        if not self.is_open:
            return
        start = self.start()
        block = self.query_one("#preview", Static)
        show_words(
            block, preview(self.reading, start, self.session, self._due, width=block.content_size.width or WIDTH)
        )
        problem = ""
        if self._text and not isinstance(self.reading, StartTime) and start is None:
            problem = self._short_problem()
        self.query_one("#start-field", Field).show_problem(problem)
        if self.has_class("-wide"):
            show_words(self.query_one("#week", Static), week_strip(self.session, self.flow, self._due, start))

    def _short_problem(self) -> str:
        """Return what is wrong, without the list of allowed forms: that stands below."""
        problem: str = getattr(self.reading, "problem", "") or "start: write a time"
        return problem.split("; write now ·")[0]

    def on_tick(self, message: Any) -> None:
        """Read relative times anew: the clock moved."""
        self._read()

    def problem_count(self) -> int:
        """Return how many fields cannot be sent as they are."""
        return int(bool(self._text) and self.start() is None) if self.is_open else 0

    def why_not(self) -> str | None:
        """Return why nothing can be submitted; picking a time needs no server."""
        return None if self.is_pick else super().why_not()

    def fields(self) -> dict[str, Any]:
        """Return what was typed."""
        flow_id = self.flow.id if self.flow else None
        return {"flow_id": flow_id, "text": self._text, "zone": self._zone, "key": self.key}

    def draft_title(self) -> str:
        """Return `etl-orders at tomorrow 7am`."""
        return f"{self.flow.name if self.flow else '(no flow yet)'} at {self._text or '(no time yet)'}"

    def touch(self) -> None:
        """Keep a draft, but for a time that is only picked for the form below."""
        if self.is_pick:
            self.show_state()
        else:
            super().touch()

    async def submit(self) -> None:
        """Give the time to the form below, or create the run that starts then."""
        start = self.start()
        if start is None:
            self.query_one("#start-field", Field).show_problem(self._short_problem())
            self.say("start: not a time yet" if self._text else "start: write a time", is_bad=True)
            return
        if self.is_pick:
            self.dismiss(start)
            return
        if self.flow is None:
            self.query_one("#flow-field", Field).show_problem("choose a flow of the list")
            return
        missing = [p.name for p in self.flow.parameters if p.required and p.default is None]
        if missing:
            self.notify(f"{self.flow.name} needs {', '.join(missing)}: fill it in here", markup=False)
            self.app.post_message(OpenCreate(self.flow, start=start))
            self.finish()
            return
        new = NewRun(flow_id=self.flow.id, scheduled_start_time=start.at, idempotency_key=self.key)
        await self.send(new, self.flow, is_fresh_key=True)

    def take_key(self, key: str) -> None:
        """Take a fresh automatic key."""
        self.key = key


def _zones(mine: str) -> list[Item]:
    """Return the zones to pick from, the operator's and UTC first."""
    rest = sorted(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
    )
    first = [Item(mine, f"{mine} (yours)"), Item("UTC", "UTC", "also the server's")]
    return first + [Item(name, name) for name in rest if name not in (mine, "UTC")]
