"""The terminal's own 16 colours: where one types and what is chosen is seen on black, on white and on blue."""

from __future__ import annotations

import pytest

from flowlatch.ui.screens.menu import MenuScreen
from tests.support.dashboard import dashboard
from tests.support.server import ServerProcess
from tests.support.stage import style_of


@pytest.mark.parametrize(("keys", "letter"), [(("question_mark",), "t"), (("colon", "r"), "")])
async def test_the_cursor_exchanges_ground_and_letter(
    shared_server: ServerProcess, keys: tuple[str, ...], letter: str
) -> None:
    async with dashboard(shared_server) as deck:
        deck.app.theme = "terminal"
        await deck.press(*keys)
        field = deck.app.screen.focused
        assert field is not None
        style = field.get_component_rich_style("input--cursor")
        assert style.reverse
        assert style.color is None or style.color.is_default
        assert style.bgcolor is None or style.bgcolor.is_default
        if letter:
            assert style_of(deck.app, "type to search"[:1]).reverse


async def test_the_keys_of_a_menu_can_be_read_on_the_row_under_the_cursor(shared_server: ServerProcess) -> None:
    async with dashboard(shared_server) as deck:
        deck.app.theme = "terminal"
        await deck.press("o")
        await deck.screen(MenuScreen)
        style = style_of(deck.app, "s")
        assert style.color is not None
        assert style.color.name != "bright_blue"
