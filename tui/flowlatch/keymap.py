"""The keys of every action, and the check of those an operator chose instead: plain data, known without the screen.

`flowlatch.ui.keys` gives each action its words; the configuration's reader checks `[keys]` here, so that a command
can name a clash as well as the dashboard. Nothing is on ctrl+a and ctrl+b (tmux, screen), nor on ctrl+h, ctrl+i,
ctrl+j and ctrl+m, which arrive as other keys; ctrl+d moves and never deletes. Source: ux.md §3.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from flowlatch.text import one_line

FORBIDDEN = frozenset({"ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"})
"""Keys that nothing may be bound to."""
DEFAULT_KEYS = {
    "cursor_down": "j,down",
    "cursor_up": "k,up",
    "top": "g,home",
    "bottom": "G,end",
    "half_page_down": "ctrl+d",
    "half_page_up": "ctrl+u",
    "page_down": "pagedown",
    "page_up": "pageup",
    "column_left": "left",
    "column_right": "right",
    "open_run": "enter",
    "back": "escape",
    "history_back": "less_than_sign",
    "history_forward": "greater_than_sign",
    "last_view": "minus",
    "previous_tab": "left_square_bracket",
    "next_tab": "right_square_bracket",
    "filter": "slash",
    "search": "slash",
    "next_hit": "n",
    "previous_hit": "N",
    "saved_filters": "f",
    "order": "o",
    "reverse_order": "O",
    "faults": "Z",
    **{f"state_tab_{number}": str(number) for number in range(1, 10)},
    "command": "colon",
    "palette": "ctrl+p",
    "help": "question_mark,f1",
    "new_run": "n",
    "new_from": "N",
    "schedule": "s,t",
    "edit_state": "e,m",
    "cancel": "x",
    "retry": "R",
    "undo": "z",
    "mark": "space",
    "mark_range": "v",
    "mark_all": "asterisk",
    "unmark_all": "U",
    "logs": "l",
    "history": "h",
    "raw": "J",
    "open_web": "w",
    "pane": "i",
    "copy": "y",
    "export": "E",
    "freeze": "p",
    "refresh": "r",
    "try_now": "ctrl+r",
    "time_style": "T",
    "wide": "W",
    "connections": "C",
    "drafts": "D",
    "read_only": "exclamation_mark",
    "submit": "ctrl+s,f2",
    "review": "ctrl+s,f2",
    "read_back": "ctrl+s,f2",
    "send_rest": "ctrl+s,f2",
    "stop": "escape",
    "next_field": "tab",
    "previous_field": "shift+tab",
    "editor": "ctrl+e",
    "see_change": "f3",
    "take_change": "f4",
    "copy_command": "f5",
    "discard": "X",
    "new_key": "k",
    "close": "escape",
    "take_theirs": "r,enter",
    "keep_editing": "e",
    "apply_mine": "a",
    "compare": "d",
    "copy_report": "y",
    "follow": "F",
    "wrap": "W",
    "level": "L",
    "fold": "space,enter",
    "fold_all": "c",
    "reveal": "v",
    "copy_value": "Y",
    "archive": "A",
    "schedule_active": "S",
    "show_runs": "enter",
    "quit": "q",
    "interrupt": "ctrl+c",
    "suspend_process": "ctrl+z",
}
"""Action → its keys, separated by commas, in the order of the help."""

_MOVES = (
    *("cursor_down", "cursor_up", "top", "bottom", "half_page_down", "half_page_up", "page_down", "page_up"),
    *("column_left", "column_right"),
)
_ALWAYS = ("palette", "try_now", "interrupt", "suspend_process")
_EVERYWHERE = (
    *("command", "help", "back", "history_back", "history_forward", "last_view", "time_style", "connections"),
    *("drafts", "read_only", "quit", *_ALWAYS),
)
_RUN = (
    *("previous_tab", "next_tab", "edit_state", "cancel", "retry", "new_from", "logs", "history", "copy", "export"),
    *("open_web", "raw", "undo", "new_run", "schedule", "refresh", *_MOVES, *_EVERYWHERE),
)
_SEARCH = ("search", "next_hit", "previous_hit")
_FORM = ("submit", "next_field", "previous_field", "editor", "see_change", "take_change", "copy_command", "close")
PLACES: dict[str, frozenset[str]] = {
    "the list": frozenset(
        (
            *("open_run", "new_run", "schedule", "edit_state", "cancel", "retry", "logs", "history", "copy", "export"),
            *("filter", "new_from", "undo", "mark", "mark_range", "mark_all", "unmark_all", "saved_filters", "order"),
            *("reverse_order", "faults", *(f"state_tab_{number}" for number in range(1, 10)), "raw", "open_web"),
            *("pane", "freeze", "refresh", "wide", *_MOVES, *_EVERYWHERE),
        )
    ),
    "a run's logs": frozenset((*_RUN, *_SEARCH, "follow", "wrap", "level")),
    "a run's JSON": frozenset((*_RUN, *_SEARCH, "fold", "fold_all", "reveal", "copy_value")),
    "the flows": frozenset(
        (*("show_runs", "archive", "schedule_active", "new_run", "schedule", "refresh"), *_MOVES, *_EVERYWHERE)
    ),
    "a form": frozenset((*_FORM, "review", "read_back", *_ALWAYS)),
    "many runs": frozenset((*_FORM, "send_rest", "stop", "open_run", *_ALWAYS)),
    "a conflict": frozenset(
        (*("take_theirs", "keep_editing", "apply_mine", "compare", "history", "copy_report", "close"), *_ALWAYS)
    ),
    "a created run": frozenset(("open_run", "new_key", "close", *_ALWAYS)),
    "the drafts": frozenset(("open_run", "discard", "close", *_MOVES, *_ALWAYS)),
    "the journal": frozenset(("open_run", "copy_value", "refresh", "close", *_SEARCH, *_MOVES, *_ALWAYS)),
}
"""What can be pressed at one place: there a key does one thing."""
WHILE_TYPING = frozenset((*_FORM, *_ALWAYS, "review", "read_back", "send_rest"))
"""Actions that must work where letters are text."""

_SPELLINGS = {
    "esc": "escape",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "del": "delete",
    "ins": "insert",
}
_NAMED = frozenset(
    (
        *("escape", "enter", "tab", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown"),
        *("up", "down", "left", "right", *(f"f{number}" for number in range(1, 25))),
    )
)
_MODIFIERS = frozenset(("ctrl", "shift", "alt", "super", "hyper", "meta"))
_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def key_name(character: str) -> str:
    """Return the name of a character as a key: itself if it is a letter or a digit, else as Unicode calls it."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


