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
    ("words", "expected"),
    [
        (Content("v3 Failed"), []),
        (Content.styled("v3 Failed", "bold"), [False]),
        (Content("v4 Failed"), [False]),
        (Content("v4 Success"), [False]),
        (Content("v4 Failed: the disk of the worker is full"), [True]),
        (Content("v4\nFailed"), [True]),
        (Content(""), [False]),
    ],
)
async def test_words_that_take_as_many_lines_ask_for_no_layout(words: Content, expected: list[bool]) -> None:
    assert await asked_by(words, width="1fr") == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (Content("v3 Failed"), []),
        (Content("v4 Failed"), [False]),
        (Content("v4 Success"), [True]),
    ],
)
async def test_where_the_words_make_the_width_another_width_asks_for_one(words: Content, expected: list[bool]) -> None:
    assert await asked_by(words, width="auto") == expected


async def test_words_for_what_is_hidden_are_laid_out_when_it_is_shown() -> None:
    app = Stage(lambda: Watched(Content("v3 Failed"), markup=False))
    async with app.run_test(size=(20, 3)) as pilot:
        shown = app.query_one(Watched)
        shown.display = False
        await pilot.pause()
        show_words(shown, Content("v4 Failed: the disk is full"))
        shown.display = True
        await pilot.pause()
        assert shown.content_size.height == 2


async def asked_by(words: Content, width: str) -> list[bool]:
    """Return what showing `words` instead of `v3 Failed` asks for, on a screen of 20 columns."""
    app = Stage(lambda: Watched(Content("v3 Failed"), markup=False))
    async with app.run_test(size=(20, 5)) as pilot:
        shown = app.query_one(Watched)
        shown.styles.width = width
        await pilot.pause()
        shown.asked = []
        show_words(shown, words)
        asked = shown.asked
        await pilot.pause()
        assert isinstance(shown.content, Content)
        assert shown.content.is_same(words)
        assert shown.content_size.height == words.get_height(shown.styles.get_rules(), shown.content_size.width or 20)
    return asked
