"""Values from outside, checked against the types their dataclasses declare, and values turned into plain JSON.

The values themselves are plain dataclasses: a start that reads nothing from outside needs no pydantic (performance.md
§5), so whoever is on its path imports this module where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

__all__ = ["ValidationError", "dumped", "validated"]

T = TypeVar("T")


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what reads and writes values of a type; making it costs more than its use."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def validated(kind: type[T], content: Mapping[str, Any] | bytes) -> T:
    """Return the value that fields by name, or a JSON object as bytes, stand for. Raises `ValidationError`."""
    adapter: TypeAdapter[T] = _adapter(kind)
    return adapter.validate_json(content) if isinstance(content, bytes) else adapter.validate_python(dict(content))


def dumped(value: Any, *, exclude_defaults: bool = False, exclude: set[str] | None = None) -> dict[str, Any]:
    """Return a value's fields ready for JSON: times as text, enumerations as their words."""
    made: dict[str, Any] = _adapter(type(value)).dump_python(
        value, mode="json", exclude_defaults=exclude_defaults, exclude=exclude
    )
    return made
