"""A server with five runs and what its list shows: what the tests of the list share."""

from __future__ import annotations

from typing import Any

from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

NAMES = ("amber-lynx", "calm-otter", "odd-wren", "blue-yak", "tidy-crow")


GONE = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"


class Yard:
    """A server with a few runs and no others, the newest first in the list: amber-lynx, calm-otter, …"""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.wire: Wire = server.wire()
        for run in self.wire.data("{ flow_run { id } }")["flow_run"]:
            self.wire.data(GONE, {"input": {"flow_run_id": run["id"]}})
        flows = self.wire.data("{ flow { id } }")["flow"]
        self.flow = flows[0]["id"] if flows else self.wire.create_flow("etl-orders")
        self.ids: dict[str, str] = {}
        for place, name in enumerate(NAMES):
            self.ids[name] = self.add(name, f"2026-01-01T0{9 - place}:00:00")
        self.wire.set_state(self.ids["calm-otter"], 1, "Failed", "Timeout calling S3")
        self.wire.set_state(self.ids["odd-wren"], 1, "Running", "went off")
        self.wire.set_state(self.ids["blue-yak"], 1, "Success", "All tasks done")

    def add(self, name: str, start: str, **inputs: Any) -> str:
        return self.wire.create_run(self.flow, flow_run_name=name, scheduled_start_time=start, **inputs)


def home(deck: Deck) -> RunsScreen:
    screen = deck.app.screen_stack[1]
    assert isinstance(screen, RunsScreen)
    return screen


def selected(deck: Deck) -> str:
    run = home(deck).table.selected
    return run.name if run else ""


def listed(deck: Deck) -> list[str]:
    return [row.name for row in home(deck).table.window.rows]


async def lists(deck: Deck, names: list[str]) -> None:
    await eventually_async(lambda: listed(deck) == names, what=str(names))
