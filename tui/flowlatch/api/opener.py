"""Open a connection to the server that was asked for, whatever kind it is."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from flowlatch.api.backend import Backend
from flowlatch.api.embedded import find_or_start, token_of
from flowlatch.api.graphql import GraphQLBackend
from flowlatch.api.http import TOTAL_S, Link
from flowlatch.config import Target, places
from flowlatch.errors import ForeignServer
from flowlatch.text import one_line


async def open_backend(target: Target, *, data: Path | None = None, timeout_s: float = TOTAL_S) -> Backend:
    """Return a connected backend; the embedded server is found, or started, when the profile has no URL.

    `data` is the embedded server's directory, by default the one of `places()`. Raises `BackendError`, `ConfigError`.
    """
    profile, token = target.profile, target.token
    url = profile.url
    if profile.kind == "prefect3":
        raise ForeignServer(
            f"{one_line(url or profile.name, 120)}: Prefect 3 servers cannot be reached by this version"
        )
    if url is None:
        info = await find_or_start(data or places().data)
        url, token = info.url, token or token_of(info)
    link = Link(profile, url, token=token, actor=target.actor, timeout_s=timeout_s)
    backend = GraphQLBackend(profile, link, has_auth=token is not None)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(backend.aclose)
        await backend.connect()
        undo.pop_all()
    return backend
