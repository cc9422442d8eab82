"""Words that are said again: only what differs is painted, only what may move something else is laid out."""

from __future__ import annotations

from typing import Any, Self

import pytest
from textual.content import Content
from textual.widgets import Static

from flowlatch.ui.widgets.words import show_words
from tests.support.stage import Stage


class Watched(Static):
    """Notes each request to be painted: True where it asks for a layout too."""

    asked: list[bool]

    def refresh(self, *regions: Any, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Note it and do it."""
        self.asked = [*getattr(self, "asked", []), layout]
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


@pytest.mark.parametrize(
    ("words", "is_line", "expected"),
    [
        (Content("v3 Failed"), False, []),
        (Content("v3 Failed"), True, []),
        (Content.styled("v3 Failed", "bold"), True, [False]),
        (Content("v4 Failed"), True, [False]),
        (Content("v4 Failed"), False, [True]),
        (Content("v4 Success"), True, [True]),
        (Content(""), True, [True]),
    ],
)
async def test_only_another_width_or_words_that_wrap_ask_for_a_layout(
    words: Content, is_line: bool, expected: list[bool]
) -> None:
    app = Stage(lambda: Watched(Content("v3 Failed"), markup=False))
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.pause()
        shown = app.query_one(Watched)
        shown.asked = []
        show_words(shown, words, is_line=is_line)
        assert shown.asked == expected
        assert isinstance(shown.content, Content)
        assert shown.content.is_same(words)
