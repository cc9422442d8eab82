"""Every key once: a named Binding with its action id, a word for the key line, and a sentence for the help screen.

A screen lists the ones it acts on in its `BINDINGS`; key line, help and README read them from there. The id is what
`[keys]` in the configuration file rebinds. Nothing is on ctrl+a and ctrl+b (tmux, screen), nor on ctrl+h, ctrl+i,
ctrl+j and ctrl+m, which arrive as other keys; ctrl+d moves and never deletes. Source: ux.md §3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.binding import Binding
from textual.keys import format_key

FORBIDDEN = frozenset({"ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"})
"""Keys that nothing may be bound to."""


def _key(
    action: str, keys: str, word: str, sentence: str, *, show: bool = False, priority: bool = False, call: str = ""
) -> Binding:
    """A binding whose id is its action; `call` is the action with its argument where it has one."""
    return Binding(keys, call or action, word, show=show, tooltip=sentence, id=action, priority=priority)


CURSOR_DOWN = _key("cursor_down", "j,down", "Down", "Move down")
CURSOR_UP = _key("cursor_up", "k,up", "Up", "Move up")
TOP = _key("top", "g,home", "Top", "Go to the first row")
BOTTOM = _key("bottom", "G,end", "Bottom", "Go to the last row")
HALF_DOWN = _key("half_page_down", "ctrl+d", "Half page down", "Move half a page down")
HALF_UP = _key("half_page_up", "ctrl+u", "Half page up", "Move half a page up")
PAGE_DOWN = _key("page_down", "pagedown", "Page down", "Move a page down")
PAGE_UP = _key("page_up", "pageup", "Page up", "Move a page up")
COLUMN_LEFT = _key("column_left", "left", "Columns left", "Show the columns to the left")
COLUMN_RIGHT = _key("column_right", "right", "Columns right", "Show the columns to the right")

OPEN = _key("open_run", "enter", "Open", "Open the run under the cursor")
BACK = _key("back", "escape", "Back", "Close the prompt, then drop marks, then the filter, then go back")
HISTORY_BACK = _key("history_back", "less_than_sign", "Back", "Go to the screen before this one")
HISTORY_FORWARD = _key("history_forward", "greater_than_sign", "Forward", "Go forward again")
LAST_VIEW = _key("last_view", "minus", "Last view", "Go to the view you came from, and again to return")
PREVIOUS_TAB = _key("previous_tab", "left_square_bracket", "Previous tab", "Previous tab or page")
NEXT_TAB = _key("next_tab", "right_square_bracket", "Next tab", "Next tab or page")

FILTER = _key("filter", "slash", "Filter", "Filter by text and by state: flow: label: since: …", show=True)
SEARCH = _key("search", "slash", "Search", "Search in this text", show=True)
NEXT_HIT = _key("next_hit", "n", "Next hit", "Next hit, while a search is open")
PREVIOUS_HIT = _key("previous_hit", "N", "Previous hit", "Previous hit, while a search is open")
SAVED_FILTERS = _key("saved_filters", "f", "Saved", "Saved filters: take one, save this one")
ORDER = _key("order", "o", "Order", "Choose the column to order by")
REVERSE_ORDER = _key("reverse_order", "O", "Reverse", "Reverse the order")
FAULTS = _key("faults", "Z", "Faults", "Show only runs that failed or are late, and again to return")
STATE_TABS = tuple(
    _key(f"state_tab_{number}", str(number), f"Tab {number}", f"State tab {number}", call=f"state_tab({number})")
    for number in range(1, 10)
)

COMMAND = _key("command", "colon", "Cmd", "Type a command, with completion and history", show=True)
PALETTE = _key("palette", "ctrl+p", "Cmd", "The same, also where letters are text", priority=True)
HELP = _key("help", "question_mark,f1", "Help", "The keys of this screen", show=True)

NEW_RUN = _key("new_run", "n", "New", "Create a run of a flow", show=True)
NEW_FROM = _key("new_from", "N", "New from this", "Create a run with the parameters of this one")
SCHEDULE = _key("schedule", "s,t", "Schedule", "Create a run that starts later", show=True)

EDIT_STATE = _key("edit_state", "e,m", "Edit state", "Set another state, on the version you see", show=True)
CANCEL = _key("cancel", "x", "Cancel", "Cancel the run, after a question", show=True)
RETRY = _key("retry", "R", "Retry", "Run it again as a new run, after a question", show=True)
UNDO = _key("undo", "z", "Undo", "Propose the previous state as a new version")

MARK = _key("mark", "space", "Mark", "Mark the run under the cursor, or unmark it")
MARK_RANGE = _key("mark_range", "v", "Range", "Mark all from here to where the cursor goes; again to end")
MARK_ALL = _key("mark_all", "asterisk", "All", "Mark all runs that match the filter")
UNMARK_ALL = _key("unmark_all", "U", "Unmark", "Unmark all runs")

LOGS = _key("logs", "l", "Logs", "Logs of the run", show=True)
HISTORY = _key("history", "h", "History", "Every state of the run, with version and who set it", show=True)
RAW = _key("raw", "J", "Raw JSON", "The run as the server sent it")
OPEN_WEB = _key("open_web", "w", "Web", "Open the run's page in a browser, after showing the address")
PANE = _key("pane", "i", "Pane", "Show or hide the side pane")

COPY = _key("copy", "y", "Copy", "Copy: i id, n name, l link, j JSON, k key, c command", show=True)
EXPORT = _key("export", "E", "Export", "Write the rows, or the logs, to a file", show=True)

FREEZE = _key("freeze", "p", "Freeze", "Hold the view still; counts and rows stop moving")
REFRESH = _key("refresh", "r", "Refresh", "Load anew, or try to connect now")
TRY_NOW = _key("try_now", "ctrl+r", "Try now", "The same, also where letters are text", priority=True)
TIME_STYLE = _key("time_style", "T", "Times", "Write times as relative, local or UTC")
WIDE = _key("wide", "W", "Columns", "Choose the columns, narrow or wide")
CONNECTIONS = _key("connections", "C", "Connections", "Go to another server")
DRAFTS = _key("drafts", "D", "Drafts", "What you typed and did not send")
READ_ONLY = _key("read_only", "exclamation_mark", "Read-only", "Switch writing off; switching it on asks")

SUBMIT = _key("submit", "ctrl+s,f2", "Submit", "Send the form", show=True)
REVIEW = _key("review", "ctrl+s,f2", "Review the conflict…", "See what changed before anything is sent", show=True)
READ_BACK = _key("read_back", "ctrl+s,f2", "Read back", "Find out by reading whether it was done", show=True)
SEND_REST = _key("send_rest", "ctrl+s,f2", "The rest", "Send what was not sent, read back what is unknown", show=True)
STOP = _key("stop", "escape", "Stop", "Send nothing more; what is under way ends", show=True)
NEXT_FIELD = _key("next_field", "tab", "Next", "Go to the next field", priority=True, call="app.focus_next")
PREVIOUS_FIELD = _key(
    "previous_field", "shift+tab", "Previous", "Go to the previous field", priority=True, call="app.focus_previous"
)
EDITOR = _key("editor", "ctrl+e", "Editor", "Edit the text in $EDITOR", priority=True)
SEE_CHANGE = _key("see_change", "f3", "See", "See what changed meanwhile")
TAKE_CHANGE = _key("take_change", "f4", "Take it", "Take the other's change and drop yours")
COPY_COMMAND = _key("copy_command", "f5", "As command", "Copy this form as a command line")
DISCARD = _key("discard", "X", "Discard", "Discard this draft, after a question", show=True)
NEW_KEY = _key("new_key", "k", "New key", "Back to the form with a fresh key", show=True)
CLOSE = _key("close", "escape", "Close", "Close the form; what you typed is kept as a draft", show=True)

TAKE_THEIRS = _key("take_theirs", "r,enter", "Refresh", "Take the server's version; yours is set aside as a draft")
KEEP_EDITING = _key("keep_editing", "e", "Keep editing", "Keep your text, on top of the server's version")
APPLY_MINE = _key("apply_mine", "a", "Apply mine", "Apply yours to the server's version; asks again")
COMPARE = _key("compare", "d", "Compare", "Compare the three versions in full")
COPY_REPORT = _key("copy_report", "y", "Copy report", "Copy this report")

FOLLOW = _key("follow", "F", "Follow", "Follow the end of the log, or stop")
WRAP = _key("wrap", "W", "Wrap", "Wrap long lines, or cut them")
LEVEL = _key("level", "L", "Level", "Choose the lowest level shown")

FOLD = _key("fold", "space,enter", "Fold", "Fold or unfold the value under the cursor")
FOLD_ALL = _key("fold_all", "c", "Fold all", "Fold everything to its first level, or unfold it")
REVEAL = _key("reveal", "v", "Reveal", "Show secret values, or mask them again")
COPY_VALUE = _key("copy_value", "Y", "Copy value", "Copy the value under the cursor")
ARCHIVE = _key("archive", "A", "Archive", "Archive this version of the flow, after a question", show=True)
SCHEDULE_ACTIVE = _key(
    "schedule_active", "S", "Schedule on/off", "Switch the flow's schedule, after a question", show=True
)
SHOW_RUNS = _key("show_runs", "enter", "Runs", "List the runs of this flow", show=True)

QUIT = _key("quit", "q", "Quit", "Quit; asks only with drafts or unknown outcomes")
INTERRUPT = _key("interrupt", "ctrl+c", "Quit", "Press twice to quit", priority=True)
SUSPEND = _key("suspend_process", "ctrl+z", "Suspend", "Back to the shell; fg returns", priority=True)

EVERYWHERE = (
    COMMAND,
    HELP,
    BACK,
    HISTORY_BACK,
    HISTORY_FORWARD,
    LAST_VIEW,
    TIME_STYLE,
    CONNECTIONS,
    DRAFTS,
    READ_ONLY,
    QUIT,
)
"""Bound by the app itself, on every screen where letters are keys."""
ALWAYS = (PALETTE, TRY_NOW, INTERRUPT, SUSPEND)
"""Bound by the app on every screen, forms included."""
MOVES = (CURSOR_DOWN, CURSOR_UP, TOP, BOTTOM, HALF_DOWN, HALF_UP, PAGE_DOWN, PAGE_UP)
"""For every list and text that scrolls."""


def all_keys() -> dict[str, Binding]:
    """Return every binding of this module by action id."""
    found: dict[str, Binding] = {}
    for value in globals().values():
        for binding in value if isinstance(value, tuple) else (value,):
            if isinstance(binding, Binding) and binding.id:
                found[binding.id] = binding
    return found


_SHOWN = {
    "escape": "esc",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "space": "space",
    "enter": "enter",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def shown(key: str) -> str:
    """Return how a key is written on the screen: `:`, `ctrl+p`, `F2`, `esc`."""
    if key in _SHOWN:
        return _SHOWN[key]
    if key.startswith("f") and key[1:].isdigit():
        return key.upper()
    return format_key(key) if "+" not in key else key


def shown_keys(binding: Binding, keymap: Mapping[str, str] | None = None) -> list[str]:
    """Return the keys of a binding as shown, after the rebinds of `keymap` (action id → comma-separated keys)."""
    keys = (keymap or {}).get(binding.id or "", binding.key)
    return [shown(key.strip()) for key in keys.split(",")]


@dataclass(frozen=True)
class Keymap:
    """The operator's own keys, checked."""

    keys: dict[str, str]
    """Action id → comma-separated keys, ready for Textual's `App.set_keymap`."""
    problems: list[str]
    """One clear line each; the default keys are kept for those."""


