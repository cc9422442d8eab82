"""What a state change will do and what came in between, in words: text for the edit form. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from textual.content import Content

from flowlatch.live.edit import Base, is_no_change
from flowlatch.live.parties import party
from flowlatch.model.run import FlowRun
from flowlatch.model.state import Category, State, StateDraft, StateType, is_finished
from flowlatch.text import one_line
from flowlatch.ui.format import clock, exact_age, fit, state_content, state_label, style_name
from flowlatch.ui.widgets.state_fields import takes_start


def will_do(base: Base, draft: StateDraft | None, *, start_text: str = "") -> Content:
    """Return what submitting will do; `start_text` is the start in words for the scheduled family."""
    if draft is None:
        return Content.styled("choose a state", "$muted")
    if is_no_change(base, draft):
        return Content(f"nothing: the run is {one_line(base.state.name, 40)} already, with this message")
    arrow = Content.assemble(
        f"v{base.version} ",
        state_content(base.state.name),
        f" → v{base.version + 1} ",
        state_content(draft.type),
        ".",
    )
    words = " ".join(_effects(base.state, draft.type, start_text))
    return Content.assemble(arrow, f" {words}" if words else "")


def _effects(now: State, to: str, start_text: str) -> list[str]:
    words: list[str] = []
    if now.name == to:
        words.append("The state stays; only what is said about it changes.")
    elif now.is_finished and is_finished(to):
        words.append("It recolours a finished run; nothing runs again.")
    elif now.is_finished:
        words.append("It revives a finished run.")
    elif now.category is Category.RUNNING and is_finished(to):
        words.append("It does not stop the process; use x Cancel if the process must stop.")
    if takes_start(to):
        words.append(f"An agent may start it {start_text or 'at once'}.")
    elif to == StateType.PAUSED:
        words.append("It waits until somebody sets Resume or Scheduled.")
    elif to == StateType.CANCELLING:
        words.append("The runner that executes it stops it; nothing happens if there is none.")
    elif to == StateType.CANCELLED:
        words.append("Its unfinished task runs become Cancelled too.")
    elif to in (StateType.RUNNING, StateType.SUBMITTED, StateType.PENDING, StateType.QUEUED):
        words.append("It only says so: nothing is started by it.")
    return words


def banner(theirs: FlowRun, zone: tzinfo, now: datetime, *, me: str, is_mine: bool) -> Content:
    """Return the warning that the run changed while the form was open."""
    at = theirs.state_timestamp
    when = f" at {clock(at, zone, seconds=True)}, {exact_age(at, now)}" if at else ""
    who = f", by {party(theirs.actor, me=me)}" if theirs.actor else ""
    return Content.assemble(
        ("!! Changed meanwhile: ", "$state-late bold"),
        f"v{theirs.version} ",
        state_content(theirs.state),
        f"{when}{who}",
        ("\n   exactly what you want: F4 takes it" if is_mine else ""),
    )


def now_line(base: Base, zone: tzinfo) -> Content:
    """Return `> Running  v7  since 13:58:04 +01`."""
    at = base.state.timestamp
    since = f"  since {clock(at, zone, seconds=True)}" if at else ""
    return Content.assemble(state_content(base.state.name), ("  ", ""), (f"v{base.version}", "bold"), since)


def history_content(states: Sequence[State], zone: tzinfo, width: int, *, me: str, base_version: int = 0) -> Content:
    """Return a run's states, newest first, the base marked; two lines each."""
    parts: list[Content | str | tuple[str, str]] = [("History\n", "bold")]
    for state in reversed(states):
        at = clock(state.timestamp, zone, seconds=True) if state.timestamp else "-"
        mark = "  < base" if state.version == base_version else ""
        parts += [
            (f"v{state.version:<3}", "$muted"),
            f"{at}  ",
            Content.styled(state_label(state.name), f"$state-{style_name(state.name)}"),
            (mark, "$accent"),
            (f"\n     {fit(one_line(state.message or '-', 200), max(width - 5, 10)).rstrip()}\n", "$muted"),
            (f"     by {party(state.actor, me=me)}\n", "$faint"),
        ]
    return Content.assemble(*parts)
