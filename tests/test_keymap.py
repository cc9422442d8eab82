"""Which keys can be rebound, to what, and which line tells that one cannot."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import _character_to_key

import flowlatch.ui.screens
import flowlatch.ui.widgets
from flowlatch.keymap import CHARACTERS, DEFAULT_KEYS, FORBIDDEN, PLACES, checked_keymap, known_key
from flowlatch.looks import LOOKS, look_named
from flowlatch.ui import keys
from flowlatch.ui.themes import THEMES
from flowlatch.ui.widgets.state_tabs import TABS


def parts() -> list[type[DOMNode]]:
    """Return every screen and widget of ours."""
    found: list[type[DOMNode]] = []
    for room in (flowlatch.ui.screens, flowlatch.ui.widgets):
        for each in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            module = importlib.import_module(each.name)
            found += [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, DOMNode)]
    return [part for part in dict.fromkeys(found) if part.__module__.startswith("flowlatch.")]


def test_each_action_has_its_words_and_each_theme_its_colours() -> None:
    assert list(keys.all_keys()) == list(DEFAULT_KEYS)
    assert list(THEMES) == list(LOOKS)
    assert look_named("color-blind") == "colour-blind"


def test_the_help_names_the_state_tabs() -> None:
    assert [tab.title for tab in TABS] == list(keys.TAB_TITLES)
    assert keys.STATE_TABS[3].tooltip == "State tab 4: Failed"


def test_no_key_is_one_that_does_not_arrive() -> None:
    bound = {key for names in DEFAULT_KEYS.values() for key in names.split(",")}
    assert {known_key(key) for key in bound} == bound
    assert not bound & FORBIDDEN


def test_characters_are_named_as_the_screens_library_names_them() -> None:
    assert len(CHARACTERS) == 95
    assert {name: _character_to_key(char) for name, char in CHARACTERS.items()} == {name: name for name in CHARACTERS}


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.__name__)
def test_what_is_pressed_at_one_place_is_checked_together(part: type[DOMNode]) -> None:
    bound = [each.id for each in part.__dict__.get("BINDINGS", []) if isinstance(each, Binding)]
    own = {action for action in bound if action in DEFAULT_KEYS}
    assert any(own <= actions for actions in PLACES.values()), f"no place has all of {own}"


def test_the_list_is_a_place_and_by_default_a_key_does_one_thing_there() -> None:
    everywhere = (*keys.LIST_KEYS, *keys.EVERYWHERE, *keys.ALWAYS)
    assert {binding.id for binding in everywhere} == PLACES["the list"]
    held = [key for action in PLACES["the list"] for key in DEFAULT_KEYS[action].split(",")]
    assert len(held) == len(set(held))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("e", "e"),
        ("E", "E"),
        ("?", "question_mark"),
        ("question_mark", "question_mark"),
        (" ", "space"),
        ("F9", "f9"),
        ("Esc", "escape"),
        ("Ctrl+K", "ctrl+k"),
        ("ctrl++", "ctrl+plus"),
        ("shift+tab", "shift+tab"),
        ("shift+e", "E"),
        ("control+q", None),
        ("f99", None),
        ("", None),
        ("nosuchkey", None),
        ("\x1b", None),
    ],
)
def test_keys_are_taken_as_people_write_them(written: str, name: str | None) -> None:
    assert known_key(written) == name


@pytest.mark.parametrize(
    ("wanted", "kept", "problem"),
    [
        ({"edit_state": ["f9"]}, {"edit_state": "f9"}, ""),
        ({"edit_state": ["x"]}, {}, "x is taken by cancel (in the list); edit_state keeps e, m"),
        ({"edit_state": ["x"], "cancel": ["e"]}, {"edit_state": "x", "cancel": "e"}, ""),
        ({"cancel": ["f9"], "retry": ["f9"]}, {"cancel": "f9"}, "f9 is taken by cancel (in the list); retry keeps R"),
        ({"edit_state": ["x"], "cancel": ["x"]}, {"cancel": "x"}, "x is taken by cancel"),
        ({"follow": ["e"]}, {}, "e is taken by edit_state (in a run's logs); follow keeps F"),
        ({"apply_mine": ["d"]}, {}, "d is taken by compare (in a conflict); apply_mine keeps a"),
        ({"mark": ["slash"]}, {}, "/ is taken by filter (in the list); mark keeps space"),
        ({"edti_state": ["q"]}, {}, "no such action; did you mean edit_state"),
        ({"zzzzzz": ["q"]}, {}, "no such action; the help screen (?) names them all"),
        ({"help": ["ctrl+a"]}, {}, "'ctrl+a' cannot be bound"),
        ({"help": ["nosuchkey"]}, {}, "'nosuchkey' is no key; wants e.g."),
        ({"submit": ["s"]}, {}, "'s' is text in a form; wants e.g."),
        ({"palette": ["colon"]}, {}, "'colon' is text in a form"),
    ],
)
def test_the_first_keeps_a_key_and_one_line_tells_it(
    wanted: dict[str, list[str]], kept: dict[str, str], problem: str
) -> None:
    checked = checked_keymap(wanted)
    assert checked.keys == kept
    assert len(checked.problems) == bool(problem)
    assert "".join(checked.problems.values()).startswith(problem)
    assert "\n" not in problem


def test_a_refused_wish_takes_those_along_that_stood_on_it() -> None:
    """`retry` cannot leave R, so what wanted R has to stay as well."""
    checked = checked_keymap({"edit_state": ["R"], "retry": ["n"]})
    assert checked.keys == {}
    assert set(checked.problems) == {"edit_state", "retry"}
