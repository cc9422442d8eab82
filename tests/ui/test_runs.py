"""The list of runs on a real server: moving, opening, marks, looks, the mouse, the end."""

from __future__ import annotations

import asyncio

import pytest

from flowlatch.live.session import TimeStyle
from flowlatch.model.query import SortKey
from flowlatch.ui.screens.bulk import BulkScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.help import HelpScreen
from flowlatch.ui.screens.menu import MenuScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.runs_columns import ColumnsScreen
from flowlatch.ui.screens.schedule import ScheduleScreen
from flowlatch.ui.widgets.run_table import RunTable
from flowlatch.ui.widgets.state_tabs import StateTabs
from tests.support.dashboard import LARGE, Deck, dashboard
from tests.support.hostile import SENDABLE
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.yard import NAMES, Yard, home, listed, selected


async def test_the_list_shows_runs_newest_first_with_the_servers_own_words(deck: Deck) -> None:
    assert listed(deck) == list(NAMES)
    text = deck.text
    assert "x Failed" in text
    assert "> Running" in text
    assert "+ Success" in text
    assert "! Late" in text
    assert "Timeout" in text
    assert "● live" in text
    assert "READ-WRITE" in text


async def test_keys_move_the_cursor(deck: Deck) -> None:
    first, second, third, *_, last = NAMES
    for keys, name in (
        (("j",), second),
        (("down",), third),
        (("k",), second),
        (("up",), first),
        (("k",), first),
        (("G",), last),
        (("g",), first),
        (("end",), last),
        (("home",), first),
        (("pagedown",), last),
        (("pageup",), first),
        (("ctrl+d",), last),
        (("ctrl+u",), first),
    ):
        await deck.press(*keys)
        assert selected(deck) == name, keys


async def test_keys_open_screens(deck: Deck) -> None:
    await deck.press("j")
    for key, screen in (
        ("n", CreateScreen),
        ("N", CreateScreen),
        ("s", ScheduleScreen),
        ("t", ScheduleScreen),
        ("e", EditStateScreen),
        ("m", EditStateScreen),
        ("question_mark", HelpScreen),
        ("f1", HelpScreen),
        ("o", MenuScreen),
        ("f", MenuScreen),
        ("W", ColumnsScreen),
        ("y", MenuScreen),
    ):
        await deck.press(key)
        await deck.screen(screen)
        await deck.press("escape")
        await deck.screen(RunsScreen)
        assert selected(deck) == "calm-otter", key


async def test_the_form_is_about_the_run_under_the_cursor(deck: Deck, yard: Yard) -> None:
    await deck.press("j", "j", "e")
    form = await deck.screen(EditStateScreen)
    assert form.run_shown.name == "odd-wren"


async def test_a_schedule_is_for_the_flow_under_the_cursor(deck: Deck) -> None:
    await deck.press("s")
    form = await deck.screen(ScheduleScreen)
    await eventually_async(lambda: form.flow is not None, what="its flow")
    await deck.shows("Schedule · etl-orders")
    assert form.flow is not None
    assert form.flow.name == "etl-orders"


async def test_a_warning_stands_there_once(server: ServerProcess) -> None:
    async with dashboard(server) as deck:
        await deck.shows("no runs yet; n creates one")
        await deck.press("e", "x", "R", "l")
        await eventually_async(lambda: deck.toasts, what="a toast")
        assert deck.toasts == ["no run is selected"]
        await deck.press("slash")
        await deck.write("zzz")
        await deck.press("enter")
        await deck.shows("no runs yet; n creates one")


async def test_a_run_opens_on_the_right_tab(deck: Deck) -> None:
    for key, tab in (("l", "logs"), ("h", "history"), ("J", "raw"), ("enter", "overview")):
        await deck.press(key)
        assert (await deck.screen(RunScreen)).tab == tab
        await deck.press("escape")
        await deck.screen(RunsScreen)


async def test_back_forward_and_last_view(deck: Deck) -> None:
    await deck.press("j", "enter")
    first = (await deck.screen(RunScreen)).run_id
    await deck.press("less_than_sign")
    await deck.screen(RunsScreen)
    await deck.press("greater_than_sign")
    assert (await deck.screen(RunScreen)).run_id == first
    await deck.press("minus")
    await deck.screen(RunsScreen)
    await deck.press("minus")
    assert (await deck.screen(RunScreen)).run_id == first
    await deck.press("escape")
    await deck.screen(RunsScreen)
    assert selected(deck) == "calm-otter"


async def test_marks_range_all_and_none(deck: Deck) -> None:
    screen = home(deck)
    await deck.press("space")
    await deck.shows("1 marked", "*")
    assert selected(deck) == "calm-otter"
    await deck.press("v", "j", "v", "j")
    await deck.shows("3 marked")
    assert {run.name for run in screen.chosen_runs()} == {"amber-lynx", "calm-otter", "odd-wren"}
    await deck.press("U")
    await deck.hides("marked ·")
    assert [run.name for run in screen.chosen_runs()] == ["blue-yak"]
    await deck.press("asterisk")
    await deck.shows("5 marked")
    await deck.press("escape")
    await eventually_async(lambda: not screen.marks)


