"""Going to another server with C: the present one stays until the new one has answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowlatch.ui.screens.connections import ConnectionsScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.switching import ANSWER_WITHIN_S
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two servers with a run each."""
    with ServerProcess(tmp_path_factory.mktemp("one")) as one, ServerProcess(tmp_path_factory.mktemp("two")) as two:
        for server, name in ((one, "amber-lynx"), (two, "calm-otter")):
            wire = server.wire()
            wire.create_run(wire.create_flow("etl"), flow_run_name=name)
        yield one, two


def profile(name: str, url: str, token: Path, more: str = "") -> str:
    return f'[profiles.{name}]\nurl = "{url}"\ntoken = "file:{token}"\n{more}\n'


async def goes_to(deck: Deck, place: int) -> None:
    """Open the connections and choose the profile so many below `local`."""
    await deck.press("C")
    await deck.screen(ConnectionsScreen)
    await deck.press("home", *["j"] * place, "enter")


async def test_a_dead_server_is_told_and_a_live_one_shown(
    two_servers: tuple[ServerProcess, ServerProcess], home: Path
) -> None:
    one, two = two_servers
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()[1]
    (home / "config.toml").write_text(
        profile("one", one.url, one.data / "token")
        + profile("dead", f"http://127.0.0.1:{dead}", one.data / "token")
        + profile("prod", two.url, two.data / "token", "production = true")
    )
    async with dashboard(one) as deck:
        await deck.shows("amber-lynx")
        before = deck.app.session
        assert not deck.app.screen.has_class("production")
        await goes_to(deck, 2)
        await eventually_async(
            lambda: any("still on" in toast for toast in deck.toasts), 2 * ANSWER_WITHIN_S, "why not"
        )
        said = next(toast for toast in deck.toasts if "still on" in toast)
        assert said.startswith("dead: ")
        assert "refused" in said or "no answer" in said
        assert deck.app.session is before
        await deck.shows("amber-lynx", "● live")
        await goes_to(deck, 3)
        await deck.shows("calm-otter", "prod", "PROD", deadline_s=ANSWER_WITHIN_S)
        await deck.hides("amber-lynx")
        screen = await deck.screen(RunsScreen)
        assert screen.has_class("production")
        assert screen.styles.border_left[0] == "outer"
        assert deck.app.session.profile.name == "prod"
        assert len([worker for worker in deck.app.workers if worker.group == "follow"]) == 1
        wire = two.wire()
        wire.create_run(wire.create_flow("etl"), flow_run_name="odd-wren")
        await deck.shows("odd-wren")
        await goes_to(deck, 1)
        await deck.shows("amber-lynx", deadline_s=ANSWER_WITHIN_S)
        await deck.hides("PROD")
