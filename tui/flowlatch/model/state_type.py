"""The states a flow run can be in, and their categories: words only, so that the server takes them without pydantic.

Source of the names and of the hierarchy: contract.md §4 (Prefect 1). A foreign server may know others: those keep
their own name and count as `Category.UNKNOWN`, so nothing here raises on a word it has never seen.
"""

from __future__ import annotations

from enum import StrEnum


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

_PREFECT3: dict[str, Category] = {
    "Late": Category.SCHEDULED,
    "AwaitingRetry": Category.SCHEDULED,
    "AwaitingConcurrencySlot": Category.SCHEDULED,
    "Resuming": Category.SCHEDULED,
    "Suspended": Category.SCHEDULED,
    "Submitting": Category.PENDING,
    "InfrastructurePending": Category.PENDING,
    "NotReady": Category.PENDING,
    "Completed": Category.SUCCESS,
    "RolledBack": Category.SUCCESS,
    "Crashed": Category.FAILED,
}
"""Names of Prefect 3 that Prefect 1 does not have. Source: prefect3.md §4."""

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
    return _CATEGORIES[known] if known else _PREFECT3.get(name, Category.UNKNOWN)


def is_finished(name: str) -> bool:
    """True when the state ends a run. ClientFailed is shown as failed but is a meta state: the run may go on."""
    return category_of(name) in FINAL_CATEGORIES and name != StateType.CLIENT_FAILED


def names_in(*categories: Category) -> list[str]:
    """Return the state names of these categories, in the order of `StateType`."""
    return [str(kind) for kind in StateType if _CATEGORIES[kind] in categories]
