"""One state of a run, and one that somebody wants to set; the words for them are those of `state_type`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowlatch.model.state_type import (
    FINAL_CATEGORIES,
    PARENTS,
    SCHEDULED_LIKE,
    Category,
    StateType,
    category_of,
    is_finished,
    names_in,
    state_type,
)

__all__ = [
    "FINAL_CATEGORIES",
    "PARENTS",
    "SCHEDULED_LIKE",
    "Category",
    "State",
    "StateDraft",
    "StateType",
    "category_of",
    "is_finished",
    "names_in",
    "state_type",
]


@dataclass(frozen=True, kw_only=True)
class State:
    """One state of a run: the current one or one of its history. Text is as the server sent it, not yet clean."""

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
    family: Category | None = None
    """The category where the server tells it beside a name of somebody's own; None = by the name."""

    @property
    def category(self) -> Category:
        """The category of the state."""
        return self.family or category_of(self.name)

    @property
    def is_finished(self) -> bool:
        """True when this state ends the run."""
        return self.family in FINAL_CATEGORIES if self.family else is_finished(self.name)


@dataclass(frozen=True, kw_only=True)
class StateDraft:
    """A state that somebody wants to set."""

    type: str
    message: str | None = None
    start_time: datetime | None = None
    """Only for the scheduled family; None means at once."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further keys of the state document (context, _result …), sent as they are."""

    def document(self) -> dict[str, Any]:
        """Return the JSON document for the wire (contract.md §4.2)."""
        document: dict[str, Any] = {"type": self.type, **self.extra}
        if self.message is not None:
            document["message"] = self.message
        if self.start_time is not None:
            document["start_time"] = self.start_time.isoformat()
        return document
