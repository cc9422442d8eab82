"""Which runs, in which order: the one question every kind of server understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from annotated_types import Ge, Interval

from flowlatch.model.run import FlowRun, RunId

T = TypeVar("T")

PAGE_LIMIT = 200
"""Rows of a page at most: about four screens, one request of some 20 ms on a slow link."""


class SortKey(StrEnum):
    """What a list can be ordered by; the value is the word in the order menu and the column on the wire."""

    START = "scheduled_start_time"
    UPDATED = "updated"
    CREATED = "created"
    STATE = "state"
    FLOW = "flow"
    NAME = "name"
    VERSION = "version"
    DURATION = "duration"
    MESSAGE = "state_message"


@dataclass(frozen=True, kw_only=True)
class Sort:
    """An order: key and direction. Ties are broken by run id, so that the order is total and pages never overlap."""

    key: SortKey = SortKey.START
    descending: bool = True


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Conditions, all of which a run must meet, plus order and place of the page.

    Text conditions ignore case. `*` in `flow`, `name` and `key` stands for any text; without one the whole word is
    meant for `key` and `id`, a part of it for the others. Times are aware UTC and compare with the scheduled start.
    """

    text: str = ""
    """Free text: part of the run name, the flow name or the state message."""
    not_text: str = ""
    """Free text that must appear in none of them."""
    states: tuple[str, ...] = ()
    """State names, any of them; empty = every state."""
    not_states: tuple[str, ...] = ()
    late: bool = False
    """Runs that wait and are more than 15 s past their start: only these, or with `states` these as well."""
    flow: str = ""
    not_flow: str = ""
    flow_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Labels, all of them."""
    not_labels: tuple[str, ...] = ()
    """Labels, none of them."""
    name: str = ""
    key: str = ""
    """Idempotency key."""
    ids: tuple[RunId, ...] = ()
    id_prefix: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: Sort = Sort()
    limit: Annotated[int, Interval(ge=1, le=1000)] = PAGE_LIMIT
    offset: Annotated[int, Ge(0)] = 0

    @property
    def is_filtered(self) -> bool:
        """True when any condition is set."""
        plain = RunQuery(sort=self.sort, limit=self.limit, offset=self.offset)
        return self != plain


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """A stretch of a list: rows `offset` … `offset + len(rows)` of about `total`."""

    rows: list[T]
    offset: int = 0
    total: int | None = None
    """Rows that match in all; None when it was not asked for."""
    total_is_exact: bool = True
    """False when counting stopped early and `total` is a lower bound."""
    unreadable: int = 0
    """Rows the server sent that no flow run could be made of."""

    @property
    def received(self) -> int:
        """Rows that the server sent, those that cannot be read too."""
        return len(self.rows) + self.unreadable


@dataclass(frozen=True, kw_only=True)
class Count:
    """A number of runs, or at least that many."""

    value: int
    is_exact: bool = True


RunPage = Page[FlowRun]


def is_end(received: int, offset: int, limit: int) -> bool:
    """True when rows that were asked for with `limit` at `offset` end a list: its length is known without counting."""
    return received < limit and (received > 0 or offset == 0)