async def test_marks_carry_the_newest_version(deck: Deck, yard: Yard) -> None:
    await deck.press("space")
    await asyncio.to_thread(yard.wire.set_state, yard.ids["amber-lynx"], 1, "Running", "on its way")
    assert await eventually_async(lambda: home(deck).chosen_runs()[0].version == 2)


async def test_with_marks_the_verbs_are_for_all_of_them(deck: Deck) -> None:
    await deck.press("space", "space")
    for key, verb in (("e", "set_state"), ("x", "cancel"), ("R", "retry")):
        await deck.press(key)
        bulk = (await deck.screen(BulkScreen)).bulk
        assert bulk.verb == verb
        assert [item.run.name for item in bulk.items] == ["amber-lynx", "calm-otter"]
        await deck.press("escape")
        await deck.screen(RunsScreen)


async def test_what_an_act_is_done_with_is_unmarked_and_a_conflict_is_not(deck: Deck, yard: Yard) -> None:
    await deck.press("space", "space", "e")
    await deck.screen(BulkScreen)
    await deck.press("right")
    await asyncio.to_thread(yard.wire.set_state, yard.ids["amber-lynx"], 1, "Running", "went off")
    await deck.press("ctrl+s")
    await deck.shows("1 done · 1 conflict")
    await deck.press("escape")
    screen = await deck.screen(RunsScreen)
    assert {*screen.marks} == {yard.ids["amber-lynx"]}


async def test_refresh_and_time_styles(deck: Deck) -> None:
    await deck.press("r", "ctrl+r")
    assert "ago" in deck.text or "due" in deck.text
    await deck.press("T")
    await deck.shows("01-01 10:00 +01")
    await deck.press("T")
    await deck.shows("01-01 09:00 UTC")
    await deck.press("T")
    assert deck.app.session.time_style is TimeStyle.RELATIVE
    await deck.shows("due")


async def test_read_only_is_switched_on_at_once_and_off_after_a_question(deck: Deck) -> None:
    await deck.press("exclamation_mark")
    await deck.shows("READ-ONLY")
    await deck.press("exclamation_mark")
    await deck.screen(ConfirmScreen)
    await deck.press("enter")
    await deck.screen(RunsScreen)
    assert deck.app.session.read_only
    await deck.press("exclamation_mark")
    await deck.screen(ConfirmScreen)
    await deck.press("tab", "enter")
    await deck.shows("READ-WRITE")
    assert not deck.app.session.read_only


async def test_columns_scroll_behind_the_first_two(deck: Deck) -> None:
    await deck.press("right")
    await deck.hides("START ↓")
    await deck.press("left")
    assert await deck.shows("START ↓", "FLOW / RUN")


@pytest.mark.parametrize("size", [LARGE])
async def test_the_side_pane_follows_the_cursor(deck: Deck) -> None:
    await deck.press("j")
    await deck.shows("── history", "── logs", "v2", "Timeout calling S3")
    await deck.press("i")
    await deck.hides("── history")
    await deck.press("i")
    assert await deck.shows("── history")


async def test_a_chart_of_the_last_hour_stands_where_there_is_room(server: ServerProcess) -> None:
    wire = server.wire()
    wire.create_run(wire.create_flow("etl"), flow_run_name="amber-lynx")
    async with dashboard(server, size=LARGE) as deck:
        await deck.shows("amber-lynx", "last hour")
        await deck.pilot.resize_terminal(90, 30)
        await deck.hides("last hour")


async def test_mouse_goes_opens_and_orders(deck: Deck) -> None:
    await deck.pilot.click(RunTable, offset=(10, 3))
    assert selected(deck) == "odd-wren"
    await deck.pilot.click(StateTabs, offset=(2, 0))
    assert home(deck).filter_text == ""
    await deck.pilot.click(RunTable, offset=(10, 0))
    await eventually_async(lambda: home(deck).parsed.query.sort.key is SortKey.STATE)
    await deck.pilot.click(RunTable, offset=(10, 2), times=2)
    await deck.screen(RunScreen)


async def test_ctrl_c_asks_twice_and_q_once(deck: Deck) -> None:
    await deck.press("ctrl+c")
    assert deck.toasts == ["press ctrl+c again to quit"]
    assert deck.app.is_running
    await deck.press("ctrl+c")
    await eventually_async(lambda: deck.app._exit)


async def test_q_quits_at_once_without_drafts(deck: Deck) -> None:
    await deck.press("q")
    assert await eventually_async(lambda: deck.app._exit)


async def test_hostile_text_is_shown_harmlessly(server: ServerProcess) -> None:
    wire = server.wire()

    def make() -> None:
        for number, evil in enumerate(SENDABLE.values()):
            flow = wire.create_flow(f"{evil} {number}"[:200])
            run = wire.create_run(flow, flow_run_name=(evil or "x")[:1000], labels=[(evil or "x")[:100]])
            wire.set_state(run, 1, "Failed", evil)

    await asyncio.to_thread(make)
    async with dashboard(server, size=LARGE) as deck:
        await deck.shows("x Failed", "── history")
        for _ in SENDABLE:
            text = deck.text
            assert "\x1b" not in text
            assert all(char.isprintable() or char in "\n\u200d\ufe0f" for char in text)
            assert {len(line) > 0 for line in text.splitlines()}
            await deck.press("j")
        assert home(deck).table.window.cursor == len(SENDABLE) - 1
