"""Flow runs, flows and what belongs to them, as every kind of server gives them to the screen and to scripts.

All texts are raw, exactly as the server sent them: whoever shows one passes it through `text.clean` first.
All times are aware and in UTC. A field that a server or a query did not give is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NewType

from flowlatch.model.state import FINAL_CATEGORIES, Category, State, category_of, is_finished

WAITING_STATES = ("Scheduled", "Retrying", "Resume", "Queued", "Late", "AwaitingRetry")
"""Names of states in which a run is due at some time and may be late."""

RunId = NewType("RunId", str)
FlowId = NewType("FlowId", str)
TaskRunId = NewType("TaskRunId", str)
ProjectId = NewType("ProjectId", str)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project: a folder of flows."""

    id: ProjectId
    name: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a flow. `annotation` is `str int float bool date datetime json` or `a|b|c`; None = any JSON."""

    name: str
    required: bool = False
    default: Any = None
    annotation: str | None = None


@dataclass(frozen=True, kw_only=True)
class FlowVersion:
    """One version of a flow as its other versions name it."""

    id: FlowId
    version: int | None = None
    archived: bool = False
    created: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One version of a flow."""

    id: FlowId
    name: str
    version: int | None = None
    project: str | None = None
    """The project's name."""
    project_id: ProjectId | None = None
    version_group_id: str | None = None
    archived: bool = False
    description: str | None = None
    parameters: list[Parameter] = field(default_factory=list)
    is_schedule_active: bool = False
    schedule: Any = None
    """The schedule that makes its runs: the flow group's, else the version's own; None = none."""
    is_group_schedule: bool = False
    """True when the schedule was set on the flow group."""
    created: datetime | None = None
    versions: list[FlowVersion] = field(default_factory=list)
    """The newest versions of its flow group, newest first, this one too."""


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """The live idempotency key of a run."""

    expires_at: datetime | None = None
    uses: int = 1


@dataclass(frozen=True, kw_only=True)
class FlowRun:
    """A flow run: a row of the list, or the whole run (`parameters` and the fields below it not None)."""

    id: RunId
    name: str = ""
    flow_id: FlowId | None = None
    flow_name: str = ""
    flow_version: int | None = None
    version: int = 0
    """The optimistic lock: goes up by one with each accepted state."""
    state: str = ""
    """Name of the current state, the server's own word."""
    state_message: str | None = None
    state_timestamp: datetime | None = None
    state_start_time: datetime | None = None
    state_result: Any = None
    scheduled_start_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    created: datetime | None = None
    updated: datetime | None = None
    actor: str | None = None
    """Who set the current state; None where the server does not record it."""
    labels: list[str] = field(default_factory=list)
    auto_scheduled: bool = False
    idempotency_key: str | None = None
    idempotency: Idempotency | None = None
    parameters: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    run_config: Any = None
    agent_id: str | None = None
    heartbeat: datetime | None = None
    raw: dict[str, Any] | None = field(default=None, repr=False)
    """The answer as the server gave it, for the raw view; None in lists."""
    family: Category | None = None
    """Category of the current state where the server tells it beside a name of somebody's own; None = by the name."""

    @property
    def category(self) -> Category:
        """Category of the current state."""
        return self.family or category_of(self.state)

    @property
    def is_finished(self) -> bool:
        """True when the current state ends the run."""
        return self.family in FINAL_CATEGORIES if self.family else is_finished(self.state)

    @property
    def current(self) -> State:
        """The current state as a value of its own."""
        return State(
            name=self.state,
            message=self.state_message,
            timestamp=self.state_timestamp,
            version=self.version,
            actor=self.actor,
            start_time=self.state_start_time,
            result=self.state_result,
            family=self.family,
        )

    def due_at(self) -> datetime | None:
        """When a run that waits shall start: the state's start time, else the scheduled one."""
        return self.state_start_time or self.scheduled_start_time

    def late_by(self, now: datetime) -> timedelta | None:
        """How long a waiting run is past its start, or None when it is not late (15 s of grace, ux.md row 8)."""
        due = self.due_at()
        if self.state not in WAITING_STATES or self.family is Category.RUNNING or due is None:
            return None
        late = now - due
        return late if late > timedelta(seconds=15) else None


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """One task of a flow run; `map_index` is -1 for a task that is not mapped."""

    id: TaskRunId
    name: str = ""
    task_slug: str = ""
    map_index: int = -1
    version: int = 0
    state: str = ""
    state_message: str | None = None
    state_timestamp: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    run_count: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskEdge:
    """One task of a flow waits for another one; both are named by their slugs."""

    upstream: str
    """The one that is waited for."""
    downstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One log line of a run. `level` is the server's word, e.g. INFO.

    With slots: 50,000 of them are held at once.
    """

    id: str = ""
    timestamp: datetime
    level: str = "INFO"
    name: str = ""
    message: str = ""
    task_run_id: TaskRunId | None = None
    arrived: datetime | None = None
    """When the server took it; lines arrive in batches, and an older one may arrive behind a newer. None = unknown."""


@dataclass(frozen=True, kw_only=True)
class LogMark:
    """Where a reader of a log stands: behind all that arrived before `arrived` and `taken` right then."""

    arrived: datetime
    taken: int = 0

    def behind(self, lines: Sequence[LogLine]) -> LogMark:
        """Return the place behind a page of lines in the order they arrived, read from here on."""
        last = lines[-1].arrived if lines else None
        if last is None:
            return self
        count = sum(line.arrived == last for line in lines)
        return LogMark(arrived=last, taken=count + (self.taken if last == self.arrived else 0))


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent that asks the server for work."""

    id: str
    name: str | None = None
    type: str | None = None
    labels: list[str] = field(default_factory=list)
    core_version: str | None = None
    last_queried: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A flow run that somebody wants to create. Source of the rules: contract.md §5."""

    flow_id: FlowId | None = None
    version_group_id: str | None = None
    parameters: dict[str, Any] | None = None
    labels: list[str] | None = None
    """None = the flow's own; an empty list = none."""
    context: dict[str, Any] | None = None
    run_config: dict[str, Any] | None = None
    scheduled_start_time: datetime | str | None = None
    """None = now. Aware or naive (UTC) datetime, or text in a form of contract.md §3.6."""
    idempotency_key: str | None = None
    flow_run_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Created:
    """The answer to a create."""

    id: RunId
    replayed: bool = False
    """True when the idempotency key was known and this is the run it made before."""
    mismatch: list[str] = field(default_factory=list)
    """Names of the inputs that differ from those of the first use of the key."""
    expires_at: datetime | None = None
    """When the key ends if it is not used again; None without a key or where the server does not tell."""
