"""Everything that one run's screen knows, kept true while the server changes.

One loop, one request at a time: answers arrive in the order of the questions, and a row never replaces a newer one
(`is_newer`). Pushed rows are shown at once; what a row lacks (history, parameters, tasks) is read behind it. Log lines
and tasks are no part of the pushed changes, so while the run moves they are asked for every few seconds, and only
while they are on the screen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from flowlatch.api.backend import Backend
from flowlatch.errors import BackendError, NotFound, Unreachable
from flowlatch.live.log_tail import KEPT_LINES, LogTail
from flowlatch.live.session import Session
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange, is_newer
from flowlatch.model.kin import Relative
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, RunId, TaskEdge, TaskRun
from flowlatch.model.state import State
from flowlatch.text import one_line

REST_S = 15.0
"""Seconds between two looks at logs and tasks while nobody looks at the screen."""
SETTLING = timedelta(seconds=20)
"""How long after its end a run's last log lines may still arrive."""
FIRST_LINES = 1_000
MORE_LINES = 10_000
PAGE_LINES = 2_000
"""Lines taken in at once while a log is followed."""
RELATED_LIMIT = 10
RELATED_EVERY_S = 5.0
LEAST_GAP_S = 0.25
"""Seconds between two requests for one part: a burst of changes is read once."""
DOUBTED = 4
"""So many answers in a row that are older than what is shown mean that the server went back, to a backup say."""
RETRY_S = 1.0
"""Seconds without a request after one that found no server; the link says when it is back."""


class Part(StrEnum):
    """What is known of a run, each part read by a request of its own."""

    RUN = "run"
    HISTORY = "history"
    LOGS = "logs"
    TASKS = "tasks"
    EDGES = "edges"
    """Which task waits for which: read once, a flow version never changes."""
    RELATED = "related"
    """The newest other runs of the flow."""
    KIN = "kin"
    """The runs it comes from, and those that come from it."""


POLLED = (Part.LOGS, Part.TASKS)
AROUND = (Part.RELATED, Part.KIN)
"""What is about other runs: read seldom."""
BEHIND_RUN = (*AROUND, Part.EDGES)
"""What can only be asked for once the run is known."""
ROW_FIELDS = (
    "name",
    "version",
    "state",
    "state_message",
    "state_timestamp",
    "state_start_time",
    "scheduled_start_time",
    "start_time",
    "end_time",
    "updated",
    "actor",
    "labels",
    "auto_scheduled",
    "idempotency_key",
)
"""What a list row tells as fully as the whole run does."""


