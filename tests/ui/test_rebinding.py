"""The operator's own keys and theme from the configuration file, right and wrong, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowlatch.ui.keys import named
from flowlatch.ui.screens.cancel import CancelScreen
from flowlatch.ui.screens.drafts import DraftsScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.help import HelpScreen
from flowlatch.ui.screens.menu import MenuScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.widgets.filter_bar import FilterBar
from tests.support.dashboard import LARGE, Deck, dashboard
from tests.support.server import ServerProcess

OWN = '[keys]\nedit_state = ["f9", "b"]\nsubmit = ["f8"]\nfilter = "F3"\ndrafts = "F6"\ncancel = "F7"\n'
WRONG = 'theme = "pink"\n[keys]\nedit_state = ["x"]\nfly = ["f9"]\nretry = ["f7"]\n'


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one run that has failed."""
    with ServerProcess(tmp_path_factory.mktemp("keys")) as server:
        wire = server.wire()
        run = wire.create_run(wire.create_flow("etl"), flow_run_name="amber-lynx")
        wire.set_state(run, 1, "Failed", "no disk left")
        yield server


def key_line(deck: Deck) -> str:
    return deck.text.splitlines()[-1]


async def test_an_own_key_works_and_stands_wherever_keys_are_shown(one_run: ServerProcess, home: Path) -> None:
    (home / "config.toml").write_text(OWN)
    async with dashboard(one_run, size=LARGE) as deck:
        await deck.shows("amber-lynx")
        assert " s Schedule  F9 Edit state  F7 Cancel " in key_line(deck)
        assert "F3 Filter" in key_line(deck)
        await deck.press("e")
        assert isinstance(deck.app.screen, RunsScreen)
        await deck.press("f3", "b", "e")
        assert deck.app.screen.query_one(FilterBar).field.value == "be"
        await deck.press("escape", "question_mark")
        help_screen = await deck.screen(HelpScreen)
        (entry,) = [each for each in help_screen.parts["This screen"] if each.action == "edit_state"]
        assert (entry.keys, entry.is_rebound) == ("F9 b", True)
        await deck.write("edit_state")
        await deck.shows("F9 b", "(your key)")
        await deck.press("escape", "f9")
        await deck.screen(EditStateScreen)
        assert "F8 Set state" in key_line(deck)
        await deck.press("right", "right", "escape")
        await deck.screen(RunsScreen)
        assert deck.toasts[-1] == "draft kept; F6 brings it back"
        await deck.press("f6")
        await deck.screen(DraftsScreen)
        await deck.press("escape")
        await deck.screen(RunsScreen)
        await deck.press("b")
        await deck.screen(EditStateScreen)
    assert (home / "config.toml").read_text() == OWN


def test_sentences_name_the_keys_that_are_bound_now() -> None:
    sentence = "{drafts} brings it back, {read_back} reads {it}".replace("{it}", "[it]")
    assert named(sentence) == "D brings it back, ctrl+s reads [it]"
    assert named(sentence, {"drafts": "f6,D", "read_back": "f8"}) == "F6 brings it back, F8 reads [it]"


async def test_what_shares_a_key_by_default_keeps_it_when_one_of_them_moves(one_run: ServerProcess, home: Path) -> None:
    """In Edit state, sending, reviewing and reading back are on the same keys, one of them at a time."""
    (home / "config.toml").write_text(OWN)
    async with dashboard(one_run) as deck:
        await deck.shows("amber-lynx")
        await deck.press("f9")
        screen = await deck.screen(EditStateScreen)
        held = {binding.id: key for _, bindings in screen._binding_chain for key, binding in bindings}
        assert (held["submit"], held["review"], held["read_back"]) == ("f8", "f2", "f2")


async def test_a_wrong_file_is_told_in_one_line_each_and_the_defaults_hold(one_run: ServerProcess, home: Path) -> None:
    path = home / "config.toml"
    path.write_text(WRONG)
    async with dashboard(one_run) as deck:
        await deck.shows("amber-lynx")
        assert deck.toasts == [
            f"{path}:1: theme: 'pink' is unknown; known: dark, light, high-contrast, colour-blind, terminal;"
            " dark is used",
            f"{path}:4: keys.fly: no such action; the help screen (?) names them all",
            f"{path}:3: keys.edit_state: x is taken by cancel (in the list); edit_state keeps e, m",
        ]
        assert deck.app.theme == "dark"
        await deck.press("x")
        await deck.screen(CancelScreen)
        await deck.press("escape")
        await deck.screen(RunsScreen)
        assert "e Edit state" in key_line(deck)
        assert "F7 Retry" in key_line(deck)
        await deck.press("e")
        await deck.screen(EditStateScreen)
    assert path.read_text() == WRONG


async def test_a_dialog_leaves_the_key_line_below_it_as_it_was(one_run: ServerProcess) -> None:
    async with dashboard(one_run) as deck:
        await deck.shows("amber-lynx", ": Cmd")
        before = key_line(deck)
        for key, kind in (("x", CancelScreen), ("o", MenuScreen)):
            await deck.press(key)
            await deck.screen(kind)
            assert key_line(deck) == before
            await deck.press("escape")
            await deck.screen(RunsScreen)
        await deck.press("slash")
        await deck.shows("tab Complete")
        await deck.press("escape")
        await deck.shows(before)
