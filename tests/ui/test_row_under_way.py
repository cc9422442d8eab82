"""A key pressed right behind a jump is about the run that arrives there, and about no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async

RUNS = 450
"""More than two pages, so that the first row is not loaded while the last one is shown."""


@pytest.fixture(scope="module")
def long_list(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with many runs, the newest called `first`."""
    with ServerProcess(tmp_path_factory.mktemp("long"), "--no-scheduler") as server:
        wire = server.wire()
        flow = wire.create_flow("etl-orders")
        for number in range(RUNS):
            start = f"2026-01-01T00:{number % 60:02}:00"
            wire.create_run(flow, flow_run_name=f"run-{number}", scheduled_start_time=start)
        wire.create_run(flow, flow_run_name="first", scheduled_start_time="2026-01-02T00:00:00")
        yield server


@pytest.fixture
async def deck(long_list: ServerProcess) -> AsyncIterator[Deck]:
    """The list, at its end, on a server that does not answer just now."""
    async with dashboard(long_list) as deck:
        await deck.shows("first", f"1 All {RUNS + 1}")
        await deck.press("G")
        await eventually_async(lambda: home(deck).table.window.offset > 0 and home(deck).table.selected is not None)
        long_list.pause()
        try:
            yield deck
        finally:
            long_list.resume()


def home(deck: Deck) -> RunsScreen:
    """The list."""
    screen = deck.app.screen_stack[1]
    assert isinstance(screen, RunsScreen)
    return screen


async def test_a_form_opens_on_the_row_that_arrives(long_list: ServerProcess, deck: Deck) -> None:
    await deck.press("g", "e")
    assert home(deck).table.selected is None, "the server has not answered"
    assert deck.app.screen is home(deck)
    long_list.resume()
    form = await deck.screen(EditStateScreen)
    assert form.run_shown.name == "first"
    assert not any("no run" in toast for toast in deck.toasts)


async def test_enter_opens_the_run_that_arrives(long_list: ServerProcess, deck: Deck) -> None:
    await deck.press("g", "enter")
    long_list.resume()
    await deck.screen(RunScreen)
    assert await deck.shows("/ first · v1")


@pytest.mark.parametrize("keys", [("j",), ("G",), ("slash", "escape", "Z")], ids=["down", "bottom", "another filter"])
async def test_who_goes_on_is_not_called_back(keys: tuple[str, ...], long_list: ServerProcess, deck: Deck) -> None:
    await deck.press("g", "e", *keys)
    long_list.resume()
    await eventually_async(lambda: not home(deck).list.board.is_dirty and home(deck).session.link.is_online)
    await deck.pilot.pause()
    assert deck.app.screen is home(deck)


async def test_a_mark_says_that_its_row_is_under_way(long_list: ServerProcess, deck: Deck) -> None:
    await deck.press("g", "space")
    assert await eventually_async(lambda: any("still under way" in toast for toast in deck.toasts))
    assert not home(deck).marks
    long_list.resume()
    await eventually_async(lambda: home(deck).table.selected is not None)
    await deck.press("space")
    assert [run.name for run in home(deck).marks.values()] == ["first"]
