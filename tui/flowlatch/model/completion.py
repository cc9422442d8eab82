"""What could come next in a filter text (`filter.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flowlatch.model.filter import FAMILIES, FIELDS, LATE
from flowlatch.model.state import StateType

TIMES = ("15m", "1h", "2h", "8h", "24h", "7d", "today", "yesterday")
LIMIT = 8


@dataclass(frozen=True)
class Completion:
    """One way to go on: what to show, and the whole text it makes with the cursor behind the word."""

    word: str
    text: str
    cursor: int


def complete_filter(
    text: str, cursor: int, *, flows: Sequence[str] = (), labels: Sequence[str] = (), limit: int = LIMIT
) -> list[Completion]:
    """Return completions of the word the cursor stands behind; none inside free text that is no field's beginning.

    `flows` and `labels` are the names known so far.
    """
    start = _word_start(text, cursor)
    word = text[start:cursor]
    sign = "-" if word.startswith("-") else ""
    name, colon, value = word[len(sign) :].partition(":")
    if not colon:
        found = [f"{sign}{field}:" for field in FIELDS if word and field.startswith(name.lower()) and name]
        return [_made(text, start, cursor, whole) for whole in found][:limit]
    before, comma, last = value.rpartition(",")
    words = _values(name.lower(), flows, labels)
    hits = _ranked(words, last)
    return [_made(text, start, cursor, f"{sign}{name}:{before}{comma}{_quoted(hit)}") for hit in hits if hit != last][
        :limit
    ]


def _values(field: str, flows: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
    match field:
        case "state":
            return (*FAMILIES, LATE, *(str(kind) for kind in StateType if str(kind).lower() not in FAMILIES))
        case "flow":
            return flows
        case "label":
            return labels
        case "since" | "until":
            return TIMES
        case _:
            return ()


def _ranked(words: Iterable[str], typed: str) -> list[str]:
    """Those that begin with what was typed first, then those that hold it."""
    lower = typed.lower().strip('"')
    unique = list(dict.fromkeys(words))
    begin = [word for word in unique if word.lower().startswith(lower)]
    return begin + [word for word in unique if lower and lower in word.lower() and word not in begin]


def _word_start(text: str, cursor: int) -> int:
    """Where the word that ends at the cursor begins; a quoted stretch is one word."""
    start = 0
    for found in re.finditer(r"""(?:"[^"]*"?|[^\s"])+|\s+""", text[:cursor]):
        start = found.end() if found[0].isspace() else found.start()
    return start


def _made(text: str, start: int, cursor: int, word: str) -> Completion:
    whole = text[:start] + word + text[cursor:]
    return Completion(word, whole, start + len(word))


def _quoted(text: str) -> str:
    return f'"{text}"' if re.search(r"\s", text) else text
