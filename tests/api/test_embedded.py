"""The embedded server is found, started, joined and started again, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowlatch.api.embedded import find_or_start
from flowlatch.api.opener import open_backend
from flowlatch.config import Settings, places, resolve
from flowlatch.discovery import ServerInfo, is_running, read_server_file
from flowlatch.errors import ConfigError, Unreachable
from tests.support.server import ServerProcess
from tests.support.waiting import eventually


def end(data: Path, with_signal: int = signal.SIGTERM) -> ServerInfo | None:
    """End the server of a data directory, if one runs, and return what its discovery file said."""
    info = read_server_file(data)
    if info is not None and is_running(data):
        os.kill(info.pid, with_signal)
        eventually(lambda: not is_running(data), what="the server has ended")
    return info


@pytest.fixture
def data(home: Path) -> Iterator[Path]:
    yield places().data
    end(places().data)


async def test_a_server_is_started_on_first_use_and_joined_afterwards(data: Path) -> None:
    assert not is_running(data)
    first = await open_backend(resolve(Settings()))
    info = read_server_file(data)
    assert info is not None
    assert info.auto
    second = await open_backend(resolve(Settings()))
    assert first.url == second.url == info.url
    assert read_server_file(data) == info
    assert os.getsid(info.pid) != os.getsid(0), "it gets none of our signals"
    flow = await first.create_flow("f")
    assert [found.id for found in await second.flows()] == [flow]
    assert first.capabilities.auth
    await first.aclose()
    assert await second.server_now()
    await second.aclose()


async def test_of_many_that_start_at_once_all_get_the_same_server(data: Path) -> None:
    infos = await asyncio.gather(*(find_or_start(data) for _ in range(4)))
    assert len(set(infos)) == 1
    assert (data / "server.log").stat().st_mode & 0o777 == 0o600


async def test_one_that_died_is_started_again_on_its_port(data: Path) -> None:
    before = await find_or_start(data)
    end(data, signal.SIGKILL)
    assert read_server_file(data) == before, "kill -9 leaves the file behind"
    after = await find_or_start(data)
    assert after.pid != before.pid
    assert (after.url, after.server_id) == (before.url, before.server_id)


async def test_one_started_by_hand_is_joined_but_never_started_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        info = await find_or_start(server.data)
        assert info.url == server.url
        assert not info.auto
        server.kill()
        with pytest.raises(Unreachable, match="started by hand") as caught:
            await find_or_start(server.data)
        assert f"flowlatch serve --data {server.data}" in str(caught.value)
        assert not is_running(server.data)


def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "flowlatch.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Unreachable, match="did not start") as caught:
        asyncio.run(find_or_start(data))
    assert "flowlatch.db" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_that_cannot_be_used_is_refused(data: Path) -> None:
    data.parent.mkdir(exist_ok=True)
    data.write_text("a file")
    with pytest.raises(ConfigError, match="data directory"):
        asyncio.run(find_or_start(data))
    data.unlink()
