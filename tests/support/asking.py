"""One question by HTTP and one by websocket, under the settings of a profile."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from flowlatch.api.http import Link
from flowlatch.api.subscribe import subscribe
from flowlatch.config import Profile, Secret
from tests.support.server import ServerProcess

ANSWERS = {"http": "👋", "websocket": False}
"""Way → what the server answers."""


async def asked(server: ServerProcess, url: str, *, by: str, **settings: Any) -> Any:
    """Return what a server that is reached at `url` answers `by` HTTP or by websocket."""
    token = Secret(server.token) if server.token else None
    link = Link(Profile(name="asked", url=url, **settings), url, token=token)
    try:
        if by == "http":
            return (await link.post({"query": "{ hello }"}, is_read=False)).body["data"]["hello"]
        async with aclosing(subscribe(link, "subscription { flow_run_changes { resync } }", {})) as answers:
            answer = await anext(answers)
        return answer and answer["flow_run_changes"]["resync"]
    finally:
        await link.aclose()
