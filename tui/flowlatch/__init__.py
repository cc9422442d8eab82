"""flowlatch: an operator's dashboard, server and client for workflow flow runs.

The public names are loaded on first use, so that `import flowlatch` costs nothing:

    from flowlatch import Client
    run_id = Client().create_flow_run(flow_id="…")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowlatch.version import __version__

if TYPE_CHECKING:
    from flowlatch.api.client import AsyncClient, Client
    from flowlatch.errors import (
        FlowlatchError,
        NotFound,
        OutcomeUnknown,
        ReadOnly,
        Rejected,
        Unauthorized,
        Unreachable,
        VersionConflict,
    )
    from flowlatch.model.query import RunQuery
    from flowlatch.model.run import FlowRun

_HOMES = {
    "Client": "flowlatch.api.client",
    "AsyncClient": "flowlatch.api.client",
    "FlowRun": "flowlatch.model.run",
    "RunQuery": "flowlatch.model.query",
    "FlowlatchError": "flowlatch.errors",
    "NotFound": "flowlatch.errors",
    "OutcomeUnknown": "flowlatch.errors",
    "ReadOnly": "flowlatch.errors",
    "Rejected": "flowlatch.errors",
    "Unauthorized": "flowlatch.errors",
    "Unreachable": "flowlatch.errors",
    "VersionConflict": "flowlatch.errors",
}

__all__ = [
    "AsyncClient",
    "Client",
    "FlowRun",
    "FlowlatchError",
    "NotFound",
    "OutcomeUnknown",
    "ReadOnly",
    "Rejected",
    "RunQuery",
    "Unauthorized",
    "Unreachable",
    "VersionConflict",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flowlatch' has no attribute {name!r}")
    return getattr(import_module(home), name)
