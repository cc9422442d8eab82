"""What the tests of screens share: a dashboard on the shared server with a flow of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.dashboard import SMALL, dashboard
from tests.support.desk import PARAMETERS, Desk
from tests.support.server import ServerProcess
from tests.support.wire import Wire


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
async def flow_id(shared_wire: Wire) -> str:
    """A flow with three typed parameters."""
    return await asyncio.to_thread(shared_wire.create_flow, f"etl-{uuid4().hex[:8]}", PARAMETERS)


@pytest.fixture
async def desk(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str, size: tuple[int, int]
) -> AsyncIterator[Desk]:
    """A dashboard on the shared server."""
    async with dashboard(shared_server, size=size) as deck:
        yield Desk(deck, shared_wire, flow_id)
