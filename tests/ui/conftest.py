"""What the tests of screens share: a dashboard with a flow of its own, and one on a list of five runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.support.dashboard import SMALL, Deck, dashboard
from tests.support.desk import PARAMETERS, Desk
from tests.support.server import ServerProcess
from tests.support.wire import Wire
from tests.support.yard import NAMES, Yard


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
def slow_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw three times a second, as on a machine that is busy. To be asked for before the dashboard is opened."""
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 1 / 3)


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


@pytest.fixture(scope="session")
def yard_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests of a process, one after the other; they may end it, what they made is deleted."""
    with ServerProcess(tmp_path_factory.mktemp("yard")) as server:
        yield server


@pytest.fixture
def yard(yard_server: ServerProcess) -> Yard:
    """Make the runs anew."""
    if not yard_server.is_alive:
        yard_server.restart()
    return Yard(yard_server)


@pytest.fixture
async def deck(yard: Yard, size: tuple[int, int]) -> AsyncIterator[Deck]:
    """Open the dashboard on the list."""
    async with dashboard(yard.server, size=size) as deck:
        await deck.shows(*NAMES)
        await deck.shows("1 All 5")
        yield deck