def checked_keymap(wanted: Mapping[str, Iterable[str]], *, where: str = "[keys]") -> Keymap:
    """Return the rebinds that can be used: known actions, keys that arrive, no two actions of one screen on one key."""
    known = all_keys()
    keys: dict[str, str] = {}
    problems: list[str] = []
    for action, given in wanted.items():
        names = [_normal(key) for key in given]
        bad = next((name for name in names if not name or name in FORBIDDEN or " " in name), None)
        if action not in known:
            problems.append(f"{where} {action!r}: no such action; the help screen (?) lists them")
        elif bad is not None:
            problems.append(f'{where} {action}: {bad!r} cannot be bound; e.g. "e", "ctrl+e", "f5"')
        else:
            keys[action] = ",".join(names)
    for action, other, key in list(_clashes(known, keys)):
        problems.append(f"{where} {action}: {shown(key)} is taken by {other}; {action} keeps {known[action].key}")
        keys.pop(action, None)
    return Keymap(keys, problems)


def _normal(key: str) -> str:
    from textual.keys import _character_to_key

    key = key.strip()
    return _character_to_key(key) if len(key) == 1 else key


def _clashes(known: Mapping[str, Binding], keys: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    """Yield (rebound action, action that has the key, key) for actions that live on the list or everywhere."""
    owner: dict[str, str] = {}
    for action in LIST_ACTIONS:
        if action in keys:
            continue
        for key in known[action].key.split(","):
            owner[key] = action
    for action, text in keys.items():
        for key in text.split(","):
            if action in LIST_ACTIONS and owner.setdefault(key, action) != action:
                yield action, owner[key], key
                break


LIST_KEYS = (
    *MOVES,
    COLUMN_LEFT,
    COLUMN_RIGHT,
    OPEN,
    NEW_RUN,
    SCHEDULE,
    EDIT_STATE,
    CANCEL,
    RETRY,
    LOGS,
    HISTORY,
    COPY,
    EXPORT,
    FILTER,
    NEW_FROM,
    UNDO,
    MARK,
    MARK_RANGE,
    MARK_ALL,
    UNMARK_ALL,
    SAVED_FILTERS,
    ORDER,
    REVERSE_ORDER,
    FAULTS,
    *STATE_TABS,
    RAW,
    OPEN_WEB,
    PANE,
    FREEZE,
    REFRESH,
    WIDE,
)
"""What the list of runs binds, in the order of its key line."""
LIST_ACTIONS = frozenset(binding.id or "" for binding in (*LIST_KEYS, *EVERYWHERE, *ALWAYS))
