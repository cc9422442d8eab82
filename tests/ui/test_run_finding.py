"""Finding runs in the list of a real server: tabs, filter, pattern, order, what is kept of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowlatch.live.link import ReloadReason
from flowlatch.live.session import utc_now
from flowlatch.model.query import SortKey
from flowlatch.ui.messages import Reload, Tick
from flowlatch.ui.screens.menu import MenuScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.runs_columns import ColumnsScreen
from flowlatch.ui.screens.text_prompt import TextPrompt
from flowlatch.ui.widgets.filter_bar import FilterBar
from tests.support.dashboard import LARGE, Deck, dashboard
from tests.support.waiting import eventually_async
from tests.support.yard import NAMES, Yard, home, listed, lists, selected


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


async def test_a_filter_by_time_moves_with_the_clock_and_the_cursor_stays(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = (utc_now() - datetime(2026, 1, 1, 6, 30, tzinfo=UTC)) // timedelta(minutes=1)
    await deck.press("slash")
    await deck.write(f"since:{minutes}m")
    await deck.press("enter")
    await lists(deck, ["amber-lynx", "calm-otter", "odd-wren"])
    await deck.press("G")
    assert selected(deck) == "odd-wren"
    for hours, names in ((1, ["amber-lynx", "calm-otter", "odd-wren"]), (2, ["amber-lynx", "odd-wren"])):
        ahead = timedelta(hours=hours)
        monkeypatch.setattr(deck.app.session, "_clock", lambda ahead=ahead: utc_now() + ahead)
        deck.app.tell_screens(Tick(is_minute=True))
        await lists(deck, names)
        await deck.shows("is not in this list any more", f"{len(names) - 1} of 5")
        assert selected(deck) == "odd-wren"


async def test_loading_anew_keeps_what_is_being_typed(deck: Deck) -> None:
    await deck.press("slash")
    await deck.write("since:9999h otter")
    await lists(deck, ["calm-otter"])
    home(deck).post_message(Reload(ReloadReason.MISSED))
    await deck.press("backspace", "r")
    assert home(deck).query_one(FilterBar).field.value == "since:9999h otter"
    await lists(deck, ["calm-otter"])
    await eventually_async(lambda: home(deck).parsed.query.text == "otter", what="the filter as typed")


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
