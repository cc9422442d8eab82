"""A PostgreSQL of their own for the tests of what only it has; the rest runs on it with `--postgres`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from flowlatch.store.postgres.store import PostgresStore, open_postgres
from tests.store.world import Clock, World
from tests.support.postgres import PostgresProcess

OpenWorld = Callable[..., Awaitable[World]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, so that `make test` leaves it out."""
    for item in items:
        if "tests/postgres" in str(item.path):
            item.add_marker("postgres")


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresProcess]:
    """One running cluster for all tests of this process; stop only your own."""
    with PostgresProcess() as started:
        yield started


@pytest.fixture
def url(cluster: PostgresProcess) -> str:
    """An empty database."""
    return cluster.new_database()


@pytest.fixture
async def open_world() -> AsyncIterator[OpenWorld]:
    """Return `open(url, clock=None, **options)`: another store on a database; all are closed after the test."""
    opened: list[World] = []

    async def make(url: str, clock: Clock | None = None, **options: Any) -> World:
        clock = clock or Clock()
        opened.append(World(await open_postgres(url, clock=clock, **options), clock))
        return opened[-1]

    yield make
    for world in opened:
        await world.store.close()


def store_of(world: World) -> PostgresStore:
    """Return the store of a world here."""
    assert isinstance(world.store, PostgresStore)
    return world.store
