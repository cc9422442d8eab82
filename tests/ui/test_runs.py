"""The list of runs on a real server: every key of the list, live changes, finding, marking, offline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowlatch.live import follow
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
from flowlatch.ui.screens.text_prompt import TextPrompt
from flowlatch.ui.widgets.connection_bar import ConnectionBar
from flowlatch.ui.widgets.filter_bar import FilterBar
from flowlatch.ui.widgets.run_table import RunTable
from flowlatch.ui.widgets.state_tabs import StateTabs
from tests.support.dashboard import LARGE, SMALL, Deck, dashboard
from tests.support.hostile import SENDABLE
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

NAMES = ("amber-lynx", "calm-otter", "odd-wren", "blue-yak", "tidy-crow")


GONE = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"


class Yard:
    """A server with a few runs and no others, the newest first in the list: amber-lynx, calm-otter, …"""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.wire: Wire = server.wire()
        for run in self.wire.data("{ flow_run { id } }")["flow_run"]:
            self.wire.data(GONE, {"input": {"flow_run_id": run["id"]}})
        flows = self.wire.data("{ flow { id } }")["flow"]
        self.flow = flows[0]["id"] if flows else self.wire.create_flow("etl-orders")
        self.ids: dict[str, str] = {}
        for place, name in enumerate(NAMES):
            self.ids[name] = self.add(name, f"2026-01-01T0{9 - place}:00:00")
        self.wire.set_state(self.ids["calm-otter"], 1, "Failed", "Timeout calling S3")
        self.wire.set_state(self.ids["odd-wren"], 1, "Running", "went off")
        self.wire.set_state(self.ids["blue-yak"], 1, "Success", "All tasks done")

    def add(self, name: str, start: str, **inputs: Any) -> str:
        return self.wire.create_run(self.flow, flow_run_name=name, scheduled_start_time=start, **inputs)


@pytest.fixture(scope="module")
def yard_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for these tests, one after the other; they may end it, but leave it running."""
    with ServerProcess(tmp_path_factory.mktemp("yard")) as server:
        yield server


@pytest.fixture
def yard(yard_server: ServerProcess) -> Yard:
    """Make the runs anew."""
    if not yard_server.is_alive:
        yard_server.restart()
    return Yard(yard_server)


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
async def deck(yard: Yard, size: tuple[int, int]) -> AsyncIterator[Deck]:
    """Open the dashboard on the list."""
    async with dashboard(yard.server, size=size) as deck:
        await deck.shows(*NAMES)
        await deck.shows("1 All 5")
        yield deck


def home(deck: Deck) -> RunsScreen:
    screen = deck.app.screen_stack[1]
    assert isinstance(screen, RunsScreen)
    return screen


def selected(deck: Deck) -> str:
    run = home(deck).table.selected
    return run.name if run else ""


def listed(deck: Deck) -> list[str]:
    return [row.name for row in home(deck).table.window.rows]


async def lists(deck: Deck, names: list[str]) -> None:
    await eventually_async(lambda: listed(deck) == names, what=str(names))


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


async def test_a_change_elsewhere_shows_with_a_mark_and_the_cursor_stays(deck: Deck, yard: Yard) -> None:
    await deck.press("j", "j")
    await asyncio.to_thread(yard.wire.set_state, yard.ids["amber-lynx"], 1, "Running", "on its way")
    await deck.shows("Δ", "2 Running 2")
    assert selected(deck) == "odd-wren"
    row = home(deck).table.window.row(0)
    assert row is not None
    assert (row.state, row.version) == ("Running", 2)
    await deck.hides("Δ")


async def test_a_new_run_appears_and_the_cursor_stays_on_its_run(deck: Deck, yard: Yard) -> None:
    await deck.press("j")
    await asyncio.to_thread(yard.add, "new-goat", "2026-01-02T00:00:00")
    await deck.shows("new-goat", "1 All 6")
    assert listed(deck)[0] == "new-goat"
    assert selected(deck) == "calm-otter"


async def test_the_cursor_stays_with_its_run_when_hundreds_come_before_it(deck: Deck, yard: Yard) -> None:
    await deck.press("j", "j")
    assert selected(deck) == "odd-wren"
    for number in range(260):
        yard.add(f"newer-{number}", "2026-01-02T00:00:00")
    board = home(deck).list.board
    await eventually_async(lambda: board.total == 265 and board.window.guest is None, 20, what="its neighbours")
    await deck.shows("calm-otter", "odd-wren", "blue-yak")
    assert selected(deck) == "odd-wren"
    assert "selected run" not in deck.text


