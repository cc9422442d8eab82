"""Keys that come faster than the screen follows, on a real server: none is lost, none acts in the wrong place."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from textual import events
from textual.widgets import Input

from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.flows import FlowsScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.terminal import Gone
from flowlatch.ui.widgets.filter_bar import FilterBar
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async

NAMES = ("amber-lynx", "calm-otter", "odd-wren")


@pytest.fixture
async def deck(server: ServerProcess) -> AsyncIterator[Deck]:
    """Open the dashboard on a server with three runs, the first in the list selected."""
    wire = server.wire()
    flow = wire.create_flow("fail-often")
    for place, name in enumerate(NAMES):
        wire.create_run(flow, flow_run_name=name, scheduled_start_time=f"2026-01-01T0{9 - place}:00:00")
    async with dashboard(server) as deck:
        await deck.shows(*NAMES)
        yield deck


async def test_a_filter_typed_in_one_burst_is_a_filter(deck: Deck) -> None:
    deck.burst("slash", *"flow:fail-often", "enter", "j", "enter")
    await deck.screen(RunScreen)
    await deck.shows("calm-otter")
    await deck.press("escape")
    screen = await deck.screen(RunsScreen)
    assert screen.filter_text == "flow:fail-often"


async def test_a_command_typed_in_one_burst_is_a_command(deck: Deck) -> None:
    deck.burst("colon", *"flows", "enter")
    assert await deck.screen(FlowsScreen)


async def test_what_follows_the_key_of_a_form_goes_into_the_form(deck: Deck) -> None:
    deck.burst("e", "tab", *"xxq", "tab", "escape", "j", "j", "enter")
    await deck.screen(RunScreen)
    await deck.shows("odd-wren")
    assert not any("cancel" in said for said in deck.toasts)
    assert not any(isinstance(screen, EditStateScreen) for screen in deck.app.screen_stack)


async def test_pasted_text_waits_for_its_field_too(deck: Deck) -> None:
    deck.app.post_message(events.Key("slash", "/"))
    deck.app.post_message(events.Paste("calm"))
    assert await eventually_async(lambda: deck.app.screen.query_one(FilterBar).query_one(Input).value == "calm")


async def test_text_that_waits_when_it_ends_is_in_the_draft_and_no_key_acts(server: ServerProcess) -> None:
    reason, wire = "Stuck on S3, restart later", server.wire()
    wire.create_run(wire.create_flow("fail-often"), flow_run_name="amber-lynx")
    async with dashboard(server) as deck:
        await deck.shows("amber-lynx")
        await deck.press("e")
        await deck.screen(EditStateScreen)
        await deck.press("right", "right", "tab")
        deck.burst(*reason, "ctrl+s", *"never")
        deck.app.post_message(Gone())
        await eventually_async(lambda: not deck.app.is_running, what="the end")
        assert deck.app.return_code == 129
        drafts = deck.app.session.drafts
    (draft,) = drafts.all()
    assert reason in draft.fields.values()
    assert "never" not in str(draft.fields)
    assert wire.data("{ flow_run { version } }")["flow_run"] == [{"version": 1}], "what follows the text is no text"


async def test_rows_that_arrive_with_a_key_do_not_take_the_cursor_back(deck: Deck) -> None:
    screen = await deck.screen(RunsScreen)
    await deck.press("G")
    screen.table.go_to(0)
    screen._rows_changed(set())  # a page comes before anything that the key has posted is heard
    await deck.pilot.pause()
    assert screen.table.selected is not None
    assert screen.table.selected.name == NAMES[0]
    assert screen.list.board.selected == screen.table.selected.id