class RunDetail:
    """One run as its screen knows it. `on_change` is called in the event loop with the parts that are new."""

    def __init__(
        self,
        session: Session,
        run_id: RunId,
        *,
        on_change: Callable[[frozenset[Part]], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._on_change = on_change
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._wanted: frozenset[Part] = frozenset({Part.RUN, Part.HISTORY})
        self._is_resting = False
        self._begin(run_id)

    def _begin(self, run_id: RunId) -> None:
        self.run_id = run_id
        self.run: FlowRun | None = None
        self.history: list[State] = []
        self.tail = LogTail()
        self.tasks: list[TaskRun] = []
        self.edges: list[TaskEdge] = []
        self.related: list[FlowRun] = []
        self.kin: list[Relative] = []
        self.is_gone = False
        """True once the server said that the run is deleted; what was known of it stays."""
        self.loaded_at: dict[Part, datetime] = {}
        """When each part was last heard, on this machine's clock."""
        self.problems: dict[Part, str] = {}
        """One clean line for each part that could not be read."""
        self._due: set[Part] = set(Part)
        self._asked_at_s: dict[Part, float] = {}
        self._not_before_s = 0.0
        self._doubted = 0
        self._log_limit = FIRST_LINES
        self._wake.set()

    def see(self, run_id: RunId) -> None:
        """Look at another run; everything known of the one before is dropped."""
        if run_id != self.run_id:
            self._begin(run_id)
            self._on_change(frozenset(Part))

    def want(self, parts: Iterable[Part]) -> None:
        """Say which parts are on the screen; others are not asked for."""
        wanted = frozenset(parts) | {Part.RUN}
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    def reload(self) -> None:
        """Ask anew for every part, also of a run that was gone."""
        self.is_gone = False
        self._due = set(Part)
        self._wake.set()

    def resume(self) -> None:
        """Go on reading: the link is back."""
        self._not_before_s = 0.0
        self._wake.set()

    def forget(self) -> None:
        """Drop everything: another database answers now, in which this id means nothing."""
        self._begin(self.run_id)
        self._on_change(frozenset(Part))

    def want_older_logs(self) -> bool:
        """Ask for more of the log than is held; False when there is no more to be had."""
        if self.tail.is_whole or self._log_limit >= KEPT_LINES or Part.LOGS not in self.loaded_at:
            return False
        self._log_limit = MORE_LINES if self._log_limit < MORE_LINES else KEPT_LINES
        self._due.add(Part.LOGS)
        self._wake.set()
        return True

    def age_s(self, part: Part) -> float | None:
        """Seconds since a part was heard; None when it never was."""
        heard = self.loaded_at.get(part)
        return max((self._session.local_now() - heard).total_seconds(), 0.0) if heard else None

    @property
    def is_moving(self) -> bool:
        """True while more may come: the run has not ended, or ended so recently that lines are still under way."""
        if self.run is None:
            return True
        if not self.run.is_finished or self.run.state_timestamp is None:
            return not self.run.is_finished
        return self._session.now() - self.run.state_timestamp < SETTLING

    def apply(self, batch: ChangeBatch) -> None:
        """Take pushed changes: the run's own at once, those of other runs of its flow as a reason to look."""
        for change in batch.changes:
            if change.id == self.run_id:
                self._hear(change.run if change.kind is not ChangeKind.GONE else None)
            elif parts := self._parts_about(change):
                self._due |= parts
                self._wake.set()

    def _parts_about(self, change: RunChange) -> set[Part]:
        """Return what another run's change may have made older: what made it stands in its key."""
        parts = set()
        if self.run and change.run and change.run.flow_id == self.run.flow_id:
            parts.add(Part.RELATED)
        is_new = change.kind is ChangeKind.ADDED and change.run is not None and change.run.idempotency_key is not None
        if is_new or any(each.run.id == change.id for each in self.kin):
            parts.add(Part.KIN)
        return parts

    def _hear(self, row: FlowRun | None) -> None:
        if row is None:
            self.is_gone = True
            self._on_change(frozenset({Part.RUN}))
            return
        if self.run is not None and not is_newer(row, self.run):
            return
        self.is_gone = False
        self._due |= {Part.RUN, Part.HISTORY, Part.LOGS, Part.TASKS}
        self._wake.set()
        if self.run is not None:
            self.run = merged(self.run, row)
            self.loaded_at[Part.RUN] = self._session.local_now()
            self._on_change(frozenset({Part.RUN}))

    def rest(self, is_resting: bool) -> None:
        """Ask for logs and tasks seldom while nobody looks; catch up when somebody does again."""
        self._is_resting = is_resting
        self._wake.set()

    async def follow(self) -> None:
        """Read what is due, until cancelled."""
        while True:
            self._wake.clear()
            part = self._next_part()
            if part is not None:
                await self._load(part)
                continue
            try:
                async with asyncio.timeout(self._nap_s()):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _next_part(self) -> Part | None:
        """Return what to read now: the run before the rest; nothing while there is no link."""
        if not self._session.link.is_online or self.is_gone or self._monotonic() < self._not_before_s:
            return None
        for part in Part:
            if part in self._wanted and self._wait_s(part) <= 0:
                return part
        return None

    def _wait_s(self, part: Part) -> float:
        """Seconds until a part shall be asked for; infinite when there is no reason to."""
        since = self._monotonic() - self._asked_at_s.get(part, -1e9)
        if part in BEHIND_RUN and self.run is None:
            return float("inf")
        if part in self._due:
            return (RELATED_EVERY_S if part in AROUND else LEAST_GAP_S) - since
        if part in POLLED and self.is_moving:
            return (REST_S if self._is_resting else self._session.profile.poll_s) - since
        return float("inf")

    def _nap_s(self) -> float | None:
        """Return how long to sleep when nothing is due; None = until woken."""
        if not self._session.link.is_online or self.is_gone:
            return None
        shortest = min(self._wait_s(part) for part in self._wanted)
        rest = max(shortest, self._not_before_s - self._monotonic(), 0.05)
        return None if rest == float("inf") else rest

    async def _load(self, part: Part) -> None:
        run_id = self.run_id
        self._due.discard(part)
        self._asked_at_s[part] = self._monotonic()
        had_problem = self.problems.pop(part, None) is not None
        try:
            is_new = await self._read(part, run_id)
        except NotFound as error:
            if run_id == self.run_id:
                self._give_up(part, error)
            return
        except BackendError as error:
            if run_id == self.run_id:
                self._note(part, error)
            return
        if run_id != self.run_id:
            return
        self.loaded_at[part] = self._session.local_now()
        if is_new or had_problem:
            self._on_change(frozenset({part}))

    def _give_up(self, part: Part, error: NotFound) -> None:
        self.problems[part] = one_line(error)
        self.is_gone = part is Part.RUN
        self._on_change(frozenset({part}))

    def _note(self, part: Part, error: BackendError) -> None:
        """Keep what is known, say why it is not newer, and leave trying again to the link."""
        self.problems[part] = one_line(error)
        if isinstance(error, Unreachable):
            self._due.add(part)
            self._not_before_s = self._monotonic() + RETRY_S
            self._session.retry_now()
        elif part is Part.LOGS:
            self._log_limit = max(len(self.tail), FIRST_LINES)
        self._on_change(frozenset({part}))

    async def _read(self, part: Part, run_id: RunId) -> bool:
        """Read one part; True when it differs from what was known. An answer about another run is dropped."""
        backend = self._session.backend
        match part:
            case Part.RUN:
                run = await backend.run(run_id)
                return run_id == self.run_id and self._take_run(run)
            case Part.HISTORY:
                after = self._last_version()
                states = await backend.history(run_id, after_version=after)
                return run_id == self.run_id and self._take_history(states, is_rest=after > 0)
            case Part.LOGS:
                return await self._read_logs(run_id)
            case Part.TASKS:
                tasks = await backend.task_runs(run_id)
                if run_id != self.run_id or (tasks == self.tasks and Part.TASKS in self.loaded_at):
                    return False
                self.tasks = tasks
                return True
            case Part.EDGES:
                edges = await backend.task_edges(self.run.flow_id) if self.run and self.run.flow_id else []
                if run_id == self.run_id:
                    self.edges = edges
                return run_id == self.run_id
            case Part.RELATED:
                return await self._read_related(run_id)
            case Part.KIN:
                return await self._read_kin(run_id)

    def _take_run(self, run: FlowRun) -> bool:
        if self.run is not None and not is_newer(run, self.run):
            self._due.add(Part.RUN)
            self._doubted += 1
            if self._doubted < DOUBTED:
                return False
            self.history = []
            self._due.add(Part.HISTORY)
        self._doubted = 0
        is_new = run != self.run
        self.run = run
        self.is_gone = False
        return is_new

    def _last_version(self) -> int:
        """Return the last version of the history held, 0 where all of it must be read again."""
        has_versions = self._session.capabilities is not None and self._session.capabilities.has_history_versions
        return self.history[-1].version if self.history and has_versions else 0

    def _take_history(self, states: list[State], *, is_rest: bool) -> bool:
        known = {state.version for state in self.history} if is_rest else set()
        history = [*self.history, *(s for s in states if s.version not in known)] if is_rest else states
        is_new = history != self.history or Part.HISTORY not in self.loaded_at
        self.history = history
        return is_new

    async def _read_logs(self, run_id: RunId) -> bool:
        backend, tail, limit = self._session.backend, self.tail, self._log_limit
        if tail.mark is None or (len(tail) < limit and not tail.is_whole):
            lines = await backend.logs(run_id, limit=limit)
            if run_id != self.run_id:
                return False
            before = len(tail)
            tail.replace(lines, is_whole=len(lines) < limit)
            return len(tail) != before or Part.LOGS not in self.loaded_at
        is_new = False
        while True:
            lines = await backend.logs(run_id, after=tail.mark, limit=PAGE_LINES)
            if run_id != self.run_id:
                return False
            is_new = bool(tail.take(lines)) or is_new
            if len(lines) < PAGE_LINES:
                return is_new

    async def _read_related(self, run_id: RunId) -> bool:
        related = await others_of(self._session.backend, self.run)
        if run_id != self.run_id:
            return False
        is_new = related != self.related or Part.RELATED not in self.loaded_at
        self.related = related
        return is_new

    async def _read_kin(self, run_id: RunId) -> bool:
        kin = await self._session.backend.relatives(self.run) if self.run else []
        if run_id != self.run_id:
            return False
        is_new = kin != self.kin or Part.KIN not in self.loaded_at
        self.kin = kin
        return is_new


async def others_of(backend: Backend, run: FlowRun | None) -> list[FlowRun]:
    """Return the newest other runs of a run's flow."""
    if run is None or run.flow_id is None:
        return []
    query = RunQuery(flow_ids=(run.flow_id,), limit=RELATED_LIMIT + 1)
    page = await backend.page(query, with_total=False)
    return [each for each in page.rows if each.id != run.id][:RELATED_LIMIT]


def merged(whole: FlowRun, row: FlowRun) -> FlowRun:
    """Return the whole run with what a newer row of it tells."""
    return replace(whole, **{field: getattr(row, field) for field in ROW_FIELDS})
