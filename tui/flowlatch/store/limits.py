"""What ends a read before its time, in the words that every database has for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowlatch.store.base import Refusal


def too_large() -> Refusal:
    """Return the refusal of an answer that has too many bytes."""
    return Refusal("LIMIT", "the answer is too large: ask for fewer rows with limit and offset, or for fewer fields")


def within(limit_bytes: int, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows whose texts have so many bytes at most. Raises `too_large` as soon as there are more."""
    kept, size = [], 0
    for row in rows:
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > limit_bytes:
            raise too_large()
        kept.append(row)
    return kept


def too_slow() -> Refusal:
    """Return the refusal of a query that took too long."""
    return Refusal("LIMIT", "the query took too long and was stopped: ask for fewer rows or add a filter")
