"""Versions of runs for eyes: counted ones as they are, those that stand for a moment by a short mark."""

from __future__ import annotations

_COUNTED = 10**12
"""Nothing counts so far; a version above is the time of a state in microseconds (servers that count no versions)."""
_MARK = 16**3


def version_label(version: int) -> str:
    """Return `v7`; for a version that is a moment `#` and three digits that tell it from the ones before it."""
    return f"v{version}" if version < _COUNTED else f"#{version % _MARK:03x}"


def next_version_label(version: int) -> str:
    """Return what the version after this one will be: `v8`, or `new` where it cannot be told."""
    return f"v{version + 1}" if version < _COUNTED else "new"
