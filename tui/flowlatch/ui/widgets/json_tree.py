"""A JSON value as lines that fold, with secrets masked by the name they stand under. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flowlatch.model.params import MASK, is_secret
from flowlatch.text import clean, one_line
from flowlatch.ui.format import foreign

STRING_LIMIT = 2_000
"""Characters of a string on its line; copying takes all of it."""
ROW_LIMIT = 200_000
"""Lines at most; a value of the 1 MB that a server accepts stays far below."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One line: a scalar, a folded container, or the opening or closing line of an open one."""

    path: Path
    depth: int
    name: str
    """The key as it is shown, quoted; empty in a list and at the root."""
    text: str
    look: str
    end: str = ""
    """What follows: a comma, or nothing."""
    note: str = ""
    """For a folded container: how much is in it."""
    is_container: bool = False
    is_masked: bool = False


def nodes(value: Any, folded: set[Path], *, revealed: bool = False) -> list[Node]:
    """Return the lines of a value. A container whose path is in `folded` is one line."""
    found: list[Node] = []
    for node in _walk(value, folded, revealed):
        found.append(node)
        if len(found) >= ROW_LIMIT:
            found.append(Node((), 0, "", f"… more than {ROW_LIMIT} lines; copy or export the whole", "muted"))
            break
    return found


def _walk(root: Any, folded: set[Path], revealed: bool) -> Iterator[Node]:
    """Yield the lines in order, without recursion: a hostile value may be nested as deep as it likes."""
    waiting: list[tuple[Path, str, Any, bool, bool] | Node] = [((), "", root, True, False)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Node):
            yield item
            continue
        path, name, value, is_last, is_secret_here = item
        end = "" if is_last else ","
        depth = len(path)
        if is_secret_here and not revealed and value not in (None, "", [], {}):
            yield Node(path, depth, name, f'"{MASK}"', "cancelled", end, is_masked=True)
        elif isinstance(value, dict | list) and value:
            brackets = "{}" if isinstance(value, dict) else "[]"
            if path in folded:
                note = f"{len(value)} {'keys' if isinstance(value, dict) else 'items'}"
                yield Node(path, depth, name, f"{brackets[0]}…{brackets[1]}", "", end, note, is_container=True)
                continue
            yield Node(path, depth, name, brackets[0], "", is_container=True)
            waiting.append(Node(path, depth, "", brackets[1], "", end))
            waiting.extend(reversed(list(_children(path, value, is_secret_here))))
        else:
            text, look = scalar(value)
            yield Node(path, depth, name, text, look, end)


def _children(path: Path, value: Any, is_secret_here: bool) -> Iterator[tuple[Path, str, Any, bool, bool]]:
    last = len(value) - 1
    if isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            name = one_line(json.dumps(str(key), ensure_ascii=False), 200)
            yield (*path, str(key)), name, item, index == last, is_secret_here or is_secret(str(key))
    else:
        for index, item in enumerate(value):
            yield (*path, index), "", item, index == last, is_secret_here


def scalar(value: Any) -> tuple[str, str]:
    """Return a value without children as text and the name of its look."""
    if isinstance(value, str):
        text = clean(json.dumps(value[:STRING_LIMIT], ensure_ascii=False), STRING_LIMIT * 6)
        if len(value) > STRING_LIMIT:
            text = f'{text[:-1]}…" ({len(value)} characters)'
        return text, "success"
    if value is None or isinstance(value, bool):
        return json.dumps(value), "meta"
    if isinstance(value, int | float):
        return one_line(_number(value), STRING_LIMIT), "running"
    if value in ({}, []):
        return json.dumps(value), ""
    return foreign(value).plain, ""


def _number(value: float) -> str:
    try:
        return json.dumps(value)
    except ValueError:
        return f"{value:#x}"


def at(value: Any, path: Path) -> Any:
    """Return the part of a value at a path; None when there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def containers(value: Any, *, below: int = 1) -> set[Path]:
    """Return the paths of all containers at this depth or deeper."""
    found: set[Path] = set()
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, part = waiting.pop()
        if not isinstance(part, dict | list) or not part:
            continue
        if len(path) >= below:
            found.add(path)
        items = part.items() if isinstance(part, dict) else enumerate(part)
        waiting.extend(((*path, step if isinstance(step, int) else str(step)), item) for step, item in items)
    return found
