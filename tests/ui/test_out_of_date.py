"""The program is exchanged on disk while a dashboard runs: what is not loaded yet says so and ends nothing."""

from __future__ import annotations

import sys

import pytest

from flowlatch.ui.screens.out_of_date import OutOfDateScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import dashboard
from tests.support.server import ServerProcess


async def test_a_screen_that_cannot_be_loaded_any_more_says_so(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flowlatch.ui.screens.flows", None)
    async with dashboard(shared_server) as deck:
        await deck.screen(RunsScreen)
        await deck.press("colon")
        await deck.write("flows")
        await deck.press("enter")
        await deck.screen(OutOfDateScreen)
        await deck.shows("Start flowlatch again")
        await deck.press("enter")
        await deck.screen(RunsScreen)


async def test_a_screen_that_lost_its_name_says_so(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("flowlatch.ui.screens.help.HelpScreen")
    async with dashboard(shared_server) as deck:
        await deck.screen(RunsScreen)
        await deck.press("question_mark")
        await deck.screen(OutOfDateScreen)
        await deck.press("escape")
        await deck.screen(RunsScreen)
