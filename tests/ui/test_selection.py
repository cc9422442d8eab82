"""Random changes, orders and filters on a real server: the cursor keeps its run, and dialogs keep theirs."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from flowlatch.ui.screens.cancel import CancelScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

DELETE = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"
FILTERS = ("", "flow:etl", "since:3000d", "state:scheduled,running,failed,success")
"""Each lets every run of this server through."""
STEPS = 25


class Storm:
    """Changes runs at random, but for the one under the cursor, which is never deleted."""

    def __init__(self, wire: Wire, dice: random.Random) -> None:
        self.wire, self.dice = wire, dice
        self.flow = wire.create_flow("etl-orders")
        self.versions: dict[str, int] = {}
        self.kept = ""
        for _ in range(12):
            self.add()

    def add(self) -> None:
        start = f"2026-01-{self.dice.randint(1, 28):02d}T{self.dice.randint(0, 23):02d}:00:00"
        name = f"run-{len(self.versions)}-{self.dice.randint(0, 999)}"
        self.versions[self.wire.create_run(self.flow, flow_run_name=name, scheduled_start_time=start)] = 1

    def change(self) -> None:
        run_id = self.dice.choice(list(self.versions))
        state = self.dice.choice(["Running", "Failed", "Success"])
        self.versions[run_id] = self.wire.set_state(run_id, self.versions[run_id], state, "by dice")

    def delete(self) -> None:
        run_id = self.dice.choice([each for each in self.versions if each != self.kept])
        self.wire.data(DELETE, {"input": {"flow_run_id": run_id}})
        del self.versions[run_id]

    def blow(self) -> None:
        self.dice.choice([self.add, self.change, self.change, self.delete])()


def front(deck: Deck) -> RunsScreen:
    screen = deck.app.screen_stack[1]
    assert isinstance(screen, RunsScreen)
    return screen


async def follows(deck: Deck, storm: Storm) -> None:
    """Wait until the list holds what the server holds."""
    table = front(deck).table
    await eventually_async(
        lambda: {row.id: row.version for row in table.window.rows} == storm.versions, 15, what="the server's runs"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_cursor_keeps_its_run_and_a_dialog_its_target(server: ServerProcess, seed: int) -> None:
    dice = random.Random(seed)
    storm = Storm(server.wire(), dice)
    async with dashboard(server) as deck:
        await follows(deck, storm)
        await deck.press(*["j"] * dice.randint(0, 9))
        selected = front(deck).table.selected
        assert selected is not None
        storm.kept = selected.id

        async def order() -> None:
            await deck.press("o", dice.choice("sucanvdm"))

        async def turn() -> None:
            await deck.press("O")

        async def narrow() -> None:
            front(deck).set_filter(dice.choice(FILTERS))

        async def blow() -> None:
            storm.blow()

        acts: list[Callable[[], Awaitable[None]]] = [order, turn, narrow, blow, blow, blow, blow]
        for step in range(STEPS):
            await dice.choice(acts)()
            await deck.pilot.pause()
            await follows(deck, storm)
            now = front(deck).table.selected
            assert now is not None
            assert now.id == storm.kept, f"step {step}"
        kinds: dict[str, type[EditStateScreen] | type[CancelScreen]] = {"e": EditStateScreen, "x": CancelScreen}
        for key, kind in kinds.items():
            await deck.press(key)
            dialog: EditStateScreen | CancelScreen = await deck.screen(kind)
            for _ in range(6):
                storm.blow()
                await follows(deck, storm)
                assert deck.app.screen is dialog
                assert dialog.base.run_id == storm.kept
            await deck.press("escape")
            await deck.screen(RunsScreen)
