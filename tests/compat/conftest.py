"""One server, one client environment and one agent for all compat tests; skipped with the reason where it cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.prefect1 import Agent, Prefect1, install
from tests.support.foreign_env import CannotInstall
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire

FLOWS = ("success", "failure", "retry", "mapped", "long", "steps", "parent", "undeployable", "logs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that `make test` leaves it out, and keep it in one worker."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.compat)
            item.add_marker(pytest.mark.xdist_group("compat"))


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The Python of an environment with the real client."""
    try:
        return install()
    except CannotInstall as error:
        pytest.skip(f"the Prefect 1 client DID NOT RUN against our server: {error}")


@pytest.fixture(scope="session")
def compat_server(client_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server as Prefect 1 users start it."""
    with ServerProcess(tmp_path_factory.mktemp("compat-server"), "--no-auth") as server:
        yield server


@pytest.fixture(scope="session")
def wire(compat_server: ServerProcess) -> Wire:
    """A plain connection to that server, to see what really is in it."""
    return compat_server.wire()


@pytest.fixture(scope="session")
def user(client_python: Path, compat_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Prefect1:
    """A Prefect 1 user of that server."""
    return Prefect1(client_python, compat_server, tmp_path_factory.mktemp("prefect-home"))


@pytest.fixture(scope="session")
def flows(user: Prefect1) -> dict[str, str]:
    """The ids of the registered flows by name."""
    return user.register(*FLOWS)


@pytest.fixture(scope="session")
def agent(user: Prefect1, wire: Wire) -> Iterator[Agent]:
    """A running local agent without labels."""
    with user.agent() as agent:
        eventually(
            lambda: wire.data("{ agent(where: {last_queried: {_is_null: false}}) { id } }")["agent"],
            deadline_s=60,
            what="the agent asks for work",
        )
        yield agent
