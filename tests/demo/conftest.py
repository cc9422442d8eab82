"""A connection as an actor of the demo has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Target
from tests.support.server import ServerProcess


@pytest.fixture
async def backend(server: ServerProcess) -> AsyncIterator[Backend]:
    """A connection of `worker ops-1` to the fresh server."""
    opened = await open_backend(Target(Profile(name="demo"), None, "worker ops-1"), data=server.data)
    yield opened
    await opened.aclose()
