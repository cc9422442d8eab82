"""What SQLite is taught: functions and pattern forms in which it would differ from the wire contract otherwise."""

from __future__ import annotations

import json
import re
import sqlite3
from functools import lru_cache
from typing import Any

_DAY_US = 86_400_000_000


def interval_text(us: int | None) -> str | None:
    """Return an interval of microseconds in PostgreSQL's form: `00:01:02.5`, `1 day 02:00:00`; None stays None."""
    if us is None:
        return None
    days, rest = divmod(abs(us), _DAY_US)
    seconds, fraction = divmod(rest, 1_000_000)
    sign = "-" if us < 0 else ""
    day_part = f"{sign}{days} day{'' if days == 1 and not sign else 's'} " if days else ""
    clock = f"{sign if rest else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return day_part + clock + (f".{fraction:06}".rstrip("0") if fraction else "")


def _tokens(pattern: str) -> list[tuple[str, bool]]:
    r"""Split a LIKE pattern into (character, is wildcard); `\` takes the meaning from the next character."""
    tokens: list[tuple[str, bool]] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            tokens.append((next(characters, "\\"), False))
        else:
            tokens.append((character, character in "%_"))
    return tokens


def like_to_glob(pattern: str) -> str:
    r"""Return a LIKE pattern (`%`, `_`, escaped by `\`) as a GLOB one, which tells case apart."""
    return "".join(
        {"%": "*", "_": "?"}[character] if wild else f"[{character}]" if character in "*?[" else character
        for character, wild in _tokens(pattern)
    )


@lru_cache(maxsize=256)
def _expression(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = ({"%": ".*", "_": "."}[c] if wild else re.escape(c) for c, wild in _tokens(pattern))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _like(pattern: str | None, value: str | None) -> int | None:
    if pattern is None or value is None:
        return None
    return int(_expression(pattern, False).fullmatch(value) is not None)


def _ilike(pattern: str | None, value: str | None) -> int | None:
    if pattern is None or value is None:
        return None
    return int(_expression(pattern, True).fullmatch(value) is not None)


def register(connection: sqlite3.Connection) -> None:
    r"""Give a connection the functions `flowlatch_interval(us)`, `flowlatch_like(pattern, value)` and
    `flowlatch_ilike(pattern, value)`.

    Both patterns know `%`, `_` and the escape `\`; null in, null out. `GLOB` with `like_to_glob` is quicker than
    `flowlatch_like`, and SQLite's `LIKE … ESCAPE '\'` quicker than `flowlatch_ilike` for ASCII patterns.
    """
    connection.create_function("flowlatch_interval", 1, interval_text, deterministic=True)
    connection.create_function("flowlatch_like", 2, _like, deterministic=True)
    connection.create_function("flowlatch_ilike", 2, _ilike, deterministic=True)
    connection.create_function("flowlatch_json_key", 1, _json_key, deterministic=True)
    connection.create_function("flowlatch_json_contains", 2, _json_contains, deterministic=True)
    connection.create_function("flowlatch_json_has_keys", 3, _json_has_keys, deterministic=True)
    connection.create_function("flowlatch_json_in", 2, _json_in, deterministic=True)


# ---- JSON ----------------------------------------------------------------------------------------------------------


def _json_key(text: str | None) -> str | None:
    """Return JSON in one form, so that equal values are equal text: keys in order, no spaces."""
    return None if text is None else json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def _contains(whole: Any, part: Any, *, top: bool = True) -> bool:
    """Return whether `part` is within `whole` by PostgreSQL's rules for `@>`: an array contains a bare scalar."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _contains(whole[key], value, top=False) for key, value in part.items())
    if isinstance(whole, list):
        if isinstance(part, list):
            return all(any(_contains(item, wanted, top=False) for item in whole) for wanted in part)
        return top and not isinstance(part, dict) and any(_same(item, part) for item in whole)
    return not isinstance(part, dict | list) and _same(whole, part)


def _same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _json_contains(whole: str | None, part: str | None) -> int | None:
    if whole is None or part is None:
        return None
    return int(_contains(json.loads(whole), json.loads(part)))


def _json_has_keys(whole: str | None, keys: str | None, every: int) -> int | None:
    if whole is None or keys is None:
        return None
    value = json.loads(whole)
    held = value if isinstance(value, dict | list) else [value]
    found = [key in held for key in json.loads(keys)]
    return int(all(found) if every else any(found))


def _json_in(value: str | None, choices: str | None) -> int | None:
    if value is None or choices is None:
        return None
    return int(_json_key(value) in [_json_key(json.dumps(choice)) for choice in json.loads(choices)])
