"""What the overview of a run says, as text: pure functions of what is known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from flowlatch.live.detail import Part, RunDetail
from flowlatch.live.parties import party
from flowlatch.model.kin import How, source_of
from flowlatch.model.run import FlowRun
from flowlatch.model.state import State
from flowlatch.model.versions import version_label
from flowlatch.text import DETAIL_LIMIT, one_line
from flowlatch.ui.format import duration, foreign_content, run_duration_s, state_content
from flowlatch.ui.screens.times import Times

LABEL_CELLS = 9
GAP = "   "
"""Between the parts of a fact."""
FLOW_CELLS = 28
"""Characters of a name in the top line, so that version and state have their place at 80 columns."""
MESSAGE_LINES = 3
SOURCE_WORDS = {How.RETRY: "retry of", How.CLONE: "copy of"}


def title(detail: RunDetail, times: Times) -> Content:
    """Return `etl-orders / amber-lynx · v9 · x Failed` for the top line."""
    run = detail.run
    if run is None:
        return Content(f"run {one_line(detail.run_id, 40)}")
    late = run.late_by(times.now) is not None
    name = f"{one_line(run.flow_name, FLOW_CELLS) or '?'} / {one_line(run.name, FLOW_CELLS) or run.id[:8]}"
    parts = [
        Content(name),
        Content(version_label(run.version)),
        state_content(run.state, category=run.category, is_late=late),
    ]
    if detail.is_gone:
        parts.insert(0, Content.styled("DELETED", "$state-late bold"))
    return Content(" · ").join(parts)


def facts(detail: RunDetail, times: Times, width: int, *, me: str = "") -> Content:
    """Return the lines of the overview: state, message, times, who, key, labels."""
    run = detail.run
    if run is None:
        return Content.styled(detail.problems.get(Part.RUN, "loading …"), "$muted")
    lines = [
        _state_line(run, times, width),
        *_message_lines(run, width),
        *_fact_lines("times", _times(run, times), width),
        *_fact_lines("who", _who(run, detail.history, me), width),
        _fact("key", _key(run, times)),
        *_fact_lines("labels", _labels(run), width),
    ]
    return Content("\n").join([line.truncate(width, ellipsis=True) for line in lines])


def _fact(name: str, value: Content) -> Content:
    return Content.assemble((name.ljust(LABEL_CELLS), "$muted"), value)


def _fact_lines(name: str, parts: Sequence[str], width: int) -> list[Content]:
    """Return a fact of several parts: side by side while they fit, the rest on a line of its own below."""
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}{GAP}{part}" if lines[-1] else part
        if lines[-1] and cell_len(joined) > width - LABEL_CELLS:
            lines.append(part)
        else:
            lines[-1] = joined
    return [_fact(name if not index else "", Content(line)) for index, line in enumerate(lines)]


def _state_line(run: FlowRun, times: Times, width: int) -> Content:
    late = run.late_by(times.now)
    parts: list[Content | str | tuple[str, str]] = [
        state_content(run.state, category=run.category, is_late=late is not None)
    ]
    if run.state_timestamp:
        parts.append(f" since {times.whole(run.state_timestamp)}")
    if late is not None:
        parts.append((f"  {duration(late)} past its start", "$state-late"))
    left = _fact("state", Content.assemble(*parts))
    right = f"version {version_label(run.version).removeprefix('v')}"
    gap = width - left.cell_length - len(right)
    return Content.assemble(left, " " * gap, (right, "bold")) if gap > 0 else left


def _message_lines(run: FlowRun, width: int) -> list[Content]:
    """Return the message over at most three lines; the rest is in the history tab."""
    room = max(width - LABEL_CELLS, 10)
    text = foreign_content(run.state_message or "-", DETAIL_LIMIT)
    lines = text.wrap(room) if text.cell_length > room else [text]
    if len(lines) > MESSAGE_LINES:
        lines = [*lines[: MESSAGE_LINES - 1], Content.assemble(lines[MESSAGE_LINES - 1].truncate(room - 8), " … h all")]
    return [_fact("message" if not index else "", line) for index, line in enumerate(lines)]


def _times(run: FlowRun, times: Times) -> list[str]:
    parts = [f"sched {times.short(run.scheduled_start_time)}"]
    if run.start_time:
        late = (run.start_time - run.scheduled_start_time).total_seconds() if run.scheduled_start_time else 0
        parts.append(f"start {times.short(run.start_time)}" + (f" (late {duration(late)})" if late >= 1 else ""))
    took = run_duration_s(run, times.now)
    if took is not None:
        parts.append(f"{'took' if run.is_finished else 'running'} {duration(took)}")
    if run.end_time:
        parts.append(f"end {times.short(run.end_time)}")
    return parts


def _who(run: FlowRun, history: Sequence[State], me: str) -> list[str]:
    first = next((state for state in history if state.version <= 1), None)
    maker = party(first.actor if first else None, me=me)
    if run.auto_scheduled:
        maker = "the schedule"
    elif source := source_of(run):
        maker += f" as {SOURCE_WORDS[source[0]]} {source[1][:4]}…{source[1][-4:]}"
    return [f"created by {maker}", f"last change by {party(run.actor, me=me)}"]


def _key(run: FlowRun, times: Times) -> Content:
    if not run.idempotency_key:
        return Content("none")
    parts: list[Content | str | tuple[str, str]] = [foreign_content(run.idempotency_key, 60)]
    life = run.idempotency
    if life is None:
        parts.append(("   not live any more, or this server does not tell", "$muted"))
    else:
        if life.uses > 1:
            parts.append(f"   reused {life.uses - 1}x")
        if life.expires_at is not None:
            left = (life.expires_at - times.now).total_seconds()
            when = f"expires in {duration(left)}, {times.stamp(life.expires_at)}" if left > 0 else "expired"
            parts.append(f"   {when}")
    return Content.assemble(*parts)


def _labels(run: FlowRun) -> list[str]:
    parts = [" ".join(one_line(label, 60) for label in run.labels) or "none"]
    if run.flow_version is not None:
        parts.append(f"flow version {run.flow_version}")
    if run.auto_scheduled:
        parts.append("made by its schedule")
    if run.agent_id:
        parts.append(party(run.agent_id))
    return parts


def state_detail(state: State, times: Times, *, me: str = "") -> Content:
    """Return all of one state of the history: when, who, the whole message, its result."""
    parts: list[Content | str | tuple[str, str]] = [
        state_content(state.name, category=state.category),
        f"   {version_label(state.version)}   {times.whole(state.timestamp)}   by {party(state.actor, me=me)}",
    ]
    if state.start_time:
        parts.append(f"\nstarts at {times.whole(state.start_time)}")
    parts += ["\n", foreign_content(state.message or "(no message)", DETAIL_LIMIT, multiline=True)]
    if state.result is not None:
        parts += ["\n", ("result ", "$muted"), foreign_content(state.result, 2_000)]
    return Content.assemble(*parts)


def related_lines(detail: RunDetail, times: Times, width: int, limit: int) -> Content:
    """Return the newest other runs of the same flow, one a line."""
    title = "other runs of this flow"
    line = "─" * max(width - len(title) - 4, 0)
    lines = [Content.assemble(("── ", "$rule"), (title, "$muted"), (f" {line}", "$rule"))]
    for run in detail.related[: max(limit - 1, 0)]:
        late = run.late_by(times.now) is not None
        lines.append(
            Content.assemble(
                f" {times.short(run.due_at()):>14}  ",
                state_content(run.state, category=run.category, is_late=late),
                "  ",
                foreign_content(run.name, 60),
                ("  " + one_line(run.state_message or ""), "$muted"),
            ).truncate(width, ellipsis=True)
        )
    if not detail.related:
        is_read = Part.RELATED in detail.loaded_at
        lines.append(
            Content.styled(f" {'none' if is_read else detail.problems.get(Part.RELATED, 'loading …')}", "$muted")
        )
    return Content("\n").join(lines)
