"""Open a connection to the server that was asked for, whatever kind it is."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path

from flowlatch.api.backend import Backend
from flowlatch.api.embedded import find_or_start, token_of
from flowlatch.api.graphql import GraphQLBackend
from flowlatch.api.http import TOTAL_S, Link
from flowlatch.config import Profile, Secret, Target, places
from flowlatch.errors import ForeignServer


async def open_backend(target: Target, *, data: Path | None = None, timeout_s: float = TOTAL_S) -> Backend:
    """Return a connected backend; the embedded server is found, or started, when the profile has no URL.

    `data` is the embedded server's directory, by default the one of `places()`. Raises `BackendError`, `ConfigError`.
    """
    profile, token = target.profile, target.token
    url = profile.url
    if url is None:
        info = await find_or_start(data or places().data)
        url, token = info.url, token or token_of(info)
    if profile.kind == "prefect3" or (profile.kind == "auto" and url.endswith("/api")):
        return await _connected(_prefect3(profile, _link(profile, url, target, token, timeout_s), token))
    link = _link(profile, url, target, token, timeout_s)
    try:
        return await _connected(GraphQLBackend(profile, link, has_auth=token is not None))
    except ForeignServer:
        if profile.kind != "auto" or url.count("/") > 2:
            raise
        try:  # the address of a Prefect 3 server as its users know it from the browser
            return await _connected(_prefect3(profile, _link(profile, url, target, token, timeout_s), token))
        except ForeignServer:
            pass
        raise


def _link(profile: Profile, url: str, target: Target, token: Secret | None, timeout_s: float) -> Link:
    return Link(profile, url, token=token, actor=target.actor, timeout_s=timeout_s)


def _prefect3(profile: Profile, link: Link, token: Secret | None) -> Backend:
    """Return a backend, imported only where it is needed."""
    backend: Backend = import_module("flowlatch.api.prefect3.backend").Prefect3Backend(
        profile, link, has_auth=token is not None
    )
    return backend


async def _connected(backend: Backend) -> Backend:
    async with AsyncExitStack() as undo:
        undo.push_async_callback(backend.aclose)
        await backend.connect()
        undo.pop_all()
    return backend
