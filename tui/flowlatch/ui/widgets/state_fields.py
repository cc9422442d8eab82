"""The fields of a state: which one, why, and for the scheduled family when; checked while one types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from flowlatch.errors import BadInput
from flowlatch.model.params import check_text
from flowlatch.model.schedule import StartTime, read_time
from flowlatch.model.state import SCHEDULED_LIKE, Category, State, StateDraft, StateType, category_of, state_type
from flowlatch.text import one_line
from flowlatch.ui.format import style_name
from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput

MORE = "more"
FIRST = (StateType.SUCCESS, StateType.FAILED, StateType.CANCELLED, StateType.SCHEDULED)
"""States in sight at once; the rest is behind `more`."""
_S = StateType
GROUPS: tuple[tuple[str, tuple[StateType, ...]], ...] = (
    ("good end", (_S.SUCCESS, _S.CACHED, _S.MAPPED, _S.SKIPPED, _S.FINISHED, _S.LOOPED)),
    ("bad end", (_S.FAILED, _S.TIMED_OUT, _S.TRIGGER_FAILED, _S.VALIDATION_FAILED, _S.CANCELLED)),
    ("waits", (_S.SCHEDULED, _S.PAUSED, _S.RESUME, _S.RETRYING, _S.QUEUED, _S.PENDING)),
    ("goes on", (_S.RUNNING, _S.CANCELLING, _S.SUBMITTED, _S.CLIENT_FAILED)),
)
"""All 21 states by what they mean for the run."""
_GROUP_OF = {
    Category.SUCCESS: "good end",
    Category.FAILED: "bad end",
    Category.CANCELLED: "bad end",
    Category.SCHEDULED: "waits",
    Category.PENDING: "waits",
}
START_FORMS = "now, in 20m, tomorrow 7am …"
SHOWN_MESSAGE = 2000
"""Characters of a message in its one-line input; the whole text is kept and edited with ctrl+e."""


def takes_start(state: str) -> bool:
    """True for the states that a start time is asked for."""
    return (state_type(state) in SCHEDULED_LIKE and state != StateType.PAUSED) or state == "AwaitingRetry"


def _option(state: str) -> Option:
    return Option(state, state, f"$state-{style_name(state)}")


def _first(states: Sequence[str]) -> list[Option]:
    return [*(_option(state) for state in states[: len(FIRST)] or FIRST), Option(MORE, "more…")]


def _all(states: Sequence[str]) -> list[tuple[str, list[Option]]]:
    """Return all states in groups; `states` are those of a server that has others than Prefect 1."""
    if not states:
        return [(word, [_option(kind) for kind in kinds]) for word, kinds in GROUPS]
    groups: dict[str, list[Option]] = {}
    for state in states:
        groups.setdefault(_GROUP_OF.get(category_of(state), "goes on"), []).append(_option(state))
    return list(groups.items())


class StateFields(Vertical):
    """`draft` is what would be sent, `problems` what is wrong. Texts are raw; the inputs show them clean."""

    DEFAULT_CSS = """
    StateFields { height: auto; width: 1fr; }
    StateFields #start-field { display: none; }
    StateFields.-start #start-field { display: block; }
    """

    @dataclass
    class Changed(Message):
        """The user chose or typed something."""

        fields: StateFields

    def __init__(
        self,
        *,
        zone: str,
        now: Callable[[], datetime],
        is_reason_required: bool = False,
        states: Sequence[str] = (),
        id: str | None = None,
    ) -> None:
        """`states`: names that the server takes, the likeliest first; empty = all of Prefect 1."""
        super().__init__(id=id)
        self._states = states
        self.state = ""
        self.message = ""
        self.start_text = ""
        self.extra: dict[str, Any] = {}
        """Further keys of the state, from an undo; dropped once another state is chosen."""
        self.base: State | None = None
        """What the run is now, where there is one run: while it stays in this state, an empty start changes none."""
        self._zone, self._now, self._is_reason_required = zone, now, is_reason_required

    def compose(self) -> ComposeResult:
        """To, why, start."""
        yield Field("to", Choice(_first(self._states), id="to"), id="to-field")
        hint = "required" if self._is_reason_required else ""
        yield Field(
            "why", TextInput(placeholder="becomes the message of the state", id="why"), hint=hint, id="why-field"
        )
        yield Field("start", TextInput(placeholder=START_FORMS, id="start"), id="start-field")

    def fill(self, state: str, message: str, start_text: str, extra: dict[str, Any] | None = None) -> None:
        """Take these values, without saying `Changed`."""
        self.state, self.message, self.start_text, self.extra = state, message, start_text, extra or {}
        choice = self.query_one("#to", Choice)
        if state and state not in [option.value for option in choice.options]:
            choice.set_options(_all(self._states))
        choice.value = state
        self.query_one("#why", TextInput).value = one_line(message, SHOWN_MESSAGE)
        self.query_one("#start", TextInput).value = start_text
        self.set_class(takes_start(state), "-start")

    def set_message(self, message: str) -> None:
        """Take a message from the editor: the input shows it on one line, all of it is kept."""
        self.message = message
        self.query_one("#why", TextInput).value = one_line(message, SHOWN_MESSAGE)
        self.post_message(self.Changed(self))

    @on(Choice.Changed, "#to")
    def _to_chosen(self, message: Choice.Changed) -> None:
        message.stop()
        if message.value == MORE:
            message.choice.set_options(_all(self._states))
            message.choice.value = self.state
            return
        self.state, self.extra = message.value, {}
        self.set_class(takes_start(self.state), "-start")
        self.post_message(self.Changed(self))

    @on(Input.Changed, "#why")
    def _why_typed(self, message: Input.Changed) -> None:
        message.stop()
        if message.value != one_line(self.message, SHOWN_MESSAGE):
            self.message = message.value
            self.post_message(self.Changed(self))

    @on(Input.Changed, "#start")
    def _start_typed(self, message: Input.Changed) -> None:
        message.stop()
        if message.value != self.start_text:
            self.start_text = message.value
            self.post_message(self.Changed(self))

    @property
    def kept_start(self) -> datetime | None:
        """The start that the run has and keeps when none is typed; None where an empty start means at once."""
        base = self.base
        return base.start_time if base is not None and base.name == self.state and takes_start(base.name) else None

    def start(self) -> StartTime | str | None:
        """Return the start time, its problem as text, or None where none is typed or the state has none."""
        if not takes_start(self.state) or not self.start_text.strip():
            return None
        reading = read_time(self.start_text, self._zone, self._now())
        return reading if isinstance(reading, StartTime) else reading.problem.split("; write now ·")[0]

    def draft(self) -> StateDraft | None:
        """Return the state that would be sent, None while none is chosen or the start is no time."""
        start = self.start()
        if not self.state or isinstance(start, str):
            return None
        at = start.at if start else self.kept_start
        return StateDraft(type=self.state, message=self.message or None, start_time=at, extra=self.extra)

    def problems(self) -> list[str]:
        """Return one line for each thing that is wrong."""
        return list(self._problems().values())

    def _problems(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if not self.state:
            found["#to-field"] = "to: choose a state"
        if self._is_reason_required and not self.message.strip():
            found["#why-field"] = "why: this profile wants a reason"
        try:
            check_text(self.message)
        except BadInput as problem:
            found["#why-field"] = f"why: {problem}"
        start = self.start()
        if isinstance(start, str):
            found["#start-field"] = start
        return found

    def show_problems(self, *, is_strict: bool) -> None:
        """Show each problem at its field; those of empty fields only when `is_strict`."""
        problems = self._problems()
        for selector in ("#to-field", "#why-field", "#start-field"):
            is_shown = is_strict or selector == "#start-field"
            self.query_one(selector, Field).show_problem(problems.get(selector, "") if is_shown else "")

    def show_start(self, hint: str, kept: str = "") -> None:
        """Show what the start means, behind its input; `kept` is the start that stays when none is typed."""
        self.query_one("#start-field", Field).show_hint(hint)
        self.query_one("#start", TextInput).placeholder = f"stays {kept}; now, in 20m …" if kept else START_FORMS
