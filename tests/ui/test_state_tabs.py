"""The line of state tabs in any width: nothing runs over its end, and what is left out is told."""

from __future__ import annotations

import pytest

from flowlatch.model.query import Count
from flowlatch.ui.widgets.state_tabs import MORE, TABS, StateTabs
from tests.support.stage import Stage


@pytest.mark.parametrize("number", [0, 7, 1204, 1_204_567])
async def test_tabs_that_find_no_room_are_told_by_a_mark(number: int) -> None:
    tabs = StateTabs()
    app = Stage(lambda: tabs)
    async with app.run_test(size=(60, 5)) as pilot:
        tabs.show({tab.states: Count(value=number) for tab in TABS}, 0)
        for width in range(60, 140):
            await pilot.resize_terminal(width, 5)
            line = tabs.plain
            assert len(line) <= tabs.content_size.width, (width, line)
            has_all = all(tab.title in line for tab in TABS)
            assert line.endswith(f" {MORE}") is not has_all, (width, line)


async def test_the_active_tab_is_always_there() -> None:
    tabs = StateTabs()
    app = Stage(lambda: tabs)
    async with app.run_test(size=(60, 5)):
        tabs.show({}, len(TABS) - 1)
        assert TABS[-1].title in tabs.plain


@pytest.mark.parametrize("number", [0, 75, 1204, 1_204_567])
async def test_a_space_stands_between_the_tabs_and_the_chart(number: int) -> None:
    tabs = StateTabs()
    app = Stage(lambda: tabs)
    async with app.run_test(size=(100, 5)) as pilot:
        tabs.show({tab.states: Count(value=number) for tab in TABS}, 0, [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
        for width in range(100, 200):
            await pilot.resize_terminal(width, 5)
            line = tabs.plain
            assert " last hour " in line, (width, line)
            assert len(line) <= tabs.content_size.width, (width, line)
            has_all = all(tab.title in line for tab in TABS)
            assert (f" {MORE} " in line) is not has_all, (width, line)


async def test_a_chart_without_a_bar_takes_no_room() -> None:
    tabs = StateTabs()
    app = Stage(lambda: tabs)
    async with app.run_test(size=(100, 5)):
        counts = {tab.states: Count(value=75) for tab in TABS}
        tabs.show(counts, 0)
        alone = tabs.plain
        tabs.show(counts, 0, [0] * 12)
        assert tabs.plain == alone
        tabs.show(counts, 0, [0] * 11 + [1])
        assert "last hour" in tabs.plain
