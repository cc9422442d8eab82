"""Flows: version, project, parameters, schedule; runs are listed, created and scheduled from here."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from textual import work
from textual.binding import BindingType
from textual.content import Content

from flowlatch.live import flow_acts
from flowlatch.model.filter import format_filter
from flowlatch.model.params import MASK, is_secret
from flowlatch.model.query import RunQuery
from flowlatch.model.run import Flow, Parameter
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import foreign_content
from flowlatch.ui.messages import OpenCreate, OpenSchedule, ShowRuns
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.listing import Listing
from flowlatch.ui.screens.times import Times
from flowlatch.ui.widgets.rows import Column, Row, Rows

LIMIT = 1_000
PARAMETERS_SHOWN = 12


class FlowsScreen(Listing[Flow]):
    """The newest version of each flow."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.SHOW_RUNS,
        keys.NEW_RUN,
        keys.SCHEDULE,
        keys.SCHEDULE_ACTIVE,
        keys.ARCHIVE,
    ]
    heading = "Flows"
    columns = (
        Column("FLOW", 40),
        Column("VER", 6),
        Column("PROJECT", 20),
        Column("SCHEDULE", 24),
        Column("CREATED", 14, from_width=90),
        Column("PARAMETERS", 20, is_last=True),
    )
    nothing = "no flows yet; flowlatch flows create NAME makes one"

    async def read(self) -> dict[str, Flow]:
        """Ask for the flows by name."""
        return {flow.id: flow for flow in await self.session.backend.flows(limit=LIMIT)}

    def row(self, key: str, value: Flow) -> Row:
        """Return name, version, project, schedule, parameters."""
        times = Times(self.session)
        on = value.is_schedule_active
        text = schedule_text(value.schedule) if value.schedule else "-"
        schedule = f"{'on ' if on else 'off'} {text}" if value.schedule else "-"
        return Row(
            key,
            (
                (one_line(value.name, 100) or "(no name)", ""),
                (f"v{value.version}" if value.version is not None else "-", "muted"),
                (one_line(value.project or "-", 60), "muted"),
                (schedule, "success" if on and value.schedule else "muted"),
                (times.short(value.created), "muted"),
                (" ".join(parameter_word(each) for each in value.parameters[:PARAMETERS_SHOWN]) or "-", "muted"),
            ),
            look="faint" if value.archived else "",
        )

    def about(self, value: Flow) -> Content:
        """Return id, description, versions, schedule and each parameter."""
        version = f"  v{value.version}" if value.version is not None else ""
        lines = [
            Content.assemble((one_line(value.name, 200), "bold"), f"{version}  id {one_line(value.id, 60)}"),
            *([foreign_content(value.description, 400)] if value.description else []),
        ]
        if value.schedule:
            state = "on" if value.is_schedule_active else "off"
            source = "  (set on the flow group)" if value.is_group_schedule else ""
            lines.append(Content(f"schedule {state}: {schedule_text(value.schedule, 200)}{source}"))
        if value.versions:
            lines.append(Content(f"versions  {versions_text(value, Times(self.session).short)}"))
        lines += [Content(f"  {parameter_line(each)}") for each in value.parameters[:PARAMETERS_SHOWN]]
        if len(value.parameters) > PARAMETERS_SHOWN:
            lines.append(Content(f"  and {len(value.parameters) - PARAMETERS_SHOWN} more"))
        return Content("\n").join(lines)

    def on_rows_chosen(self, message: Rows.Chosen) -> None:
        """A double click lists the runs, as enter does."""
        self.action_show_runs()

    def action_show_runs(self) -> None:
        """List the runs of this flow."""
        flow = self.chosen
        if flow is not None and self.need(flow):
            self.post_message(ShowRuns(format_filter(RunQuery(flow=flow.name))))

    def action_new_run(self) -> None:
        """Open the form for a new run of this flow."""
        self.post_message(OpenCreate(flow=self.chosen))

    def action_schedule(self) -> None:
        """Open the form for a run of this flow that starts later."""
        self.post_message(OpenSchedule(self.chosen))

    @work(group="write", exclusive=False)
    async def action_archive(self) -> None:
        """Archive this version, after a question."""
        flow = self.chosen
        if flow is None or not self._may_write():
            return
        question = Content.assemble(
            "Archive ",
            (f"{one_line(flow.name, 60)} v{flow.version}", "bold"),
            "? Its runs stay; new ones cannot be created from it, and its schedule stops.",
        )
        name = one_line(flow.name, 60) if self.session.profile.production else ""
        if await self._asked("Archive a flow", question, "Archive", typed=name):
            self._answer(await flow_acts.archive(self.session, flow), f"archived {one_line(flow.name, 60)}")

    @work(group="write", exclusive=False)
    async def action_schedule_active(self) -> None:
        """Switch the schedule, after a question."""
        flow = self.chosen
        if flow is None or not self._may_write():
            return
        if not flow.schedule:
            self.notify("this flow has no schedule", severity="warning", markup=False)
            return
        verb = "off" if flow.is_schedule_active else "on"
        question = Content.assemble(f"Switch the schedule {verb} for ", (one_line(flow.name, 60), "bold"), "?")
        if await self._asked("Schedule", question, f"Switch {verb}"):
            problem = await flow_acts.set_schedule(self.session, flow, not flow.is_schedule_active)
            self._answer(problem, f"schedule {verb}: {one_line(flow.name, 60)}")

    def _may_write(self) -> bool:
        reason = self.session.why_read_only
        if reason:
            self.notify(f"not possible now: {one_line(reason)}", severity="warning", markup=False)
        return reason is None

    async def _asked(self, title: str, question: Content, yes: str, *, typed: str = "") -> bool:
        return await self.app.push_screen_wait(ConfirmScreen(self.session, title, question, yes=yes, typed=typed))

    def _answer(self, problem: str | None, done: str) -> None:
        if problem:
            self.notify(f"{done}: {problem}" if "unknown" in problem else problem, severity="error", markup=False)
        else:
            self.notify(done, markup=False)
        self.reread()