CHARACTERS = {key_name(character): character for character in string.printable if character.isprintable()}
"""Name of a key → the character that it writes."""


def known_key(text: str) -> str | None:
    """Return the name of a key as the screen's library has it, None when there is no such key."""
    text = text.strip() or ("space" if text == " " else "")
    if text in CHARACTERS or (len(text) == 1 and text.isalnum()):
        return text
    if len(text) == 1:
        return key_name(text) if text.isprintable() else None
    *modifiers, base = text.split("+") if not text.endswith("++") else [*text[:-2].split("+"), "plus"]
    if any(modifier.lower() not in _MODIFIERS for modifier in modifiers):
        return None
    named = _SPELLINGS.get(base.lower(), base.lower())
    if named in _NAMED or named in CHARACTERS:
        base = named
    elif len(base) == 1 and base.isprintable():
        base = key_name(base)
    else:
        return None
    if modifiers == ["shift"] and len(base) == 1 and base.isalpha():
        return base.upper()
    return "+".join([*sorted(modifier.lower() for modifier in modifiers), base])


@dataclass(frozen=True)
class Keymap:
    """The operator's own keys, checked."""

    keys: dict[str, str]
    """Action → keys, separated by commas."""
    problems: dict[str, str]
    """Action → one clear line; it keeps the keys it has without the file."""


def checked_keymap(wanted: Mapping[str, Iterable[str]]) -> Keymap:
    """Return the rebinds that can be used: known actions, keys that arrive, one action for a key at one place."""
    keys: dict[str, str] = {}
    problems: dict[str, str] = {}
    for action, given in wanted.items():
        problem = _unknown(action) if action not in DEFAULT_KEYS else _unusable(action, given := list(given))
        if problem:
            problems[action] = problem
        else:
            keys[action] = ",".join(dict.fromkeys(known_key(key) or "" for key in given))
    while (clash := next(_clashes(keys), None)) is not None:
        action, key, other, place = clash
        default = _written(DEFAULT_KEYS[action])
        problems[action] = f"{_written(key)} is taken by {other} (in {place}); {action} keeps {default}"
        del keys[action]
    return Keymap(keys, problems)


def _unknown(action: str) -> str:
    near = get_close_matches(action, DEFAULT_KEYS, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"no such action; {hint}the help screen (?) names them all"


def _unusable(action: str, given: Iterable[str]) -> str | None:
    for key in given:
        name, shown = known_key(key), repr(one_line(key, 40))
        if name is None:
            return f'{shown} is no key; wants e.g. "e", "ctrl+e", "f5"'
        if name in FORBIDDEN:
            return (
                f"{shown} cannot be bound: it does not arrive in every terminal; keeps {_written(DEFAULT_KEYS[action])}"
            )
        if action in WHILE_TYPING and (name in CHARACTERS or len(name) == 1):
            return f'{shown} is text in a form; wants e.g. "ctrl+e", "f5"'
    return None


def _written(keys: str) -> str:
    return ", ".join(CHARACTERS.get(key, key) if key != "space" else key for key in keys.split(","))


def _clashes(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (rebound action, key, action that has the key, place). Of two rebound actions the first has it."""
    rebound = list(keys)
    for place, actions in PLACES.items():
        for action in (each for each in rebound if each in actions):
            new = [key for key in keys[action].split(",") if key not in DEFAULT_KEYS[action].split(",")]
            for other in (each for each in DEFAULT_KEYS if each in actions and each != action):
                held = keys.get(other, DEFAULT_KEYS[other]).split(",")
                for key in (each for each in new if each in held):
                    is_its_own = other not in keys or key in DEFAULT_KEYS[other].split(",")
                    if is_its_own or rebound.index(other) < rebound.index(action):
                        yield action, key, other, place
