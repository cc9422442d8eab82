"""The picker: enter takes what the list shows as chosen, and that is what begins with the letters typed."""

from __future__ import annotations

from textual.widgets import OptionList

from flowlatch.ui.widgets.picker import Item, Picker
from tests.support.stage import Stage


async def test_what_begins_with_the_text_comes_before_what_only_contains_it() -> None:
    names = ("backup-warehouse", "etl-orders", "scan-images", "Sync-contacts")
    picker = Picker([Item(name, name) for name in names])
    app = Stage(lambda: picker, Picker.Picked)
    async with app.run_test(size=(60, 12)) as pilot:
        picker.input.focus()
        await pilot.press("s")
        assert [item.text for item in picker.hits()] == [
            "scan-images",
            "Sync-contacts",
            "backup-warehouse",
            "etl-orders",
        ]
        assert picker.query_one(OptionList).highlighted == 0
        await pilot.press("enter")
        assert picker.value == "scan-images"
