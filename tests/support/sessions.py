"""A followed server without a screen: what the rooms below the screens need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from flowlatch.api.opener import open_backend
from flowlatch.config import load_settings, resolve
from flowlatch.live.session import Session
from flowlatch.secret import Secret
from tests.support.server import ServerProcess


@asynccontextmanager
async def session_on(
    server: ServerProcess, *, url: str | None = None, actor: str = "tester@here"
) -> AsyncIterator[Session]:
    """Yield a session that is online on `server`; `url` leads there another way."""
    token = Secret(server.token) if server.token else None
    target = resolve(load_settings(), server=url or server.url, token=token, actor=actor)
    session = Session(target, lambda: open_backend(target), zone="Europe/Berlin")
    following = asyncio.create_task(session.run())
    try:
        await asyncio.wait_for(session.connected(), 15)
        yield session
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