def versions_text(flow: Flow, when: Callable[[datetime | None], str]) -> str:
    """Return the versions of a flow, newest first: which is shown, which are archived, and when each came."""
    words = []
    for each in flow.versions:
        name = f"v{each.version}" if each.version is not None else "v?"
        here = " (this)" if each.id == flow.id else ""
        words.append(f"{name}{here}{' archived' if each.archived else ''} {when(each.created)}")
    return " \u00b7 ".join(words)


def parameter_word(parameter: Parameter) -> str:
    """Return a parameter as one word: a star behind a required one."""
    return one_line(parameter.name, 40) + ("*" if parameter.required else "")


def parameter_line(parameter: Parameter) -> str:
    """Return name, kind and default; the default of a secret one is masked."""
    kind = one_line(parameter.annotation or "any", 40)
    if parameter.required:
        return f"{one_line(parameter.name, 60)}  {kind}  required"
    default = MASK if is_secret(parameter.name) and parameter.default else json.dumps(parameter.default)
    return f"{one_line(parameter.name, 60)}  {kind}  default {one_line(default, 120)}"


def schedule_text(schedule: Any, limit: int = 60) -> str:
    """Return a serialized schedule in short: cron texts, intervals, dates; `custom` where it has none of them."""
    clocks = schedule.get("clocks") if isinstance(schedule, dict) else None
    words = [_clock_text(clock) for clock in clocks or [] if isinstance(clock, dict)]
    return one_line(", ".join(word for word in words if word) or "custom", limit)


def _clock_text(clock: dict[str, Any]) -> str:
    if clock.get("cron"):
        return f"cron {clock['cron']}"
    interval = clock.get("interval")
    if isinstance(interval, int | float) and not isinstance(interval, bool):
        seconds = interval / 1_000_000
        return f"every {seconds / 60:g} min" if seconds >= 60 else f"every {seconds:g} s"
    dates = clock.get("dates")
    return f"{len(dates)} dates" if isinstance(dates, list) else ""
