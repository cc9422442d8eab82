"""The little SQL that statements are put together from: rows under names of their own, and SELECT.

All text is made from names of our tables and places of operands (`:p0`); what a client sent is always bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from flowlatch.store import spelling
from flowlatch.store.spelling import Spelling
from flowlatch.store.tables import Table

TRUE, FALSE = "TRUE", "FALSE"


@dataclass(frozen=True)
class Row:
    """A row that a statement speaks of: a table under a name that nothing else in the statement has."""

    table: Table
    spelling: Spelling
    number: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    @property
    def name(self) -> str:
        """Its name in the statement."""
        return f"{self.table.name}_{self.number}"

    @property
    def source(self) -> str:
        """What stands in FROM."""
        return f"{self.table.name} AS {self.name}"

    def __getitem__(self, column: str) -> str:
        """Return a column of the row."""
        return f"{self.name}.{self.table.columns[column].name}"

    def beside(self, table: Table) -> Row:
        """Return a row of a table in the same statement."""
        return Row(table, self.spelling, next(self._numbers), self._numbers)


@dataclass(frozen=True)
class Select:
    """A SELECT; its text is `str()` of it."""

    columns: Sequence[str]
    source: str
    conditions: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: str | None = None
    offset: str | None = None

    def where(self, *conditions: str) -> Select:
        """Return it with more conditions."""
        return replace(self, conditions=(*self.conditions, *(one for one in conditions if one != TRUE)))

    def paged(self, limit: int | None, offset: int | None) -> Select:
        """Return it with the places of a limit and an offset."""
        return replace(self, limit=_bound(limit), offset=_bound(offset))

    def ordered(self, *keys: str) -> Select:
        """Return it in an order."""
        return replace(self, order=keys)

    def __str__(self) -> str:
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.source}{where}{_end(self.order, self.limit, self.offset)}"


@dataclass(frozen=True)
class Union:
    """Several SELECTs in one, each row once, in an order over their common columns."""

    parts: Sequence[Select]
    spelling: Spelling
    order: tuple[str, ...]
    limit: int | None
    offset: int | None

    def __str__(self) -> str:
        parts, order = [str(part) for part in self.parts], ", ".join(self.order)
        return self.spelling.best_of_each(parts, order, _bound(self.limit), _bound(self.offset))


def operand(place: int) -> str:
    """Return the parameter that holds an operand."""
    return f":p{place}"


def every(parts: Sequence[str]) -> str:
    """Return the condition that all of some hold; of none, true."""
    kept = [part for part in parts if part != TRUE]
    return f"({' AND '.join(kept)})" if len(kept) > 1 else kept[0] if kept else TRUE


def some(parts: Sequence[str]) -> str:
    """Return the condition that one of some holds; of none, false."""
    return f"({' OR '.join(parts)})" if len(parts) > 1 else parts[0] if parts else FALSE


def _bound(place: int | None) -> str | None:
    return None if place is None else operand(place)


def _end(order: Sequence[str], limit: str | None, offset: str | None) -> str:
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    return f"{ordered}{spelling.page(limit, offset)}"
