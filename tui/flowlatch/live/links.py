"""Where a run's page is in a browser, for the servers that have pages."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from flowlatch.api.backend import Kind
from flowlatch.live.session import Session
from flowlatch.model.run import RunId

PREFECT1_UI_PORT = 8080
"""The pages of a Prefect 1 server are beside its API, on this port (its API is on 4200)."""


def run_link(session: Session, run_id: RunId) -> str | None:
    """Return the address of a run's page, http or https only; None for a server without pages, as ours is."""
    capabilities = session.capabilities
    parts = urlsplit(session.url)
    if capabilities is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    where = quote(run_id, safe="")
    match capabilities.kind:
        case Kind.PREFECT3:
            base = parts.path.rstrip("/").removesuffix("/api")
            return urlunsplit((parts.scheme, parts.netloc, f"{base}/runs/flow-run/{where}", "", ""))
        case Kind.PREFECT1:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            place = f"{host}:{PREFECT1_UI_PORT}" if parts.port == 4200 else parts.netloc
            return urlunsplit((parts.scheme, place, f"/default/flow-run/{where}", "", ""))
        case Kind.FLOWLATCH:
            return None
