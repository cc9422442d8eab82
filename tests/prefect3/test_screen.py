"""The dashboard on a real Prefect 3 server: seeing, editing, conflicts of both kinds, creating."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from flowlatch.api.prefect3.backend import Prefect3Backend
from flowlatch.model.run import FlowId, RunId
from flowlatch.model.versions import version_label
from flowlatch.ui.messages import OpenCreate, OpenEditState
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from tests.prefect3.server import Prefect3Server
from tests.support.dashboard import Deck, dashboard
from tests.support.waiting import eventually_async


@pytest.fixture
async def deck(prefect3: Prefect3Server) -> AsyncIterator[Deck]:
    """A dashboard on the server."""
    async with dashboard(prefect3, url=prefect3.url, poll_s=1.0) as deck:
        yield deck


async def opens_form(deck: Deck, run_id: str) -> EditStateScreen:
    """Open the edit form on the run as it is."""
    deck.app.post_message(OpenEditState(await deck.app.session.backend.run(RunId(run_id))))
    return await deck.screen(EditStateScreen)


async def test_runs_are_shown_in_the_servers_own_words(deck: Deck, prefect3: Prefect3Server) -> None:
    flow = f"words-{uuid4().hex[:6]}"
    deployment = prefect3.deployment(flow)
    made = [prefect3.run(deployment, name=name) for name in ("amber-lynx", "[b]bold[/b]\x1b[31m", "calm-otter")]
    prefect3.set_state(made[0], "CRASHED", "Crashed", "out of memory")
    prefect3.set_state(made[1], "RUNNING", "Step [b]2", "half of it")
    await deck.press("slash")
    await deck.write(f"flow:{flow}")
    await deck.press("enter")
    await deck.shows("x Crashed", "out of memory", "> Step [b]2", "[b]bold[/b]", ". Scheduled", "calm-otter")
    assert "\x1b" not in deck.text
    await asyncio.to_thread(prefect3.set_state, made[2], "COMPLETED", "Completed", "came by itself")
    await deck.shows("+ Completed", "came by itself")
    await asyncio.to_thread(prefect3.delete, made[2])
    await deck.press("4")
    await deck.hides("calm-otter")
    await deck.shows("x Crashed", "amber-lynx")


async def test_a_state_is_set_and_taken_back(deck: Deck, prefect3: Prefect3Server, deployment: str) -> None:
    run_id = prefect3.run(deployment, name="odd-wren")
    prefect3.set_state(run_id, "FAILED", "Failed", "Timeout calling S3")
    base = await deck.app.session.backend.run(RunId(run_id))
    await opens_form(deck, run_id)
    await deck.shows("Completed", "Failed", "Crashed", "Cancelling", "checked by client")
    await deck.press("right", "tab")
    await deck.write("fixed by hand")
    await deck.shows(f"{version_label(base.version)} x Failed → new + Completed")
    await deck.press("ctrl+s")
    await eventually_async(lambda: prefect3.states(run_id)[-1] == "Completed")
    assert prefect3.ask("GET", f"/flow_runs/{run_id}")["state"]["message"] == "fixed by hand"
    await eventually_async(lambda: any("Completed" in said for said in deck.toasts))


async def test_a_stale_form_meets_a_conflict(deck: Deck, prefect3: Prefect3Server, deployment: str) -> None:
    run_id = prefect3.run(deployment, name="blue-yak")
    await opens_form(deck, run_id)
    await deck.press("right", "right", "tab")
    await deck.write("stuck")
    await asyncio.to_thread(prefect3.set_state, run_id, "COMPLETED", "Completed", "looks good")
    await deck.shows("Changed meanwhile")
    await deck.press("ctrl+s")
    await deck.screen(ConflictScreen)
    await deck.shows("looks good", "stuck")
    assert prefect3.states(run_id) == ["Scheduled", "Completed"], "nothing was written"


async def test_a_change_that_slipped_in_is_told(
    deck: Deck, prefect3: Prefect3Server, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = prefect3.run(deployment, name="tidy-crow")
    look = Prefect3Backend._at

    async def look_and_be_late(self: Prefect3Backend, run: RunId, version: int) -> str:
        found = await look(self, run, version)
        await asyncio.to_thread(prefect3.set_state, run, "COMPLETED", "Completed", "a moment earlier")
        return found

    monkeypatch.setattr(Prefect3Backend, "_at", look_and_be_late)
    await opens_form(deck, run_id)
    await deck.press("right", "right", "tab")
    await deck.write("mine")
    await deck.press("ctrl+s")
    await deck.screen(ConflictScreen)
    await deck.shows("Yours was written", "a moment earlier")
    assert prefect3.states(run_id) == ["Scheduled", "Completed", "Failed"]


async def test_a_run_is_made_from_a_deployment(deck: Deck, prefect3: Prefect3Server, deployment: str) -> None:
    flow = await deck.app.session.backend.flow(FlowId(deployment))
    deck.app.post_message(OpenCreate(flow))
    await deck.screen(CreateScreen)
    await deck.shows("batch *", "mode", "source", "keys do not", "expire on this server")
    await deck.press("tab", "tab", "tab", "tab")
    await deck.write("12")
    await deck.press("ctrl+s")
    await deck.screen(CreatedScreen)
    await deck.shows("Created")
    rows = prefect3.ask("POST", "/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})
    assert [(row["parameters"]["batch"], bool(row["idempotency_key"])) for row in rows] == [(12, True)]
