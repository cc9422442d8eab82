"""The states a flow run can be in, and their categories.

Source of the names and of the hierarchy: contract.md §4 (Prefect 1). A foreign server may know others: those keep
their own name and count as `Category.UNKNOWN`, so nothing here raises on a word it has never seen.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Category(StrEnum):
    """What a state means to an operator; decides glyph, colour and order on the screen."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    META = "meta"
    UNKNOWN = "unknown"


class StateType(StrEnum):
    """The 21 state types that can be set; the value is the exact, case-sensitive name on the wire."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    PAUSED = "Paused"
    RESUME = "Resume"
    RETRYING = "Retrying"
    SUBMITTED = "Submitted"
    QUEUED = "Queued"
    CLIENT_FAILED = "ClientFailed"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    FINISHED = "Finished"
    LOOPED = "Looped"
    SUCCESS = "Success"
    CACHED = "Cached"
    MAPPED = "Mapped"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    TRIGGER_FAILED = "TriggerFailed"
    VALIDATION_FAILED = "ValidationFailed"


PARENTS: dict[StateType, StateType | None] = {
    StateType.PENDING: None,
    StateType.SCHEDULED: StateType.PENDING,
    StateType.PAUSED: StateType.SCHEDULED,
    StateType.RESUME: StateType.SCHEDULED,
    StateType.RETRYING: StateType.SCHEDULED,
    StateType.SUBMITTED: None,
    StateType.QUEUED: None,
    StateType.CLIENT_FAILED: None,
    StateType.RUNNING: None,
    StateType.CANCELLING: StateType.RUNNING,
    StateType.FINISHED: None,
    StateType.LOOPED: StateType.FINISHED,
    StateType.SUCCESS: StateType.FINISHED,
    StateType.CACHED: StateType.SUCCESS,
    StateType.MAPPED: StateType.SUCCESS,
    StateType.SKIPPED: StateType.SUCCESS,
    StateType.CANCELLED: StateType.FINISHED,
    StateType.FAILED: StateType.FINISHED,
    StateType.TIMED_OUT: StateType.FAILED,
    StateType.TRIGGER_FAILED: StateType.FAILED,
    StateType.VALIDATION_FAILED: StateType.FAILED,
}
"""State type → parent type; None at the root and for the meta states."""

SCHEDULED_LIKE = frozenset(
    {StateType.SCHEDULED, StateType.PAUSED, StateType.RESUME, StateType.RETRYING, StateType.QUEUED}
)
"""States that carry a start time and may be picked up by an agent (contract.md §4.1)."""

_CATEGORIES: dict[StateType, Category] = {
    StateType.PENDING: Category.PENDING,
    StateType.SCHEDULED: Category.SCHEDULED,
    StateType.PAUSED: Category.SCHEDULED,
    StateType.RESUME: Category.SCHEDULED,
    StateType.RETRYING: Category.SCHEDULED,
    StateType.SUBMITTED: Category.META,
    StateType.QUEUED: Category.META,
    StateType.CLIENT_FAILED: Category.FAILED,
    StateType.RUNNING: Category.RUNNING,
    StateType.CANCELLING: Category.RUNNING,
    StateType.FINISHED: Category.SUCCESS,
    StateType.LOOPED: Category.SUCCESS,
    StateType.SUCCESS: Category.SUCCESS,
    StateType.CACHED: Category.SUCCESS,
    StateType.MAPPED: Category.SUCCESS,
    StateType.SKIPPED: Category.SUCCESS,
    StateType.CANCELLED: Category.CANCELLED,
    StateType.FAILED: Category.FAILED,
    StateType.TIMED_OUT: Category.FAILED,
    StateType.TRIGGER_FAILED: Category.FAILED,
    StateType.VALIDATION_FAILED: Category.FAILED,
}

FINAL_CATEGORIES = frozenset({Category.SUCCESS, Category.FAILED, Category.CANCELLED})


def state_type(name: str) -> StateType | None:
    """Return the known type of that exact name, or None for a foreign server's own word."""
    try:
        return StateType(name)
    except ValueError:
        return None


def category_of(name: str) -> Category:
    """Return the category of a state name, `UNKNOWN` for one never seen."""
    known = state_type(name)
    return _CATEGORIES[known] if known else Category.UNKNOWN


def is_finished(name: str) -> bool:
    """True when the state ends a run. ClientFailed is shown as failed but is a meta state: the run may go on."""
    return category_of(name) in FINAL_CATEGORIES and name != StateType.CLIENT_FAILED


def names_in(*categories: Category) -> list[str]:
    """Return the state names of these categories, in the order of `StateType`."""
    return [str(kind) for kind in StateType if _CATEGORIES[kind] in categories]


class State(BaseModel):
    """One state of a run: the current one or one of its history. Text is as the server sent it, not yet clean."""

    model_config = ConfigDict(frozen=True)

    name: str
    """The server's own word: a `StateType` value, or a foreign one."""
    message: str | None = None
    timestamp: datetime | None = None
    """When the server accepted it; aware, UTC."""
    version: int = 0
    """The run's version once this state was accepted."""
    actor: str | None = None
    """Who set it; None where the server does not record it."""
    start_time: datetime | None = None
    """For the scheduled family: when the run shall start; aware, UTC."""
    result: Any = None
    """`state_result` as JSON value; None when there is none."""
    serialized: dict[str, Any] | None = None
    """The whole state document; None unless it was asked for."""

    @property
    def category(self) -> Category:
        """The category of `name`."""
        return category_of(self.name)

    @property
    def is_finished(self) -> bool:
        """True when this state ends the run."""
        return is_finished(self.name)


class StateDraft(BaseModel):
    """A state that somebody wants to set."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str | None = None
    start_time: datetime | None = None
    """Only for the scheduled family; None means at once."""
    extra: dict[str, Any] = {}
    """Further keys of the state document (context, _result …), sent as they are."""

    def document(self) -> dict[str, Any]:
        """Return the JSON document for the wire (contract.md §4.2)."""
        document: dict[str, Any] = {"type": self.type, **self.extra}
        if self.message is not None:
            document["message"] = self.message
        if self.start_time is not None:
            document["start_time"] = self.start_time.isoformat()
        return document
