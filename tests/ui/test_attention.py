"""The window loses the focus and gets it back: polls get seldom, then all is caught up (ux.md row 4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from uuid import uuid4

import pytest
from textual import events

from flowlatch.api import pace
from flowlatch.live import detail
from flowlatch.model.run import RunId
from flowlatch.ui.messages import News, OpenRun, Tick
from flowlatch.ui.screens import link_text
from flowlatch.ui.screens.run import RunScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.faults import FaultyServer
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

POLL_S, REST_S = 1.0, 2.5


class Ear:
    """Hears when a kind of request passes."""

    def __init__(self, proxy: FaultyServer, word: bytes) -> None:
        self.heard_s: list[float] = []
        self._word = word
        proxy.on_request = self._hear

    def _hear(self, body: bytes) -> None:
        if self._word in body:
            self.heard_s.append(time.monotonic())

    async def more(self, count: int) -> float:
        """Wait for so many more, and return the seconds between the last two of all."""
        wanted = len(self.heard_s) + count
        await eventually_async(lambda: len(self.heard_s) >= wanted, 15, f"{count} more requests")
        return self.gaps_s[-1]

    @property
    def gaps_s(self) -> list[float]:
        """The seconds between each two."""
        return [after - before for before, after in pairwise(self.heard_s)]


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that nobody else changes."""
    with ServerProcess(tmp_path_factory.mktemp("quiet")) as server:
        yield server


async def looks(deck: Deck, is_looked_at: bool) -> None:
    """Tell the app what a terminal tells when its window gets or loses the focus."""
    deck.app.post_message(events.AppFocus() if is_looked_at else events.AppBlur())
    await eventually_async(lambda: deck.app.app_focus is is_looked_at)


async def test_polls_are_seldom_while_nobody_looks_and_a_look_catches_up(
    quiet_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "REST_S", REST_S)
    wire = quiet_server.wire()
    flow = await asyncio.to_thread(wire.create_flow, "etl")
    async with FaultyServer(upstream=quiet_server.url) as proxy:
        proxy.refuse_websockets = True
        async with dashboard(quiet_server, url=proxy.url, poll_s=POLL_S) as deck:
            polls = Ear(proxy, b"flow_run_changes")
            await eventually_async(lambda: min(polls.gaps_s, default=REST_S) < REST_S - 0.5, 20, "polls as set")
            await looks(deck, False)
            await polls.more(1)
            assert await polls.more(1) >= REST_S - 0.1
            monkeypatch.setattr(pace, "REST_S", 600.0)
            await asyncio.to_thread(lambda: wire.create_run(flow, flow_run_name="amber-lynx"))
            rested_s = polls.heard_s[-1] + POLL_S + 0.5
            await eventually_async(lambda: time.monotonic() > rested_s, what="the middle of the rest")
            assert "amber-lynx" not in deck.text
            await looks(deck, True)
            await polls.more(1)
            await deck.shows("amber-lynx")


async def test_logs_are_asked_for_seldom_while_nobody_looks_and_at_once_when_somebody_does(
    shared_server: ServerProcess, shared_wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detail, "REST_S", 60.0)
    flow = await asyncio.to_thread(shared_wire.create_flow, f"etl-{uuid4().hex[:8]}")
    run_id = await asyncio.to_thread(shared_wire.create_run, flow)
    await asyncio.to_thread(shared_wire.set_state, run_id, 1, "Running", "went off")
    async with (
        FaultyServer(upstream=shared_server.url) as proxy,
        dashboard(shared_server, url=proxy.url, poll_s=POLL_S) as deck,
    ):
        deck.app.post_message(OpenRun(RunId(run_id)))
        await deck.screen(RunScreen)
        await deck.press("l")
        logs = Ear(proxy, b"logs")
        await logs.more(2)
        await looks(deck, False)
        seen = len(logs.heard_s)
        missed_s = time.monotonic() + 2.5 * POLL_S
        await eventually_async(lambda: time.monotonic() > missed_s, what="the time of two polls")
        assert len(logs.heard_s) <= seen + 1
        await looks(deck, True)
        await logs.more(1)


async def test_a_key_counts_as_a_look(shared_server: ServerProcess) -> None:
    """Not every terminal tells when its window has the focus again."""
    async with dashboard(shared_server) as deck:
        await looks(deck, False)
        assert deck.app._newsroom.is_resting
        await deck.press("j")
        await eventually_async(lambda: deck.app.app_focus)
        assert not deck.app._newsroom.is_resting


async def test_the_clock_goes_on_while_nobody_looks(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard(shared_server) as deck:
        await looks(deck, False)
        monkeypatch.setattr(link_text, "wall_clock", lambda session: "23:59 UTC")
        heard: list[News] = []
        monkeypatch.setattr(deck.app, "tell_screens", heard.append)
        deck.app._look()
        deck.app._look()
        assert [news.is_minute for news in heard if isinstance(news, Tick)] == [True]
