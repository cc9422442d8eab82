"""Meta queries: what the server says of itself. Source: contract.md §1.5 and §4.1."""

from __future__ import annotations

from functools import cache
from typing import Any

from flowlatch.model.state_type import PARENTS, StateType
from flowlatch.version import __version__

CORE_VERSION = "1.4.1"
"""The version of Prefect 1 whose contract is kept: clients compare their own with it."""

_COLOURS = {
    "Pending": "#7ebdff",
    "Scheduled": "#ffab00",
    "Paused": "#99a8e8",
    "Resume": "#f58c0c",
    "Retrying": "#f66a0a",
    "Submitted": "#ffdf5d",
    "Queued": "#ffea7f",
    "ClientFailed": "#eb0000",
    "Running": "#3d67ff",
    "Cancelling": "#E8E8E8",
    "Finished": "#003ccb",
    "Looped": "#003ccb",
    "Success": "#28a745",
    "Cached": "#34d058",
    "Mapped": "#003ccb",
    "Skipped": "#62757f",
    "Cancelled": "#bdbdbd",
    "Failed": "#eb0000",
    "TimedOut": "#ff4e33",
    "TriggerFailed": "#ff5131",
    "ValidationFailed": "#ff5131",
}


def api(server_id: str, window_s: float, read_only: bool, now: str) -> dict[str, Any]:
    """Return `api`."""
    return {
        "backend": "SERVER",
        "mode": "normal",
        "version": __version__,
        "core_version": CORE_VERSION,
        "release_timestamp": None,
        "capabilities": {
            "server_id": server_id,
            "locking": "enforced",
            "idempotency_window_s": window_s,
            "read_only": read_only,
            "now": now,
        },
    }


@cache
def reference_data() -> dict[str, Any]:
    """Return `reference_data`: state → itself and all its descendants, and the colours of states."""
    hierarchy: dict[str, list[str]] = {str(kind): [] for kind in StateType}
    for kind in StateType:
        ancestor: StateType | None = kind
        while ancestor is not None:
            hierarchy[ancestor].append(str(kind))
            ancestor = PARENTS[ancestor]
    hierarchy["State"] = [str(kind) for kind in StateType]
    return {
        "state_hierarchy": hierarchy,
        "state_info": {name: {"color": colour} for name, colour in _COLOURS.items()},
    }