async def test_a_deleted_run_gives_way(deck: Deck, yard: Yard) -> None:
    await deck.press("j")
    document = "mutation($id: UUID!) { delete_flow_run(input: {flow_run_id: $id}) { success } }"
    await asyncio.to_thread(yard.wire.data, document, {"id": yard.ids["calm-otter"]})
    await deck.hides("calm-otter")
    assert selected(deck) == "odd-wren"


async def test_tabs_and_faults_filter_by_state(deck: Deck) -> None:
    faults = ["amber-lynx", "calm-otter", "tidy-crow"]
    waiting = ["amber-lynx", "tidy-crow"]
    tabs: list[tuple[str, list[str], str]] = [
        ("2", ["odd-wren"], "state:running"),
        ("3", waiting, "state:late"),
        ("4", ["calm-otter"], "state:failed"),
        ("5", waiting, "state:scheduled"),
        ("6", ["blue-yak"], "state:success"),
        ("7", [], "state:cancelled"),
        ("8", [], "state:pending"),
        ("9", faults, "state:failed,late"),
        ("1", list(NAMES), ""),
        ("Z", faults, "state:failed,late"),
        ("Z", list(NAMES), ""),
    ]
    for key, names, filter_text in tabs:
        await deck.press(key)
        await lists(deck, names)
        assert home(deck).filter_text == filter_text
        if not names:
            await deck.shows("no run matches this filter")


async def test_a_typed_filter_asks_the_server_and_escape_brings_all_back(deck: Deck) -> None:
    await deck.press("slash")
    await deck.write("otter")
    await eventually_async(lambda: listed(deck) == ["calm-otter"], what="live filtering")
    await deck.press("enter")
    await deck.shows("/ otter", "1 of 5")
    assert home(deck).table.has_focus
    await deck.press("escape")
    await eventually_async(lambda: listed(deck) == list(NAMES))


async def test_escape_in_the_prompt_keeps_the_filter_before(deck: Deck) -> None:
    await deck.press("4")
    await eventually_async(lambda: listed(deck) == ["calm-otter"])
    await deck.press("slash", "x", "escape")
    assert home(deck).filter_text == "state:failed"
    assert home(deck).query_one(FilterBar).field.value == "state:failed"


async def test_completion_writes_fields_and_values(deck: Deck) -> None:
    await deck.press("slash", "s", "t")
    await deck.shows("tab state:")
    await deck.press("tab")
    await deck.shows("state:failed")
    await deck.write("fa")
    await deck.press("tab", "enter")
    await eventually_async(lambda: home(deck).filter_text == "state:failed")
    assert await eventually_async(lambda: listed(deck) == ["calm-otter"])


async def test_a_filter_with_a_mistake_never_shows_all_runs(deck: Deck) -> None:
    await deck.press("4")
    await eventually_async(lambda: listed(deck) == ["calm-otter"])
    bar = home(deck).query_one(FilterBar)
    await deck.press("slash", "ctrl+u")
    await eventually_async(lambda: len(listed(deck)) == 5, what="the list of what is typed so far: nothing")
    await deck.write("state:faild")
    await deck.press("enter")
    await deck.shows("did you mean state:failed?")
    assert bar.is_open
    await eventually_async(lambda: listed(deck) == ["calm-otter"], what="the list before it")


async def test_the_prompt_takes_every_letter_as_text(deck: Deck) -> None:
    await deck.press("slash")
    await deck.write("qnesxCD!")
    assert home(deck).query_one(FilterBar).field.value == "qnesxCD!"
    assert isinstance(deck.app.screen, RunsScreen)


async def test_a_pattern_is_local_and_says_so(deck: Deck) -> None:
    await deck.press("slash")
    await deck.write("re:(otter|wren)")
    await deck.press("enter")
    await deck.shows("re: loaded rows only")
    assert listed(deck) == list(NAMES)
    await deck.press("asterisk")
    await eventually_async(lambda: "marked 2 loaded runs that match re:" in deck.toasts)


async def test_order_menu_and_reverse(deck: Deck) -> None:
    await deck.press("O")
    await eventually_async(lambda: listed(deck) == list(reversed(NAMES)))
    assert selected(deck) == "amber-lynx"
    await deck.press("o")
    await deck.screen(MenuScreen)
    await deck.press("n")
    await eventually_async(lambda: listed(deck) == sorted(NAMES))
    await deck.shows("run name ↑")
    assert home(deck).parsed.query.sort.key is SortKey.NAME


