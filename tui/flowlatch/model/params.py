"""Parameters as text: what kind each one is, how its text becomes a value, and JSON objects read with care.

Pure; the typed form and `--param name=value` read the same way. Source of the limits: reliability.md §3.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime
from typing import Any

from flowlatch.errors import BadInput
from flowlatch.model.run import Parameter

MAX_JSON_BYTES = 1024 * 1024
MAX_DEPTH = 64
ANY = "any"
"""Kind of a parameter without annotation and without a telling default: JSON, else plain text."""
_KINDS = {"str", "int", "float", "bool", "date", "datetime", "json", ANY}
_BY_DEFAULT: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "str", list: "json", dict: "json"}
_INTEGER = re.compile(r"[+-]?\d{1,4000}")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
EXPECTED = {
    "int": "expected an integer, e.g. 10",
    "float": "expected a number, e.g. 0.5",
    "bool": "expected true or false",
    "date": "expected a date, e.g. 2026-12-01",
    "datetime": "expected date and time, e.g. 2026-12-01T09:00:00Z",
    "json": "expected JSON, e.g. [1, 2]",
}
_SECRET = re.compile(
    r"password|passwd|secret|token|credential|auth(?!ors?\b)|(?<![a-z])key(?![a-z])|api_?key|access_?key|private_?key",
    re.IGNORECASE,
)
_NO_SECRET = frozenset({"idempotency_key", "cache_key"})
"""Keys that identify and open nothing."""
MASK = "***"
"""Stands for a value that is not shown."""


def kind_of(parameter: Parameter) -> str:
    """Return the kind: `str int float bool date datetime json any`, or `choice` for an annotation such as `a|b|c`."""
    annotation = (parameter.annotation or "").strip()
    if "|" in annotation:
        return "choice"
    if annotation in _KINDS:
        return annotation
    return _BY_DEFAULT.get(type(parameter.default), ANY)


def choices_of(parameter: Parameter) -> list[str]:
    """Return the values of a `choice`, empty for any other kind."""
    return [word for word in (parameter.annotation or "").split("|") if word] if kind_of(parameter) == "choice" else []


def is_secret(name: str) -> bool:
    """True when a parameter's name says that its value should not be shown (reliability.md §7)."""
    return name.lower() not in _NO_SECRET and bool(_SECRET.search(name))


def redacted(value: Any) -> Any:
    """Return a JSON value with each part whose name says that it is secret replaced by `***`; the value stays as it is.

    Walks without recursion, as deep as the value goes.
    """
    root: list[Any] = [value]
    waiting: list[tuple[list[Any] | dict[str, Any], Any]] = [(root, 0)]
    while waiting:
        holder, place = waiting.pop()
        part = holder[place]
        if isinstance(part, dict):
            copy: dict[str, Any] = {
                key: MASK if is_secret(str(key)) and item not in (None, "", [], {}) else item
                for key, item in part.items()
            }
            holder[place] = copy
            waiting.extend((copy, key) for key, item in copy.items() if isinstance(item, dict | list))
        elif isinstance(part, list):
            items = list(part)
            holder[place] = items
            waiting.extend((items, index) for index, item in enumerate(items) if isinstance(item, dict | list))
    return root[0]


def read_value(parameter: Parameter, text: str) -> Any:
    """Return the value that `text` stands for. Raises `BadInput` with the allowed form, without the name.

    Text that begins with a double quote is a JSON string, so that every string can be written.
    """
    kind = kind_of(parameter)
    bare = text.strip()
    match kind:
        case "str":
            return _string(text)
        case "choice":
            if text not in choices_of(parameter):
                raise BadInput("expected one of " + ", ".join(choices_of(parameter)))
            return text
        case "int" if _INTEGER.fullmatch(bare) and bare.isascii():
            return int(bare)
        case "float" if _FLOAT.fullmatch(bare) and bare.isascii() and math.isfinite(float(bare)):
            return float(bare)
        case "bool" if bare.lower() in ("true", "false", "yes", "no"):
            return bare.lower() in ("true", "yes")
        case "date" if _is_date(bare) or _is_datetime(bare):
            return bare
        case "datetime" if _is_datetime(bare):
            return bare
        case "json":
            return read_json(bare, EXPECTED["json"])
        case "any":
            return _any(text, bare)
    raise BadInput(EXPECTED[kind])


def show_value(value: Any, parameter: Parameter | None = None) -> str:
    """Return the text that `read_value` turns into `value` again; one line, printable."""
    kind = kind_of(parameter) if parameter else ANY
    if isinstance(value, str):
        plain = value.isprintable() and not value.startswith('"') and value != ""
        if plain and kind != "json" and not (kind == ANY and _is_meant_as_json(value.strip())):
            return value
        return json.dumps(value)
    return json.dumps(value, ensure_ascii=not _is_printable(value))


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object that `text` is. Raises `BadInput`: where, what, allowed form."""
    value = read_json(text, 'expected a JSON object, e.g. {"day": "2026-12-01"}')
    if not isinstance(value, dict):
        raise BadInput('expected a JSON object, e.g. {"day": "2026-12-01"}')
    return value


def read_json(text: str, expected: str) -> Any:
    """Read JSON exactly: no NaN, no lone surrogates, no NUL, at most 64 deep and 1 MB. Raises `BadInput`."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_JSON_BYTES:
        raise BadInput("over 1 MB; expected less")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadInput(f"line {error.lineno}, column {error.colno}: {error.msg.lower()}; {expected}") from error
    except RecursionError as error:
        raise BadInput(f"nested deeper than {MAX_DEPTH}") from error
    except ValueError as error:
        raise BadInput(str(error) if "NaN" in str(error) else f"a number has too many digits; {expected}") from error
    _check(value)
    return value


def _check(value: Any) -> None:
    """Refuse what a store or an encoder would fail on later; walks without recursion."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise BadInput(f"nested deeper than {MAX_DEPTH}")
        if isinstance(part, str):
            check_text(part)
        elif isinstance(part, dict):
            waiting.extend((key, depth) for key in part)
            waiting.extend((item, depth + 1) for item in part.values())
        elif isinstance(part, list):
            waiting.extend((item, depth + 1) for item in part)


def check_text(text: str) -> None:
    """Raise `BadInput` for text that no store keeps: NUL and unpaired surrogates (reliability.md §3)."""
    if "\x00" in text:
        raise BadInput("the character NUL cannot be stored")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise BadInput("half a surrogate pair cannot be stored")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed (NaN and Infinity are no JSON)")


def _string(text: str) -> str:
    if not text.startswith('"'):
        check_text(text)
        return text
    value = read_json(text.strip(), 'text that begins with " is a JSON string, e.g. "a\\nb"')
    if not isinstance(value, str):
        raise BadInput('text that begins with " is a JSON string, e.g. "a\\nb"')
    return value


def _any(text: str, bare: str) -> Any:
    if _is_meant_as_json(bare):
        return read_json(bare, EXPECTED["json"])
    check_text(text)
    return text


def _is_meant_as_json(bare: str) -> bool:
    """True also for what begins like JSON and is none: a forgotten bracket is told, not taken for text."""
    return bare.startswith(('"', "{", "[")) or _reads_as_json(bare)


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_datetime(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) > 10


def _is_printable(value: Any) -> bool:
    return json.dumps(value, ensure_ascii=False).isprintable()
