"""An operator sets the state of a run that a real agent executes: what becomes of the runner's own next change.

What is asserted here is what `docs/prefect1.md` tells.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flowlatch.model.run import RunId
from flowlatch.ui.messages import OpenEditState
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.compat.prefect1 import Agent
from tests.compat.seen import RUN_S, finished, messages, running_in, states_of
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire

pytestmark = pytest.mark.usefixtures("agent")
OVER = "Flow run RUNNING: terminal tasks are incomplete."
"""What the runner logs when it leaves a run without having ended it."""
NO_LONGER = "Flow run is no longer in a running state; the current state is: <{state}:"


class Gate:
    """What the tasks that linger wait for."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "gate"
        self.parameters = {"gate": str(self._file)}

    def open(self) -> None:
        """Let them end."""
        self._file.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that is closed."""
    return Gate(tmp_path)


def actors(wire: Wire, run_id: str) -> list[str | None]:
    """Return who set each state of a run, oldest first."""
    return [state["actor"] for state in wire.run(run_id)["states"]]


async def edit_form(deck: Deck, run_id: str) -> EditStateScreen:
    """Open the edit form on a run as it is now."""
    run = await deck.app.session.backend.run(RunId(run_id))
    deck.app.post_message(OpenEditState(run))
    return await deck.screen(EditStateScreen)


@pytest.mark.parametrize("state", ["Success", "Failed", "Cancelled", "Paused"])
def test_while_tasks_are_left_the_operators_state_stands(
    flows: dict[str, str], wire: Wire, gate: Gate, state: str
) -> None:
    """The task at work ends, the next one is refused, and the runner leaves without a final state."""
    run_id = wire.create_run(flows["steps"], parameters=gate.parameters)
    version = running_in(wire, run_id, "linger")
    assert wire.set_state(run_id, version, state, "set by hand") == version + 1
    eventually(
        lambda: any(line.startswith(NO_LONGER.format(state=state)) for line in messages(wire, run_id)),
        RUN_S,
        "the runner notices",
    )
    gate.open()
    eventually(lambda: OVER in messages(wire, run_id), RUN_S, "the runner leaves")
    assert wire.states(run_id) == ["Scheduled", "Submitted", "Running", state]
    assert states_of(wire, run_id, "linger")[-1] == "Success", "the task that ran reports what it did"
    assert "Running" not in states_of(wire, run_id, "follow_up")
    assert any("cannot be Running while its flow run is" in line for line in messages(wire, run_id))


def test_in_the_last_task_the_runners_final_state_is_taken(
    flows: dict[str, str], wire: Wire, compat_server: ServerProcess, agent: Agent, gate: Gate
) -> None:
    """A final state carries no version: nothing can refuse it. Both decisions are in the history, with their actors."""
    operator = compat_server.wire(**{"X-Flowlatch-Actor": "mira@ops-2"})
    run_id = wire.create_run(flows["long"], parameters=gate.parameters)
    version = running_in(wire, run_id, "linger")
    operator.set_state(run_id, version, "Cancelled", "enough")
    gate.open()
    eventually(lambda: wire.run(run_id)["state"] == "Success", RUN_S, "the runner reports its end")
    assert wire.states(run_id) == ["Scheduled", "Submitted", "Running", "Cancelled", "Success"]
    assert actors(wire, run_id)[3] == "mira@ops-2"
    assert actors(wire, run_id)[4] != "mira@ops-2"
    assert states_of(wire, run_id, "linger") == ["Pending", "Running", "Cancelled", "Success"]


def test_scheduled_hands_the_run_out_again_and_no_task_runs_twice(
    flows: dict[str, str], wire: Wire, agent: Agent, gate: Gate
) -> None:
    """Two processes share the run; each task is started by one of them, because Running needs the task's version."""
    run_id = wire.create_run(flows["steps"], parameters=gate.parameters)
    version = running_in(wire, run_id, "linger")
    wire.set_state(run_id, version, "Scheduled", "again, please")
    eventually(lambda: messages(wire, run_id).count(OVER) == 1, RUN_S, "the second runner leaves the task to the first")
    gate.open()
    assert finished(wire, run_id, agent)["state"] == "Success"
    again = ["Scheduled", "Submitted", "Running"]
    assert wire.states(run_id) == [*again, *again, "Success"]
    for task in ("linger", "follow_up"):
        assert states_of(wire, run_id, task) == ["Pending", "Running", "Success"]


async def test_from_the_dashboard_a_state_is_set_and_the_process_goes_on(
    flows: dict[str, str], wire: Wire, compat_server: ServerProcess, agent: Agent, gate: Gate
) -> None:
    """As the edit form says: setting a state does not stop the process; the tasks that are left do not start."""
    run_id = await asyncio.to_thread(wire.create_run, flows["steps"], parameters=gate.parameters)
    version = await asyncio.to_thread(running_in, wire, run_id, "linger")
    async with dashboard(compat_server) as deck:
        await edit_form(deck, run_id)
        await deck.press("right", "right", "tab")
        await deck.write("stuck, set by hand")
        await deck.shows(f"v{version} > Running → v{version + 1} x Failed", "It does not stop the process")
        await deck.press("ctrl+s")
        await deck.screen(RunsScreen)
    gate.open()
    await asyncio.to_thread(eventually, lambda: OVER in messages(wire, run_id), RUN_S, "the runner leaves")
    run = await asyncio.to_thread(wire.run, run_id)
    assert (run["state"], run["state_message"]) == ("Failed", "stuck, set by hand")


async def test_an_edit_that_the_runner_overtook_is_a_conflict(
    flows: dict[str, str], wire: Wire, compat_server: ServerProcess, agent: Agent, gate: Gate
) -> None:
    """The lock works both ways: the form is based on Running, the runner ends the run, nothing is written."""
    run_id = await asyncio.to_thread(wire.create_run, flows["long"], parameters=gate.parameters)
    version = await asyncio.to_thread(running_in, wire, run_id, "linger")
    async with dashboard(compat_server) as deck:
        await edit_form(deck, run_id)
        await deck.press("right", "right", "tab")
        await deck.write("stuck")
        gate.open()
        await asyncio.to_thread(finished, wire, run_id, agent)
        await deck.shows(f"!! Changed meanwhile: v{version + 1} + Success", f"based on v{version}")
        await deck.press("ctrl+s")
        await deck.screen(ConflictScreen)
    assert (await asyncio.to_thread(wire.states, run_id))[-1] == "Success"
