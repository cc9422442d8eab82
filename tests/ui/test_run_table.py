"""The table of runs on its own: where keys go when the selected run is not where the list has it."""

from __future__ import annotations

from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.window import Window
from flowlatch.ui.widgets.run_table import RunTable
from tests.support.stage import Stage


async def test_the_top_is_the_lists_own_first_run_not_the_selected_one_that_stands_elsewhere() -> None:
    guest, *rows = (FlowRun(id=RunId(f"id-{number}"), name=f"run-{number}") for number in range(4))
    async with Stage(RunTable).run_test() as pilot:
        table = pilot.app.query_one(RunTable)
        table.show(Window((guest, *rows), 0, 4, True, 0, guest.id))
        table.focus()
        await pilot.press("g")
        assert table.selected == rows[0]
        table.show(Window(tuple(rows), 0, 3))
        await pilot.press("g")
        assert table.selected == rows[0], "there already"
