"""One real Prefect 3 server for all tests here; skipped with the reason where it cannot be."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Secret, Target
from flowlatch.profile import checked_profile
from tests.prefect3.server import Prefect3Server, prefect_python
from tests.support.foreign_env import CannotInstall


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that `make test` leaves it out, and keep it in one worker."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.compat)
            item.add_marker(pytest.mark.xdist_group("prefect3"))


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with the real server."""
    try:
        return prefect_python()
    except CannotInstall as error:
        pytest.skip(f"the dashboard DID NOT RUN against a real Prefect 3: {error}")


@pytest.fixture(scope="session")
def prefect3(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect3Server]:
    """A server as it is started by hand."""
    with Prefect3Server(python, tmp_path_factory.mktemp("prefect3")) as server:
        yield server


def target_of(url: str, *, token: Secret | None = None, **profile: object) -> Target:
    """Return a target of that address."""
    return Target(profile=checked_profile({"name": "p3", "url": url, "poll_s": 1, **profile}), token=token, actor="me")


@pytest.fixture
async def backend(prefect3: Prefect3Server) -> AsyncIterator[Backend]:
    """A connected backend, opened by the address that a browser uses."""
    backend = await open_backend(target_of(prefect3.address))
    yield backend
    await backend.aclose()


@pytest.fixture
def deployment(prefect3: Prefect3Server) -> str:
    """The id of a fresh deployment."""
    return prefect3.deployment()
