"""What changed on the server since a point in its sequence of changes (design.md §9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from flowlatch.model.run import FlowRun, RunId


class ChangeKind(StrEnum):
    """How a run changed."""

    ADDED = "added"
    UPDATED = "updated"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class RunChange:
    """One run that changed. `run` is its newest row; None when it is gone."""

    id: RunId
    kind: ChangeKind
    run: FlowRun | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeBatch:
    """Some changes and the point reached. With `resync` the page must be loaded anew: changes were missed."""

    cursor: str
    """Opaque; belongs to one database."""
    resync: bool = False
    changes: list[RunChange] = field(default_factory=list)


def is_newer(new: FlowRun, old: FlowRun) -> bool:
    """True when `new` may replace `old` on the screen: pushes and pages may arrive out of order.

    A lower version never replaces a higher one; on the same version the later `updated` wins.
    """
    if new.version != old.version:
        return new.version > old.version
    if new.updated is None or old.updated is None:
        return True
    return new.updated >= old.updated
