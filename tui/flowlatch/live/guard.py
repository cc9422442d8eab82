"""A backend that refuses to write while writing is switched off, whatever key or command asked (ux.md row 73)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flowlatch.api.backend import Backend
from flowlatch.errors import ReadOnly

WRITES = frozenset(
    {
        "create_run",
        "set_state",
        "cancel_run",
        "delete_run",
        "rename_run",
        "set_labels",
        "create_flow",
        "archive_flow",
        "set_schedule_active",
        "graphql",
    }
)
"""The methods of `Backend` that can change something on the server."""


class _Guard:
    def __init__(self, backend: Backend, why_read_only: Callable[[], str | None]) -> None:
        self._backend = backend
        self._why = why_read_only

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._backend, name)
        if name not in WRITES:
            return inner

        async def write(*args: Any, **kwargs: Any) -> Any:
            reason = self._why()
            if reason:
                raise ReadOnly(reason)
            return await inner(*args, **kwargs)

        return write


def guarded(backend: Backend, why_read_only: Callable[[], str | None]) -> Backend:
    """Return `backend` with every write raising `ReadOnly` while `why_read_only()` gives a reason."""
    return cast(Backend, _Guard(backend, why_read_only))
