"""The list of a real server while runs change, come and go, and while the server does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flowlatch.live import follow
from flowlatch.ui.widgets.connection_bar import ConnectionBar
from tests.support.dashboard import Deck, dashboard
from tests.support.waiting import eventually_async
from tests.support.yard import NAMES, Yard, home, listed, selected


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
