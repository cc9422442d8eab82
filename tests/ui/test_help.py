"""The help in plain words: no class names, no keys that do something else here, none that do nothing."""

from __future__ import annotations

import asyncio
import re
from uuid import uuid4

from flowlatch.model.run import FlowId
from flowlatch.ui.messages import OpenCreate
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.help import HelpScreen
from flowlatch.ui.screens.help_entries import Entry, entries
from flowlatch.ui.screens.menu import MenuScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.wire import Wire

HEADINGS = {
    "This screen",
    "The list",
    "Typing",
    "One of several",
    "The choices",
    "The button",
    "Scrolling",
    "Everywhere",
}


def plain(deck: Deck) -> dict[str, list[Entry]]:
    """Return the help of the screen in front, once its words are looked at."""
    parts = entries(deck.app.screen)
    assert set(parts) <= HEADINGS
    for entry in (entry for lines in parts.values() for entry in lines):
        assert not re.search(r"[a-z][A-Z]|_| Home$| End$|Scroll (Up|Down)", entry.sentence), entry
        assert entry.sentence[0].isupper()
        assert entry.keys
    return parts


def keys_of(lines: list[Entry]) -> set[str]:
    return {key for entry in lines for key in entry.keys.split()}


async def test_forms_lists_and_questions_say_what_their_keys_do(
    shared_server: ServerProcess, shared_wire: Wire
) -> None:
    parameters = [{"name": "region", "default": "eu", "annotation": "eu|us"}]
    flow_id = await asyncio.to_thread(shared_wire.create_flow, f"etl-{uuid4().hex[:8]}", parameters)
    async with dashboard(shared_server) as deck:
        plain(deck)
        flow = await deck.app.session.backend.flow(FlowId(flow_id))
        deck.app.post_message(OpenCreate(flow))
        await deck.screen(CreateScreen)
        await deck.press("tab")
        parts = plain(deck)
        typing, form = keys_of(parts["Typing"]), keys_of(parts["This screen"])
        assert {"←", "ctrl+left", "ctrl+w", "end"} <= typing
        assert not {"ctrl+a", "ctrl+e", "ctrl+c", "tab"} & typing, "these do something else here, or do not arrive"
        assert {"ctrl+e", "ctrl+s", "F2", "F5", "tab", "shift+tab"} <= form
        await deck.press("tab", "tab")
        parts = plain(deck)
        assert "← → ↑ ↓" in {entry.keys for entry in parts["One of several"]}
        assert not {"↑", "↓", "←", "→"} & keys_of(parts["Scrolling"])
        await deck.press("f1")
        await deck.screen(HelpScreen)
        await deck.shows("One of several", "Choose another")
        await deck.press("escape", "escape")
        await deck.screen(RunsScreen)
        await deck.press("o")
        await deck.screen(MenuScreen)
        assert "Take it" in {entry.sentence for entry in plain(deck)["The choices"]}
        await deck.press("escape", "exclamation_mark", "exclamation_mark")
        await deck.screen(ConfirmScreen)
        told = {entry.sentence: entry.keys for entry in plain(deck)["The button"]}
        assert "Press the button" in told
        assert told["Go to the other answer"] == "← →"
