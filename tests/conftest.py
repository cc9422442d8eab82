"""Fixtures for all tests: real servers, plain connections, an environment without the user's own settings."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import textual._wait
from hypothesis import HealthCheck, settings

from tests.support.nursery import Nursery
from tests.support.postgres import PostgresProcess
from tests.support.server import ServerProcess
from tests.support.wire import Wire

# A Pilot looks twice for each key whether the app has come to rest, every 20 ms: that was half of all the time of the
# tests of screens. What a key leads to is waited for by its condition anyway.
textual._wait.SLEEP_GRANULARITY, textual._wait.SLEEP_IDLE = 0.004, 0.001

# What a script starts in its background ignores SIGINT, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Half a million objects last as long as the process: modules, collected tests. To look at each for garbage again and
# again took a fifth of all the time.
gc.disable()

# A busy machine draws examples slowly: that is no fault of what is tested.
settings.register_profile("busy machine", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("busy machine")

FOREIGN = ("NO_COLOR", "FORCE_COLOR", "SSH_CONNECTION", "SSH_TTY", "TMUX", "COLUMNS", "LINES")
"""What changes how a program looks, by where the tests are run; parallel test processes have COLUMNS and LINES set."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`: the loops that end and start processes run as often as `reliability.md` §9 asks."""
    parser.addoption("--long", action="store_true", help="kill loops and the like in full length")
    parser.addoption("--postgres", action="store_true", help="every server and store keeps its runs in PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what one process must do alone, so that the others do not wait for it at the end.

    With `--postgres` the tests of what only SQLite has are left out.
    """
    if config.getoption("--postgres"):
        left_out = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def pytest_collection_finish() -> None:
    """Leave all that is there now out of the collector's sight, and look less often after what tests make."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)
    gc.enable()


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Return `rounds(short, long)`: how often a loop runs, by `--long`."""
    is_long = bool(request.config.getoption("--long"))
    return lambda short, long: long if is_long else short


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that makes an empty directory; `mktemp` reads all of thousands of names for each one."""
    above, numbers = tmp_path_factory.mktemp("homes"), count()

    def make() -> Path:
        directory = above / f"home{next(numbers)}"
        directory.mkdir(mode=0o700)
        return directory

    return make


@pytest.fixture(autouse=True)
def home(new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own FLOWLATCH_HOME and nothing of the user's settings and terminal; return that directory."""
    for name in [*os.environ]:
        if name.startswith("FLOWLATCH_") or name in FOREIGN:
            monkeypatch.delenv(name)
    directory = new_home()
    monkeypatch.setenv("FLOWLATCH_HOME", str(directory))
    return directory


@pytest.fixture(scope="session", autouse=True)
def postgres(request: pytest.FixtureRequest) -> Iterator[None]:
    """With `--postgres`: a cluster for all tests of this process, with a database for each data directory."""
    if not request.config.getoption("--postgres"):
        yield
        return
    with PostgresProcess() as started:
        PostgresProcess.current = started
        yield
        PostgresProcess.current = None


@pytest.fixture(scope="session", autouse=True)
def nursery() -> Iterator[None]:
    """Fork the servers of this process instead of loading them anew for each."""
    ServerProcess.nursery = Nursery()
    yield
    ServerProcess.nursery.close()
    ServerProcess.nursery = None


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One running server for all tests of this process: make your own flows in it, never stop it."""
    with ServerProcess(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def shared_wire(shared_server: ServerProcess) -> Wire:
    """A plain connection to the shared server."""
    return shared_server.wire()


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServerProcess]]:
    """Return `start(*options, env=None)`: a fresh server on a directory of its own, ended after the test."""
    started: list[ServerProcess] = []

    def start(*options: str, env: dict[str, str] | None = None) -> ServerProcess:
        server = ServerProcess(tmp_path_factory.mktemp("server"), *options, env=env)
        started.append(server)
        return server.start()

    yield start
    for server in reversed(started):
        server.close()


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A fresh running server with an empty database, for this test alone."""
    return start_server()


@pytest.fixture
def wire(server: ServerProcess) -> Wire:
    """A plain connection to the fresh server."""
    return server.wire()
