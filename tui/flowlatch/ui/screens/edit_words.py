"""What a state change will do and what came in between, in words: text for the edit form. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from textual.content import Content

from flowlatch.live.edit import Base, is_no_change
from flowlatch.live.parties import party
from flowlatch.model.run import FlowRun
from flowlatch.model.state import Category, State, StateDraft, StateType, is_finished
from flowlatch.model.versions import next_version_label, version_label
from flowlatch.text import one_line
from flowlatch.ui.format import clock, exact_age, fit, start_stamp, state_content, state_label, style_name
from flowlatch.ui.keys import named
from flowlatch.ui.screens.schedule_view import until
from flowlatch.ui.widgets.state_fields import takes_start


def will_do(
    base: Base,
    draft: StateDraft | None,
    *,
    zone: tzinfo,
    now: datetime,
    keymap: Mapping[str, str] | None = None,
) -> Content:
    """Return what submitting will do."""
    if draft is None:
        return Content.styled("choose a state", "$muted")
    if is_no_change(base, draft):
        return Content(f"nothing: the run is {one_line(base.state.name, 40)} already, with this message")
    arrow = Content.assemble(
        f"{version_label(base.version)} ",
        state_content(base.state.name, category=base.state.category),
        f" → {next_version_label(base.version)} ",
        state_content(draft.type),
        ".",
    )
    words = named(" ".join(_effects(base.state, draft, zone, now)), keymap)
    return Content.assemble(arrow, f" {words}" if words else "")


def _effects(base: State, draft: StateDraft, zone: tzinfo, now: datetime) -> list[str]:
    words: list[str] = []
    to = draft.type
    if base.name == to and draft.start_time == base.start_time:
        words.append("The state stays; only what is said about it changes.")
    elif base.is_finished and is_finished(to):
        words.append("It recolours a finished run; nothing runs again.")
    elif base.is_finished:
        words.append("It revives a finished run.")
    elif base.category is Category.RUNNING and is_finished(to):
        words.append("It does not stop the process; use {cancel} Cancel if the process must stop.")
    if takes_start(to):
        words.append(_start_words(base, draft, zone, now))
    elif to == StateType.PAUSED:
        words.append("It waits until somebody sets Resume or Scheduled.")
    elif to == StateType.CANCELLING:
        words.append("The runner that executes it stops it; nothing happens if there is none.")
    elif to == StateType.CANCELLED:
        words.append("Its unfinished task runs become Cancelled too.")
    elif to in (StateType.RUNNING, StateType.SUBMITTED, StateType.PENDING, StateType.QUEUED):
        words.append("It only says so: nothing is started by it.")
    return words


def _start_words(base: State, draft: StateDraft, zone: tzinfo, now: datetime) -> str:
    """Return when an agent may take the run, and what that changes for one that waits already."""
    at = draft.start_time if draft.start_time and draft.start_time > now else None
    new = f"at {start_stamp(at, zone)}, {until(at, now)}" if at else "at once"
    if base.start_time is None or not takes_start(base.name):
        return f"An agent may start it {new}."
    old = start_stamp(base.start_time, zone)
    if draft.start_time == base.start_time:
        return f"It still starts {new}."
    if at is None:
        return f"It starts at once instead of at {old}: an agent may take it now."
    return f"The start moves from {old} to {new.removeprefix('at ')}."


def banner(
    theirs: FlowRun,
    zone: tzinfo,
    now: datetime,
    *,
    me: str,
    is_mine: bool,
    keymap: Mapping[str, str] | None = None,
) -> Content:
    """Return the warning that the run changed while the form was open."""
    at = theirs.state_timestamp
    when = f" at {clock(at, zone, seconds=True)}, {exact_age(at, now)}" if at else ""
    who = f", by {party(theirs.actor, me=me)}" if theirs.actor else ""
    return Content.assemble(
        ("!! Changed meanwhile: ", "$state-late bold"),
        f"{version_label(theirs.version)} ",
        state_content(theirs.state, category=theirs.category),
        f"{when}{who}",
        (named("\n   exactly what you want: {take_change} takes it", keymap) if is_mine else ""),
    )


def now_line(base: Base, zone: tzinfo) -> Content:
    """Return `> Running  v7  since 13:58:04 +01`."""
    at = base.state.timestamp
    since = f"  since {clock(at, zone, seconds=True)}" if at else ""
    return Content.assemble(
        state_content(base.state.name, category=base.state.category),
        ("  ", ""),
        (version_label(base.version), "bold"),
        since,
    )


def history_content(states: Sequence[State], zone: tzinfo, width: int, *, me: str, base_version: int = 0) -> Content:
    """Return a run's states, newest first, the base marked; two lines each."""
    parts: list[Content | str | tuple[str, str]] = [("History\n", "bold")]
    for state in reversed(states):
        at = clock(state.timestamp, zone, seconds=True) if state.timestamp else "-"
        mark = "  < base" if state.version == base_version else ""
        parts += [
            (f"{version_label(state.version)} ".ljust(4), "$muted"),
            f"{at}  ",
            Content.styled(
                state_label(state.name, category=state.category),
                f"$state-{style_name(state.name, category=state.category)}",
            ),
            (mark, "$accent"),
            (f"\n     {fit(one_line(state.message or '-', 200), max(width - 5, 10)).rstrip()}\n", "$muted"),
            (f"     by {party(state.actor, me=me)}\n", "$faint"),
        ]
    return Content.assemble(*parts)
