"""Fixtures for the tests of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A real store in a new directory, with a clock that stands still."""
    world = await World.open(tmp_path)
    yield world
    await world.store.close()
