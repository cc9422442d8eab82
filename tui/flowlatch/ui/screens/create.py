"""The form for a new run: flow, name, labels, typed parameters, start, key; as a command too (ux.md §3)."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.errors import BackendError, BadInput
from flowlatch.live.create import key_life, new_key
from flowlatch.live.drafts import Draft, DraftKind
from flowlatch.live.session import Session
from flowlatch.model.command_line import create_command
from flowlatch.model.kin import How
from flowlatch.model.run import Flow, FlowId, FlowRun, NewRun
from flowlatch.model.schedule import StartTime, local_text
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.editor import edit_text
from flowlatch.ui.format import exact_age
from flowlatch.ui.messages import CopyText
from flowlatch.ui.screens.base import WIDE
from flowlatch.ui.screens.create_fields import (
    LATER,
    NOW,
    key_problem,
    labels_of,
    name_problem,
    newest_runs,
    request_content,
    start_from,
)
from flowlatch.ui.screens.form import worded
from flowlatch.ui.screens.link_text import command_server
from flowlatch.ui.screens.new_run import NewRunForm
from flowlatch.ui.screens.schedule import ScheduleScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.key_field import AUTOMATIC, OWN, KeyField
from flowlatch.ui.widgets.param_form import FORM, JSON, ParamForm
from flowlatch.ui.widgets.picker import Picker
from flowlatch.ui.widgets.words import show_words


class CreateScreen(NewRunForm[None]):
    """New run. The key is fixed when the form opens, so that sending it again is safe."""

    BINDINGS = [
        worded(keys.SUBMIT, "Create"),
        worded(keys.COPY_COMMAND, "As command"),
        keys.EDITOR,
        keys.CLOSE,
    ]
    DEFAULT_CSS = """
    CreateScreen #side { display: none; width: 44; border-left: solid $rule; padding: 0 1; }
    CreateScreen.-wide #side { display: block; }
    CreateScreen #command { height: auto; max-height: 3; padding: 0 1; color: $muted; border-top: solid $rule; }
    """
    draft_kind = DraftKind.CREATE

    def __init__(
        self,
        session: Session,
        flow: Flow | None = None,
        source: FlowRun | None = None,
        *,
        start: StartTime | None = None,
        draft: Draft | None = None,
    ) -> None:
        super().__init__(session, flow, draft)
        typed = draft.fields if draft else {}
        self.source = source
        self.start = start or start_from(typed.get("start"))
        self._typed = typed
        self._runs: list[FlowRun] = []

    def body(self) -> ComposeResult:
        """Form on the left, what will be sent on the right, the command below."""
        typed = self._typed
        with Horizontal():
            with VerticalScroll(id="form", can_focus=False):
                yield Field("Flow", Picker(placeholder="type to search", id="flow"), id="flow-field")
                name = TextInput(str(typed.get("name", "")), placeholder="(server picks one)", id="name")
                yield Field("Run name", name, id="name-field")
                labels = TextInput(str(typed.get("labels", "")), placeholder="(the flow's own)", id="labels")
                yield Field("Labels", labels, hint="a, b", id="labels-field")
                modes = [Option(FORM, "form"), Option(JSON, "JSON")]
                yield Field(
                    "Params",
                    Choice(modes, value=FORM, id="mode"),
                    hint=self.named("{editor} opens $EDITOR"),
                    id="mode-field",
                )
                yield ParamForm(id="params")
                yield Field("When", Choice([Option(NOW, "now"), Option(LATER, "later…")], value=NOW, id="when"))
                yield KeyField(
                    str(typed.get("automatic_key") or self.fresh_key()),
                    key_life(self.session.capabilities),
                    kind=str(typed.get("key_kind", AUTOMATIC)),
                    own=str(typed.get("key", "")),
                )
            with VerticalScroll(id="side", can_focus=False):
                yield Static(Content(""), id="preview", markup=False)
        yield Static(Content(""), id="command", markup=False)

    def fresh_key(self) -> str:
        """Return an automatic key; that of a run made from another one names it."""
        return new_key(self.source, How.CLONE)

    def on_mount(self) -> None:
        """Say what this is, load the flows, fill in what is known."""
        self.show_title(Content("New run"))
        self.set_class(self.size.width >= WIDE, "-wide")
        self._show_when()
        self.query_one("#flow", Picker).input.focus()
        begin(self, self._prepare, group="page", exclusive=True)

    def on_resize(self) -> None:
        """Show the side from a certain width on."""
        self.set_class(self.size.width >= WIDE, "-wide")

    async def _prepare(self) -> None:
        """Load flows, and the run that this one shall be like."""
        typed = self._typed
        flow_id = FlowId(str(typed["flow_id"])) if typed.get("flow_id") else None
        values: dict[str, Any] | None = None
        try:
            backend = self.session.backend
            if self.source is not None and self.source.parameters is None:
                self.source = await backend.run(self.source.id)
            if self.source is not None and self.is_open:
                flow_id = flow_id or self.source.flow_id
                values = self.source.parameters
                labels = self.query_one("#labels", TextInput)
                with labels.prevent(Input.Changed):  # nothing was typed, so there is no draft to keep
                    labels.value = labels.value or ", ".join(self.source.labels)
            if self.flow is None and flow_id is not None:
                self.flow = await backend.flow(flow_id)
            await self.load_flows()
        except BackendError as error:
            self.say(f"flows could not be loaded: {one_line(error)}", is_bad=True)
        if self.flow is not None and self.is_open:
            await self._show_flow(values)
        if "params" in typed and self.is_open:
            params = self.query_one(ParamForm)
            if typed.get("mode") == JSON:
                await self._set_mode(JSON)
            await params.set_json(str(typed["params"]))
            self.query_one("#mode", Choice).value = params.mode
        self._show_request()

    async def flow_chosen(self) -> None:
        """Show what depends on the flow."""
        await self._show_flow(None)

    async def _show_flow(self, values: dict[str, Any] | None) -> None:
        """Show the parameters and the newest runs of the flow."""
        flow = self.flow
        field = self.query_one("#flow-field", Field)
        field.show_hint(f"v{flow.version}" if flow and flow.version else "")
        field.show_problem("")
        if flow is not None:
            await self.query_one(ParamForm).show(flow.parameters, values)
            begin(self, partial(self._load_runs, flow), group="runs", exclusive=True)
        self._show_request()

    async def _load_runs(self, flow: Flow) -> None:
        self._runs = await newest_runs(self.session, flow, limit=3)
        self._show_request()

    @on(Choice.Changed, "#mode")
    async def _mode_chosen(self, message: Choice.Changed) -> None:
        await self._set_mode(message.value)

    async def _set_mode(self, mode: str) -> None:
        params = self.query_one(ParamForm)
        if not await params.set_mode(mode):
            self.query_one("#mode", Choice).value = params.mode
            self.notify("put the parameters right first, so that nothing is lost", severity="warning", markup=False)

    @on(Choice.Changed, "#when")
    @on(Choice.Entered, "#when")
    def _when_chosen(self, message: Choice.Changed | Choice.Entered) -> None:
        if message.value == LATER:
            picker = ScheduleScreen(self.session, self.flow, is_pick=True, start=self.start)
            self.app.push_screen(picker, self._start_picked)
        else:
            self.start = None
            self._show_when()
            self.touch()

    def _start_picked(self, start: StartTime | None) -> None:
        self.start = start or self.start
        self._show_when()
        self.touch()

    def _show_when(self) -> None:
        later = "later…"
        if self.start is not None:
            shown = local_text(self.start.at, self.start.zone)
            later = f"{shown} {self.start.zone}, {exact_age(self.start.at, self.session.now())}"
        when = self.query_one("#when", Choice)
        when.set_options([Option(NOW, "now"), Option(LATER, later)])
        when.value = LATER if self.start else NOW

    @on(KeyField.Changed)
    def _key_changed(self) -> None:
        self.touch()

    @on(Input.Changed)
    def _input_changed(self, message: Input.Changed) -> None:
        if message.input.value or self.is_dirty:
            self.touch()

    @on(ParamForm.Changed)
    def _params_changed(self) -> None:
        self.query_one("#mode", Choice).value = self.query_one(ParamForm).mode
        self.touch()

    def touch(self) -> None:
        """Keep the draft and repaint what will be sent."""
        super().touch()
        self._check()
        self._show_request()

    def _check(self) -> list[str]:
        """Check the fields, show each one's problem, and return all of them."""
        params, key = self.query_one(ParamForm), self.query_one(KeyField)
        problems = {
            "#name-field": name_problem(self.query_one("#name", TextInput).value),
            "#labels-field": name_problem(self.query_one("#labels", TextInput).value, "label"),
            "#flow-field": "choose a flow of the list" if params.is_strict and self.flow is None else "",
        }
        for selector, problem in problems.items():
            self.query_one(selector, Field).show_problem(problem)
        own = key_problem(key.own) if key.kind == OWN and (key.own or params.is_strict) else ""
        key.show_problem(own)
        return [problem for problem in (*problems.values(), own) if problem] + params.problems

    def problem_count(self) -> int:
        """Return how many fields cannot be sent as they are."""
        return len(self._check()) if self.is_dirty and self.is_open else 0

    def new_run(self) -> NewRun:
        """Return the request. Raises `BadInput` while a field is wrong."""
        if self.flow is None:
            raise BadInput("flow: choose one of the list")
        values = self.query_one(ParamForm).values()
        return NewRun(
            flow_id=self.flow.id,
            parameters=values or None,
            labels=labels_of(self.query_one("#labels", TextInput).value),
            scheduled_start_time=self.start.at if self.start else None,
            idempotency_key=self.query_one(KeyField).key,
            flow_run_name=self.query_one("#name", TextInput).value or None,
        )

    def _show_request(self) -> None:
        """Show the command, and where there is room the request and the newest runs of the flow."""
        if not self.is_open:
            return
        line = self.command()
        show_words(
            self.query_one("#command", Static), Content.assemble(("As command: ", "$muted"), one_line(line, 600))
        )
        if self.has_class("-wide"):
            new: NewRun | BadInput
            try:
                new = self.new_run()
            except BadInput as problem:
                new = problem
            show_words(self.query_one("#preview", Static), request_content(new, self._runs))

    def command(self) -> str:
        """Return the same as a command line, as far as it can be said yet."""
        try:
            new = self.new_run()
        except BadInput as problem:
            return f"(not yet: {problem})"
        has_own = self.query_one(KeyField).kind == OWN
        at = self.start.wire if self.start else ""
        name = self.flow.name if self.flow else ""
        return create_command(new, flow=name, server=command_server(self.session), at=at, has_own_key=has_own)

    def action_copy_command(self) -> None:
        """Copy the command line."""
        line = self.command()
        if line.startswith("(not yet"):
            self.notify(line, severity="warning", markup=False)
            return
        self.post_message(CopyText(line, "command"))

    async def action_editor(self) -> None:
        """Edit the parameters as JSON in the operator's editor."""
        params = self.query_one(ParamForm)
        try:
            text = edit_text(self.app, params.json_text, suffix=".json")
        except BadInput as problem:
            self.notify(str(problem), severity="error", markup=False)
            return
        await params.set_json(text)

    def fields(self) -> dict[str, Any]:
        """Return what was typed."""
        params, key = self.query_one(ParamForm), self.query_one(KeyField)
        return {
            "flow_id": self.flow.id if self.flow else None,
            "name": self.query_one("#name", TextInput).value,
            "labels": self.query_one("#labels", TextInput).value,
            "mode": params.mode,
            "params": params.json_text,
            "start": {"at": self.start.at.isoformat(), "zone": self.start.zone} if self.start else None,
            "key_kind": key.kind,
            "key": key.own,
            "automatic_key": key.automatic,
        }

    def draft_title(self) -> str:
        """Return `new run of etl-orders`."""
        return f"new run of {self.flow.name if self.flow else self.query_one('#flow', Picker).text or '(no flow yet)'}"

    async def submit(self) -> None:
        """Create the run, once; after a lost answer send the same again under its key."""
        self.query_one(ParamForm).be_strict()
        problems = self._check()
        try:
            new = self.new_run()
        except BadInput as problem:
            self.say(problems[0] if problems else str(problem), is_bad=True)
            return
        if problems:
            self.say(problems[0], is_bad=True)
            return
        assert self.flow is not None
        await self.send(new, self.flow, is_fresh_key=self.query_one(KeyField).kind == AUTOMATIC)

    def take_key(self, key: str) -> None:
        """Take a fresh automatic key."""
        self.query_one(KeyField).set_automatic(key)
