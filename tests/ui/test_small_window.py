"""A window that gets too small and large again, on a real server: one line, nothing opened unseen, nothing lost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from textual.content import Content

from flowlatch.ui.screens.cancel import CancelScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.retry import RetryScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.too_small import LEAST, TooSmallScreen, is_too_small
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async

TINY = (20, 5)
WORDS = "too small: 60×15 is"


@pytest.fixture
async def deck(server: ServerProcess) -> AsyncIterator[Deck]:
    """Open the dashboard on a server with one run."""
    wire = server.wire()
    wire.create_run(wire.create_flow("etl-orders"), flow_run_name="amber-lynx")
    async with dashboard(server, size=(80, 24)) as deck:
        await deck.shows("amber-lynx")
        yield deck


def covers(deck: Deck) -> list[bool]:
    """Return for each screen on the stack whether it is the cover."""
    return [isinstance(screen, TooSmallScreen) for screen in deck.app.screen_stack]


async def test_a_storm_of_sizes_leaves_one_cover_or_none(deck: Deck) -> None:
    dice = random.Random(7)
    for _ in range(5):
        for _ in range(6):
            await deck.pilot.resize_terminal(dice.choice((1, 20, 59, 60, 80, 300)), dice.choice((1, 14, 15, 24, 90)))
        await eventually_async(lambda: covers(deck) == [False, False, *[True] * is_too_small(deck.app.size)])
    await deck.pilot.resize_terminal(*TINY)
    await deck.shows(WORDS)
    await deck.pilot.resize_terminal(*LEAST)
    await deck.shows("amber-lynx", "live")
    assert covers(deck) == [False, False]


async def test_nothing_opens_or_closes_where_nothing_can_be_seen(deck: Deck) -> None:
    await deck.press("enter")
    run = await deck.screen(RunScreen)
    await deck.pilot.resize_terminal(*TINY)
    await deck.shows(WORDS)
    await deck.press("e", "n", "x", "colon", "question_mark", "ctrl+p", "escape", "less_than_sign", "D", "C", "j")
    await deck.pilot.pause()
    assert covers(deck) == [False, False, False, True]
    await deck.pilot.resize_terminal(80, 24)
    await deck.shows("amber-lynx", "Overview")
    assert deck.app.screen is run


async def test_q_quits_a_small_window(deck: Deck) -> None:
    await deck.pilot.resize_terminal(*TINY)
    await deck.shows(WORDS)
    await deck.press("q")
    assert await eventually_async(lambda: deck.app._exit, what="the end")


async def test_what_was_opened_over_the_cover_does_not_leave_it_behind(deck: Deck) -> None:
    await deck.pilot.resize_terminal(*TINY)
    await deck.shows(WORDS)
    deck.app.push_screen(ConfirmScreen(deck.app.session, "Quit?", Content("Really?"), yes="Quit"))
    await deck.screen(ConfirmScreen)
    await deck.pilot.resize_terminal(80, 24)
    await deck.press("escape")
    await deck.screen(RunsScreen)
    await deck.shows("amber-lynx")
    assert covers(deck) == [False, False]


async def test_the_answers_to_a_question_are_in_sight_in_the_least_window(server: ServerProcess) -> None:
    wire = server.wire()
    parameters = {"day": "2026-11-22", "note": "as long as a note can be that somebody has written about a run " * 3}
    labels = [f"label-{number}" for number in range(20)]
    wire.create_run(wire.create_flow("etl-orders"), flow_run_name="amber-lynx", parameters=parameters, labels=labels)
    async with dashboard(server, size=(LEAST.width, LEAST.height)) as deck:
        await deck.shows("amber-lynx")
        for key, kind, yes in (("R", RetryScreen, "Create a new run"), ("x", CancelScreen, "Cancel the run")):
            await deck.press(key)
            await deck.screen(kind)
            await deck.shows("amber-lynx", yes)
            (line,) = [line for line in deck.text.splitlines() if yes in line]
            assert " No " in line
            await deck.press("escape")
            await deck.screen(RunsScreen)