async def test_filter_order_and_columns_survive_a_restart(deck: Deck, yard: Yard) -> None:
    await deck.press("4", "O", "W")
    await deck.screen(ColumnsScreen)
    await deck.press("j", "j", "j", "j", "j", "space", "enter")
    await deck.hides("MESSAGE")
    async with dashboard(yard.server) as again:
        await again.shows("calm-otter", "state:failed", "start ↑")
        assert "MESSAGE" not in again.text


async def test_a_profile_filter_is_shown_first(yard: Yard) -> None:
    async with dashboard(yard.server, filter="state:success", filters={"good": "state:success"}, size=LARGE) as deck:
        await deck.shows("blue-yak", "/ state:success", "saved: good")
        assert listed(deck) == ["blue-yak"]


async def test_saving_a_filter_and_taking_it(deck: Deck, home: Path) -> None:
    (home / "config.toml").write_text('[profiles.here]\nurl = "http://127.0.0.1:1"\n')
    await deck.press("4", "f")
    await deck.screen(MenuScreen)
    await deck.press("s")
    await deck.screen(TextPrompt)
    await deck.write("nightly")
    await deck.press("enter")
    await eventually_async(lambda: deck.toasts != [])
    assert "nightly" in deck.toasts[-1]


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


async def test_freeze_holds_the_view_and_lets_it_go(deck: Deck, yard: Yard) -> None:
    await deck.press("p")
    await deck.shows("FROZEN since")
    await asyncio.to_thread(yard.wire.set_state, yard.ids["amber-lynx"], 1, "Running", "on its way")
    await asyncio.to_thread(yard.add, "new-goat", "2026-01-02T00:00:00")
    heard = deck.app.session.link.last_data_at
    await eventually_async(lambda: deck.app.session.link.last_data_at != heard)
    await deck.pilot.pause()
    assert listed(deck) == list(NAMES)
    assert "1 All 5" in deck.text
    await deck.press("p")
    await deck.shows("new-goat", "1 All 6", "● live")


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
    await deck.shows("── history", "── logs", "v2", "Timeout calling S3", "last hour")
    await deck.press("i")
    await deck.hides("── history")
    await deck.press("i")
    assert await deck.shows("── history")


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


async def test_offline_keeps_everything_and_comes_back(deck: Deck, yard: Yard) -> None:
    await deck.press("j", "space")
    port = yard.server.port
    yard.server.kill()
    text = await deck.shows("✗ OFFLINE since", "showing data from", "ctrl+r", "CHANGES OFF", "calm-otter")
    assert "1 marked" in text
    assert not deck.app.session.can_write
    assert deck.app.session.why_read_only is not None
    await deck.press("slash")
    await deck.write("otter")
    await deck.press("enter")
    assert home(deck).filter_text == "otter"
    yard.server.start(port=port)
    await deck.press("ctrl+r")
    await deck.shows("READ-WRITE", "1 of 5", "1 marked")
    assert not home(deck).query_one(ConnectionBar).plain
    assert selected(deck) == "odd-wren" or selected(deck) == "calm-otter"


async def test_a_stopped_server_is_noticed_by_its_silence(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PROBE_TIMEOUT_S", 1.0)
    async with dashboard(yard.server) as deck:
        await deck.shows(*NAMES, "● live")
        yard.server.pause()
        try:
            await deck.shows("✗ OFFLINE since", deadline_s=40)
            await deck.shows("data ", "old")
        finally:
            yard.server.resume()
        await deck.press("ctrl+r")
        assert await deck.shows("READ-WRITE", deadline_s=20)


async def test_another_database_voids_rows_and_marks(deck: Deck, yard: Yard, tmp_path: Path) -> None:
    await deck.press("space")
    port = yard.server.port
    yard.server.kill()
    await deck.shows("✗ OFFLINE")
    for name in ("flowlatch.db", "flowlatch.db-wal", "flowlatch.db-shm"):
        (yard.server.data / name).unlink(missing_ok=True)
    yard.server.start(port=port)
    await deck.press("ctrl+r")
    await deck.shows("no runs yet")
    assert any("Another database answers now" in toast for toast in deck.toasts)
    assert not home(deck).marks
    assert home(deck).table.selected is None


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
