"""What the side pane says about the run under the cursor: the wide layout of the list (ux.md §3)."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import zip_longest

from textual.content import Content
from textual.geometry import Region
from textual.timer import Timer
from textual.widget import Widget

from flowlatch.live.detail import Part, RunDetail
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeBatch
from flowlatch.model.params import redacted
from flowlatch.model.run import FlowRun, LogLine
from flowlatch.model.state import State
from flowlatch.model.versions import version_label
from flowlatch.text import clean, one_line
from flowlatch.ui.format import (
    duration,
    exact_age,
    fit,
    glyph,
    log_level,
    offset_of,
    run_duration_s,
    run_title,
    stamp,
    state_content,
    style_name,
)
from flowlatch.ui.widgets.background import begin

REST_S = 0.15
"""The cursor rests this long on a run before more is asked for, so that moving through a list asks for nothing."""
HISTORY_LINES = 6
LABEL_WIDTH = 8
_LEVELS = {"ERROR": "$state-failed", "CRITICAL": "$state-failed", "WARNING": "$state-late", "DEBUG": "$faint"}


class SidePane(Widget):
    """Shows the run under the cursor: at once what the row tells, the rest once the cursor rests on it."""

    DEFAULT_CSS = """
    SidePane { height: 1fr; border-left: solid $rule; padding: 0 1; background: $background; }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._row: FlowRun | None = None
        self._detail: RunDetail | None = None
        self._timer: Timer | None = None
        self._lines: list[Content] = []
        self._is_due = False

    def look_at(self, row: FlowRun | None) -> None:
        """Show another run, or a newer row of the same."""
        is_other = row is not None and (self._detail is None or self._detail.run_id != row.id)
        self._row = row
        self.repaint()
        if self._timer is not None:
            self._timer.stop()
        if is_other and self.display:
            self._timer = self.set_timer(REST_S, self._look_closer)

    def _look_closer(self) -> None:
        if self._row is None:
            return
        if self._detail is None:
            self._detail = RunDetail(self._session, self._row.id, on_change=lambda _: self.repaint())
            self._detail.want([Part.RUN, Part.HISTORY, Part.LOGS])
            begin(self, self._detail.follow, group="pane", name="pane")
        else:
            self._detail.see(self._row.id)

    def apply(self, batch: ChangeBatch) -> None:
        """Take pushed changes."""
        if self._detail is not None and self.display:
            self._detail.apply(batch)

    def reload(self) -> None:
        """Ask for everything anew."""
        if self._detail is not None:
            self._detail.reload()

    def forget(self) -> None:
        """Drop what is known: another database answers now."""
        if self._detail is not None:
            self._detail.forget()

    def rest(self, is_resting: bool) -> None:
        """Ask seldom while nobody looks."""
        if self._detail is not None:
            self._detail.rest(is_resting)

    def tick(self, *, is_minute: bool) -> None:
        """Let time pass: every minute, in between only while the run is under way."""
        row = self._row
        if is_minute or (row is not None and row.start_time is not None and not row.is_finished):
            self.repaint()

    def on_resize(self) -> None:
        """Fill the room there is."""
        self.repaint()
        if self._row is not None and self._detail is None:
            self._timer = self.set_timer(REST_S, self._look_closer)

    def repaint(self) -> None:
        """Write the pane soon: once, however many reasons come at once."""
        if not self._is_due:
            self._is_due = True
            self.call_later(self._write)

    def _write(self) -> None:
        """Write the lines that say something else now."""
        self._is_due = False
        size = self.content_size
        if not self.display or size.width < 10:
            return
        old, self._lines = self._lines, pane(self._row, self._detail, self._session, size.width, size.height)
        top, width = self.gutter.top, self.size.width
        pairs = enumerate(zip_longest(old, self._lines))
        regions = [Region(0, top + y, width, 1) for y, (before, now) in pairs if _differ(before, now)]
        if regions:
            self.refresh(*regions)

    def render(self) -> Content:
        """Give the lines."""
        return Content("\n").join(self._lines)


def _differ(one: Content | None, other: Content | None) -> bool:
    return one is None or other is None or not one.is_same(other)


def pane(row: FlowRun | None, detail: RunDetail | None, session: Session, width: int, height: int) -> list[Content]:
    """Return the pane's lines in `width` cells, at most `height` of them."""
    if row is None:
        return [Content.styled("no run here", "$muted")]
    is_same = detail is not None and detail.run_id == row.id
    whole = detail.run if detail and is_same and detail.run else row
    newest = whole if whole.version >= row.version else row
    lines = [_title(row, width), Content("")]
    lines += _facts(newest, whole, session, width)
    if detail and is_same:
        lines += _history(detail, session, width)
        room = height - len(lines) - 1
        lines += _logs(detail, session, width, room)
    return lines[:height]


