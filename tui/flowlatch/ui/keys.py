"""Every action that a key calls, once: a named Binding with a word for the key line and a sentence for the help.

A screen lists the ones it acts on in its `BINDINGS`; key line, help and README read them from there. The keys
themselves, which `[keys]` in the configuration file rebinds by action, stand in `flowlatch.keymap`. Source: ux.md §3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from textual.binding import Binding, BindingsMap
from textual.keys import format_key

from flowlatch.keymap import DEFAULT_KEYS


def _key(
    action: str, word: str, sentence: str, *, show: bool = False, priority: bool = False, call: str = ""
) -> Binding:
    """A binding whose id is its action; `call` is the action with its argument where it has one."""
    keys = DEFAULT_KEYS[action]
    return Binding(keys, call or action, word, show=show, tooltip=sentence, id=action, priority=priority)


CURSOR_DOWN = _key("cursor_down", "Down", "Move down")
CURSOR_UP = _key("cursor_up", "Up", "Move up")
TOP = _key("top", "Top", "Go to the first row")
BOTTOM = _key("bottom", "Bottom", "Go to the last row")
HALF_DOWN = _key("half_page_down", "Half page down", "Move half a page down")
HALF_UP = _key("half_page_up", "Half page up", "Move half a page up")
PAGE_DOWN = _key("page_down", "Page down", "Move a page down")
PAGE_UP = _key("page_up", "Page up", "Move a page up")
COLUMN_LEFT = _key("column_left", "Columns left", "Show the columns to the left")
COLUMN_RIGHT = _key("column_right", "Columns right", "Show the columns to the right")

OPEN = _key("open_run", "Open", "Open the run under the cursor")
BACK = _key("back", "Back", "Close the prompt, then drop marks, then the filter, then go back")
HISTORY_BACK = _key("history_back", "Back", "Go to the screen before this one")
HISTORY_FORWARD = _key("history_forward", "Forward", "Go forward again")
LAST_VIEW = _key("last_view", "Last view", "Go to the view you came from, and again to return")
PREVIOUS_TAB = _key("previous_tab", "Previous tab", "Previous tab or page")
NEXT_TAB = _key("next_tab", "Next tab", "Next tab or page")

FILTER = _key("filter", "Filter", "Filter by text and by state: flow: label: since: …", show=True)
SEARCH = _key("search", "Search", "Search in this text", show=True)
NEXT_HIT = _key("next_hit", "Next hit", "Next hit, while a search is open")
PREVIOUS_HIT = _key("previous_hit", "Previous hit", "Previous hit, while a search is open")
SAVED_FILTERS = _key("saved_filters", "Saved", "Saved filters: take one, save this one")
ORDER = _key("order", "Order", "Choose the column to order by")
REVERSE_ORDER = _key("reverse_order", "Reverse", "Reverse the order")
FAULTS = _key("faults", "Faults", "Show only runs that failed or are late, and again to return")
TAB_TITLES = ("All", "Running", "Late", "Failed", "Scheduled", "Success", "Cancelled", "Pending", "Faults")
STATE_TABS = tuple(
    _key(f"state_tab_{number}", f"Tab {number}", f"State tab {number}: {title}", call=f"state_tab({number})")
    for number, title in enumerate(TAB_TITLES, 1)
)

COMMAND = _key("command", "Cmd", "Type a command, with completion and history", show=True)
PALETTE = _key("palette", "Cmd", "The same, also where letters are text", priority=True)
HELP = _key("help", "Help", "The keys of this screen", show=True)

NEW_RUN = _key("new_run", "New", "Create a run of a flow", show=True)
NEW_FROM = _key("new_from", "New from this", "Create a run with the parameters of this one")
SCHEDULE = _key("schedule", "Schedule", "Create a run that starts later", show=True)

EDIT_STATE = _key("edit_state", "Edit state", "Set another state, on the version you see", show=True)
CANCEL = _key("cancel", "Cancel", "Cancel the run, after a question", show=True)
RETRY = _key("retry", "Retry", "Run it again as a new run, after a question", show=True)
UNDO = _key("undo", "Undo", "Propose the previous state as a new version")

MARK = _key("mark", "Mark", "Mark the run under the cursor, or unmark it")
MARK_RANGE = _key("mark_range", "Range", "Mark all from here to where the cursor goes; again to end")
MARK_ALL = _key("mark_all", "All", "Mark all runs that match the filter")
UNMARK_ALL = _key("unmark_all", "Unmark", "Unmark all runs")

LOGS = _key("logs", "Logs", "Logs of the run", show=True)
HISTORY = _key("history", "History", "Every state of the run, with version and who set it", show=True)
RAW = _key("raw", "Raw JSON", "The run as the server sent it")
OPEN_WEB = _key("open_web", "Web", "Open the run's page in a browser, after showing the address")
PANE = _key("pane", "Pane", "Show or hide the side pane")

COPY = _key("copy", "Copy", "Copy: i id, n name, l link, j JSON, k key, c command", show=True)
EXPORT = _key("export", "Export", "Write the rows, or the logs, to a file", show=True)

FREEZE = _key("freeze", "Freeze", "Hold the view still; counts and rows stop moving")
REFRESH = _key("refresh", "Refresh", "Load anew, or try to connect now")
TRY_NOW = _key("try_now", "Try now", "The same, also where letters are text", priority=True)
TIME_STYLE = _key("time_style", "Times", "Write times as relative, local or UTC")
WIDE = _key("wide", "Columns", "Choose the columns, narrow or wide")
CONNECTIONS = _key("connections", "Connections", "Go to another server")
DRAFTS = _key("drafts", "Drafts", "What you typed and did not send")
READ_ONLY = _key("read_only", "Read-only", "Switch writing off; switching it on asks")

SUBMIT = _key("submit", "Submit", "Send the form", show=True)
REVIEW = _key("review", "Review the conflict…", "See what changed before anything is sent", show=True)
READ_BACK = _key("read_back", "Read back", "Find out by reading whether it was done", show=True)
SEND_REST = _key("send_rest", "The rest", "Send what was not sent, read back what is unknown", show=True)
STOP = _key("stop", "Stop", "Send nothing more; what is under way ends", show=True)
NEXT_FIELD = _key("next_field", "Next", "Go to the next field", priority=True, call="app.focus_next")
PREVIOUS_FIELD = _key(
    "previous_field", "Previous", "Go to the previous field", priority=True, call="app.focus_previous"
)
EDITOR = _key("editor", "Editor", "Edit the text in $EDITOR", priority=True)
SEE_CHANGE = _key("see_change", "See", "See what changed meanwhile")
TAKE_CHANGE = _key("take_change", "Take it", "Take the other's change and drop yours")
COPY_COMMAND = _key("copy_command", "As command", "Copy this form as a command line")
DISCARD = _key("discard", "Discard", "Discard this draft, after a question", show=True)
NEW_KEY = _key("new_key", "New key", "Back to the form with a fresh key", show=True)
CLOSE = _key("close", "Close", "Close the form; what you typed is kept as a draft", show=True)

TAKE_THEIRS = _key("take_theirs", "Refresh", "Take the server's version; yours is set aside as a draft")
KEEP_EDITING = _key("keep_editing", "Keep editing", "Keep your text, on top of the server's version")
APPLY_MINE = _key("apply_mine", "Apply mine", "Apply yours to the server's version; asks again")
COMPARE = _key("compare", "Compare", "Compare the three versions in full")
COPY_REPORT = _key("copy_report", "Copy report", "Copy this report")

FOLLOW = _key("follow", "Follow", "Follow the end of the log, or stop")
WRAP = _key("wrap", "Wrap", "Wrap long lines, or cut them")
LEVEL = _key("level", "Level", "Choose the lowest level shown")

FOLD = _key("fold", "Fold", "Fold or unfold the value under the cursor")
FOLD_ALL = _key("fold_all", "Fold all", "Fold everything to its first level, or unfold it")
REVEAL = _key("reveal", "Reveal", "Show secret values, or mask them again")
COPY_VALUE = _key("copy_value", "Copy value", "Copy the value under the cursor")
ARCHIVE = _key("archive", "Archive", "Archive this version of the flow, after a question", show=True)
SCHEDULE_ACTIVE = _key("schedule_active", "Schedule on/off", "Switch the flow's schedule, after a question", show=True)
SHOW_RUNS = _key("show_runs", "Runs", "List the runs of this flow", show=True)

QUIT = _key("quit", "Quit", "Quit; asks only with drafts or unknown outcomes")
INTERRUPT = _key("interrupt", "Quit", "Press twice to quit", priority=True)
SUSPEND = _key("suspend_process", "Suspend", "Back to the shell; fg returns", priority=True)

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


def named(text: str, keymap: Mapping[str, str] | None = None) -> str:
    """Return a sentence of ours with each `{action}` in it as the first key that the action has now.

    Foreign text does not belong into it: put that beside it.
    """
    return re.sub(r"\{(\w+)\}", lambda found: shown_keys(all_keys()[found[1]], keymap)[0], text)


def rebound(bindings: BindingsMap, keymap: Mapping[str, str]) -> BindingsMap:
    """Return bindings with the operator's own keys (action id → comma-separated keys), in the order they had.

    Textual's own keymap puts a rebound action last and takes the keys away from others that share them.
    """
    keys: dict[str, list[Binding]] = {}
    for key, binding in bindings:
        own = keymap.get(binding.id or "")
        for each in own.split(",") if own else (key,):
            here = keys.setdefault(each, [])
            placed = replace(binding, key=each, key_display=None) if own else binding
            if placed not in here:
                here.append(placed)
    return BindingsMap.from_keys(keys)


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
