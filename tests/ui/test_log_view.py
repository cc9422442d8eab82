"""The log: following, levels, wrapping, search, and 50,000 lines of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from flowlatch.model.run import LogLine
from flowlatch.ui.widgets.line_view import Span
from flowlatch.ui.widgets.log_view import LogView
from flowlatch.ui.widgets.text_pane import TextPane
from tests.support.hostile import HOSTILE
from tests.support.stage import Stage, screen_text

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LEVELS = ("INFO", "DEBUG", "INFO", "WARNING", "INFO", "ERROR")


def lines(count: int, *, begin: int = 0, message: str = "line {} s3: read timed out") -> list[LogLine]:
    return [
        LogLine(
            id=str(number),
            timestamp=T0 + timedelta(milliseconds=number * 10),
            level=LEVELS[number % len(LEVELS)],
            message=message.format(number),
        )
        for number in range(begin, begin + count)
    ]


def stage(*kinds: type) -> Stage:
    return Stage(lambda: TextPane(LogView(id="log")), *kinds)


def view(pilot: Pilot[None]) -> LogView:
    found = pilot.app.query_one(LogView)
    found.focus()
    return found


async def test_it_follows_the_end_until_one_moves_up_and_again_from_the_end() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        held = lines(100)
        log.show(held)
        await pilot.pause()
        assert "line 99" in screen_text(pilot.app)
        await pilot.press("k")
        assert log.settings.follow is False
        held += lines(50, begin=100)
        log.show(held)
        await pilot.pause()
        assert "line 99" in screen_text(pilot.app)
        assert "line 149" not in screen_text(pilot.app), "it does not run away from where one reads"
        await pilot.press("G")
        assert log.settings.follow is True
        held += lines(1, begin=150)
        log.show(held)
        await pilot.pause()
        assert "line 150" in screen_text(pilot.app)
        await pilot.press("F")
        assert not log.settings.follow
        await pilot.press("F")
        assert log.settings.follow


async def test_the_cursor_stays_on_its_line_when_older_ones_arrive_before_it() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(100, begin=1_000))
        await pilot.pause()
        await pilot.press("g", "j", "j", "j")
        assert "line 1003" in log.plain(log.cursor)
        top = log.cursor - round(log.scroll_y)
        log.show(lines(1_100))
        await pilot.pause()
        assert "line 1003" in log.plain(log.cursor)
        assert log.cursor - round(log.scroll_y) == top, "on its line of the screen, too"


async def test_the_first_line_asks_for_older_ones() -> None:
    app = stage(LogView.OlderWanted)
    async with app.run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(100))
        await pilot.press("g")
        await pilot.pause()
        assert len(app.heard) == 1


async def test_the_level_key_goes_up_and_around() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(600))
        counts = [log.length]
        for _ in range(4):
            await pilot.press("L")
            counts.append(log.length)
        assert counts == [600, 500, 200, 100, 600]


async def test_long_lines_are_cut_or_wrapped_and_line_feeds_make_rows() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show([*lines(1, message="x" * 200), *lines(1, begin=1, message="Traceback\n  File a\n  File b\n")])
        assert log.length == 4
        await pilot.press("W")
        assert log.length == 7
        assert log.settings.wrap
        shown = screen_text(pilot.app)
        assert shown.count("x" * 30) >= 4
        await pilot.press("W")
        assert log.length == 4


async def test_search_counts_hits_goes_round_and_ends_with_escape() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(100))
        await pilot.press("g", "slash", *"line 7", "enter")
        assert len(log.hits) == 11
        assert "line 7 " in log.plain(log.cursor)
        await pilot.press("n", "n")
        assert "line 71" in log.plain(log.cursor)
        await pilot.press("N", "N", "N")
        assert "line 79" in log.plain(log.cursor), "before the first comes the last"
        assert "11 of 11" in screen_text(pilot.app)
        await pilot.press("escape")
        assert (log.needle, log.hits) == ("", [])
        assert "of 11" not in screen_text(pilot.app)


async def test_search_finds_lines_that_arrive_later() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        held = lines(10)
        log.show(held)
        await pilot.press("slash", *"line 1", "enter")
        assert len(log.hits) == 1
        held += lines(10, begin=10)
        log.show(held)
        assert len(log.hits) == 11


@pytest.mark.parametrize("wrap", [False, True], ids=["cut", "wrapped"])
@pytest.mark.parametrize("count", [3, 300], ids=["no scroll bar", "a scroll bar"])
async def test_a_long_line_leaves_the_last_cell_free(count: int, wrap: bool) -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(count, message="{} " + "x界" * 200))
        await pilot.press(*(["W"] if wrap else []), "g")
        await pilot.pause()
        edge = log.scrollable_content_region.width
        for y in range(3):
            text = log.render_line(y).text
            assert cell_len(text) == edge
            assert text.endswith(" "), "nothing touches what is beside the line"
            assert cell_len(text.rstrip()) >= edge - 3
            assert text.rstrip().endswith("…") is not wrap


async def test_hostile_lines_neither_act_nor_break_the_frame() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        for name, text in HOSTILE.items():
            log.show([LogLine(id="1", timestamp=T0, level=text[:50], message=text), *lines(1, begin=1)])
            await pilot.press("W", "k")
            for strip in pilot.app.screen._compositor.render_strips():
                assert strip.cell_length == 80, name
                assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for s in strip for char in s.text), name


async def test_fifty_thousand_lines_cost_what_is_on_the_screen() -> None:
    """Counted and not timed: lines written out for each key, and rows made for one more line."""
    drawn: list[int] = []
    added: list[int] = []

    class Counting(LogView):
        def line(self, row: int) -> Sequence[Span]:
            drawn.append(row)
            return super().line(row)

        def _add_rows(self, begin: int) -> None:
            added.append(begin)
            super()._add_rows(begin)

    async with Stage(lambda: Counting(id="log")).run_test(size=(120, 40)) as pilot:
        log = view(pilot)
        held = lines(50_000)
        log.show(held)
        await pilot.pause()
        for key in ("g", "ctrl+d", "pagedown", "G", "pageup", "j", "k", "G"):
            drawn.clear()
            await pilot.press(key)
            assert len(drawn) <= 3 * 40, key
        added.clear()
        held += lines(1, begin=50_000)
        log.show(held)
        await pilot.pause()
        assert "line 50000" in screen_text(pilot.app)
        assert added == [50_000], "one new line costs one line, not the whole log"


async def test_a_line_that_is_cut_says_so_and_moves_with_the_arrows() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        log = view(pilot)
        log.show(lines(1, message="a" * 100 + "END"))
        await pilot.pause()
        assert screen_text(pilot.app).splitlines()[0].endswith("a…")
        for _ in range(6):
            await pilot.press("right")
        assert "END" in screen_text(pilot.app)
        assert "…" not in screen_text(pilot.app)
