"""What ends a read before its time, in the words that every database has for it."""

from __future__ import annotations

from flowlatch.store.base import Refusal


def too_large() -> Refusal:
    """Return the refusal of an answer that has too many bytes."""
    return Refusal("LIMIT", "the answer is too large: ask for fewer rows with limit and offset, or for fewer fields")


def too_slow() -> Refusal:
    """Return the refusal of a query that took too long."""
    return Refusal("LIMIT", "the query took too long and was stopped: ask for fewer rows or add a filter")