def _title(row: FlowRun, width: int) -> Content:
    version = version_label(row.version)
    return Content.assemble((fit(run_title(row), width - len(version) - 1), "bold"), " ", (version, "$muted"))


def _fact(name: str, value: Content | str, width: int) -> Content:
    room = max(width - LABEL_WIDTH, 1)
    text = Content(value) if isinstance(value, str) else value
    return Content.assemble((name.ljust(LABEL_WIDTH), "$muted"), text.truncate(room, ellipsis=True))


def _facts(run: FlowRun, whole: FlowRun, session: Session, width: int) -> list[Content]:
    now, zone = session.now(), session.local_zone
    late = run.late_by(now)
    state = Content.assemble(
        state_content(run.state, category=run.category, is_late=late is not None),
        "   ",
        (one_line(run.state_message or ""), "$foreground"),
    )
    lines = [_fact("state", state, width)]
    if run.state_timestamp:
        lines.append(
            _fact("since", f"{stamp(run.state_timestamp, zone)}  ({exact_age(run.state_timestamp, now)})", width)
        )
    due = run.scheduled_start_time
    if due:
        utc = f"  ({stamp(due)[11:]})" if offset_of(due.astimezone(zone)) != "UTC" else ""
        lines.append(_fact("sched", f"{stamp(due, zone)}{utc}", width))
    took = run_duration_s(run, now)
    if took is not None:
        lines.append(_fact("took" if run.is_finished else "running", duration(took), width))
    key = run.idempotency_key or whole.idempotency_key
    if key:
        lines.append(_fact("key", _key(key, whole, now), width))
    if run.labels:
        lines.append(_fact("labels", one_line(" ".join(run.labels)), width))
    if run.actor:
        lines.append(_fact("by", one_line(run.actor), width))
    if whole.parameters is not None:
        shown = redacted(whole.parameters)
        written = json.dumps(shown, ensure_ascii=False, default=str) if shown else "none"
        lines.append(_fact("params", one_line(written, 300), width))
    return lines


def _key(key: str, whole: FlowRun, now: datetime) -> str:
    life = whole.idempotency
    if life is None or life.expires_at is None:
        return one_line(key)
    left = (life.expires_at - now).total_seconds()
    return f"{one_line(key, 40)}  {'expires in ' + duration(left) if left > 0 else 'expired'}"


def _rule(title: str, width: int) -> Content:
    return Content.assemble(("── ", "$rule"), (title, "$muted"), (" " + "─" * max(width - len(title) - 4, 0), "$rule"))


def _history(detail: RunDetail, session: Session, width: int) -> list[Content]:
    lines = [Content(""), _rule("history", width)]
    if Part.HISTORY not in detail.loaded_at:
        return [*lines, Content.styled(detail.problems.get(Part.HISTORY, "…"), "$muted")]
    states = detail.history[::-1]
    lines += [_state_line(state, session, width) for state in states[:HISTORY_LINES]]
    if len(states) > HISTORY_LINES:
        lines.append(Content.styled(f"{len(states) - HISTORY_LINES} more: h", "$muted"))
    return lines


def _state_line(state: State, session: Session, width: int) -> Content:
    at = f"{state.timestamp.astimezone(session.local_zone):%H:%M:%S}" if state.timestamp else "-"
    word = f"{glyph(state.name, category=state.category)} {one_line(state.name, 18)}"
    who = one_line(state.actor or "", 16)
    room = max(width - 15 - 12 - (len(who) + 1 if who else 0), 4)
    return Content.assemble(
        (version_label(state.version).ljust(5), "$muted"),
        (at.ljust(10), "$muted"),
        (fit(word, 12), f"$state-{style_name(state.name, category=state.category)}"),
        fit(one_line(state.message or ""), room),
        (f" {who}" if who else "", "$muted"),
    )


def _logs(detail: RunDetail, session: Session, width: int, room: int) -> list[Content]:
    if room < 3:
        return []
    lines = [Content(""), _rule("logs", width)]
    if Part.LOGS not in detail.loaded_at:
        return [*lines, Content.styled(detail.problems.get(Part.LOGS, "…"), "$muted")]
    newest = list(detail.tail.lines)[-(room - 1) :]
    if not newest:
        return [*lines, Content.styled("no log lines", "$muted")]
    return [*lines, *(_log_line(line, session, width) for line in newest)]


def _log_line(line: LogLine, session: Session, width: int) -> Content:
    at = f"{line.timestamp.astimezone(session.local_zone):%H:%M:%S} "
    level = f"{log_level(line.level)} "
    style = _LEVELS.get(line.level.upper(), "$muted")
    message = one_line(clean(line.message, 400), 400)
    return Content.assemble((at, "$muted"), (level, style), fit(message, max(width - len(at) - len(level), 4)))
