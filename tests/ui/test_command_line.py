"""The command line: which verb is meant, what tab completes, what up brings back."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input

from flowlatch.ui import keys
from flowlatch.ui.commands import DEEDS, verbs
from flowlatch.ui.themes import THEMES
from flowlatch.ui.widgets.command_line import CommandLine, completed, find, fitting
from tests.support.hostile import HOSTILE

VERBS = verbs({"conflict": "Let a colleague edit the chosen run"})


def meant(text: str) -> tuple[str, str] | str:
    found = find(text, VERBS)
    return found if isinstance(found, str) else (found[0].name, found[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flows", ("flows", "")),
        (":flows", ("flows", "")),
        ("  agents ", ("agents", "")),
        ("ag", ("agents", "")),
        ("q", ("quit", "")),
        ("runs state:failed since:2h", ("runs", "state:failed since:2h")),
        ("theme light", ("theme", "light")),
        ("conflict", ("conflict", "")),
        ("re", ":re may be related, retry, refresh, read-only"),
        ("theme", ":theme NAME wants NAME"),
        ("flows now", ":flows takes nothing behind it"),
        ("flwos", ":flwos is no command; did you mean :flows?"),
    ],
)
def test_what_is_typed_means_one_verb_or_says_why_not(text: str, expected: tuple[str, str] | str) -> None:
    assert meant(text) == expected


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_is_typed_the_answer_is_one_clean_line(text: str) -> None:
    found = meant(text)
    if isinstance(found, str):
        assert found.replace("\u200d", "").replace("\ufe0f", "").isprintable()
        assert len(found) < 300
    completed(text, VERBS)
    fitting(text, VERBS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ag", "agents"),
        ("the", "theme "),
        ("theme li", "theme light"),
        ("theme ", "theme "),
        ("runs sta", "runs state:"),
        ("runs state:failed fl", "runs state:failed flow:"),
        ("zzz", "zzz"),
        ("re", "re"),
    ],
)
def test_tab_completes_as_far_as_there_is_one_way(text: str, expected: str) -> None:
    assert completed(text, VERBS) == expected


def test_every_verb_has_a_sentence_and_a_name_of_its_own() -> None:
    names = [verb.name for verb in VERBS] + [alias for verb in VERBS for alias in verb.aliases]
    assert len(names) == len(set(names))
    assert all(verb.sentence and not verb.sentence.endswith(".") for verb in VERBS)


def test_every_action_of_a_verb_is_a_key_or_known_to_have_none() -> None:
    without_key = {"delete", "screenshot"}
    actions = {deed.action for deed in DEEDS if deed.action}
    assert actions - set(keys.all_keys()) == without_key


def test_theme_offers_the_themes() -> None:
    theme = next(verb for verb in VERBS if verb.name == "theme")
    assert set(theme.values) == set(THEMES)


class Prompt(App[None]):
    """One command line."""

    def __init__(self, history: list[str]) -> None:
        super().__init__()
        self.history = history
        self.typed: list[str] = []

    def compose(self) -> ComposeResult:
        yield CommandLine(VERBS, self.history)

    def on_command_line_typed(self, message: CommandLine.Typed) -> None:
        self.typed.append(message.text)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict.fromkeys(("muted", "rule", "faint"), "white")


async def test_up_and_down_go_through_what_was_typed_before_and_back_to_the_beginning() -> None:
    app = Prompt(["flows", "runs state:late"])
    async with app.run_test(size=(80, 24)) as pilot:
        field = app.query_one(Input)
        await pilot.press("a", "g", "up")
        assert field.value == "runs state:late"
        await pilot.press("up", "up")
        assert field.value == "flows"
        await pilot.press("down", "down")
        assert field.value == "ag"
        await pilot.press("tab", "enter")
        assert app.typed == ["agents"]


async def test_a_leading_colon_is_not_part_of_the_command() -> None:
    app = Prompt([])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon", "f", "l", "o", "w", "s", "enter")
        assert app.typed == ["flows"]


def test_sentences_are_searched_from_three_letters_on_by_the_start_of_a_word() -> None:
    assert "agents" not in [verb.name for verb in fitting("re", VERBS)], "`were` is no hit for re"
    assert [verb.name for verb in fitting("colours", VERBS)] == ["theme"]
