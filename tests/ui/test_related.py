"""What made a run, what it made, what was made from it: found both ways and opened by enter, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from flowlatch.model.kin import How
from flowlatch.model.run import RunId
from flowlatch.ui.messages import OpenCreate, OpenRetry, OpenRun
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.retry import RetryScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.widgets.key_field import KeyField
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

TASKS = "query($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}}) { id task { slug } } }"


class Family:
    """A run of a flow with two tasks, one of which made a run of another flow."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.name = f"up-{uuid4().hex[:8]}"
        self.flow = wire.create_flow(self.name, tasks=["extract", "start_load"])
        self.parent = wire.create_run(self.flow, flow_run_name="amber-lynx")
        wire.create_run(self.flow, flow_run_name="calm-otter")
        tasks = {row["task"]["slug"]: row["id"] for row in wire.data(TASKS, {"id": self.parent})["task_run"]}
        load = wire.create_flow(f"load-{uuid4().hex[:8]}")
        self.child = wire.create_run(load, flow_run_name="shy-mole", idempotency_key=tasks["start_load"])


@pytest.fixture
async def family(shared_wire: Wire) -> Family:
    """Make the runs."""
    return await asyncio.to_thread(Family, shared_wire)


@pytest.fixture
async def deck(shared_server: ServerProcess, family: Family) -> AsyncIterator[Deck]:
    """The dashboard on the tab of related runs of the parent."""
    async with dashboard(shared_server) as deck:
        deck.app.screen.post_message(OpenRun(RunId(family.parent), "related"))
        await deck.screen(RunScreen)
        yield deck


def shown(deck: Deck) -> str:
    """The id of the run in front."""
    assert isinstance(deck.app.screen, RunScreen)
    return deck.app.screen.run_id


def line_of(deck: Deck, heading: str) -> str:
    """Return the line with this heading."""
    return next((line for line in deck.text.splitlines() if line.strip().startswith(heading)), "")


async def test_a_child_and_its_parent_lead_to_each_other(deck: Deck, family: Family) -> None:
    text = await deck.shows("[Related]", "shy-mole", "calm-otter", "all runs of this flow")
    assert "none known" in line_of(deck, "parent")
    assert "shy-mole" in line_of(deck, "children")
    assert "calm-otter" in line_of(deck, "same flow")
    assert "not retried" in text
    await deck.press("enter")
    await eventually_async(lambda: shown(deck) == family.child, what="the child, on which the cursor began")
    for _ in range(4):
        await deck.press("right_square_bracket")
    await deck.shows("[Related]", "amber-lynx")
    assert "task start_load" in line_of(deck, "parent")
    await deck.press("g", "enter")
    assert await eventually_async(lambda: shown(deck) == family.parent)


async def test_a_retry_leads_to_its_source_and_back(deck: Deck, family: Family) -> None:
    await deck.shows("not retried")
    run = await deck.app.session.backend.run(RunId(family.parent))
    deck.app.post_message(OpenRetry([run]))
    await deck.screen(RetryScreen)
    await deck.press("tab", "enter")
    await eventually_async(lambda: isinstance(deck.app.screen, RunScreen) and shown(deck) != family.parent)
    retry = shown(deck)
    await deck.shows(f"as retry of {family.parent[:4]}…{family.parent[-4:]}")
    await deck.press("colon")
    await deck.write("related")
    await deck.press("enter")
    await deck.shows("[Related]", "retry of")
    assert "amber-lynx" in line_of(deck, "retry of")
    await deck.press("g", "j", "j", "enter")
    await eventually_async(lambda: shown(deck) == family.parent)
    made = await deck.app.session.backend.run(RunId(retry))
    found = await deck.app.session.backend.relatives(run)
    assert [each.run.id for each in found if each.relation == "copy"] == [retry]
    assert made.context in (None, {}), "nothing is put into what the flow sees"


async def test_a_retry_from_elsewhere_appears_while_one_looks(
    deck: Deck, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowlatch.live.detail.RELATED_EVERY_S", 0.05)
    await deck.shows("not retried")
    key = f"retry-{family.parent}-0a1b2c3d4e5f"
    await asyncio.to_thread(family.wire.create_run, family.flow, flow_run_name="odd-wren", idempotency_key=key)
    await eventually_async(lambda: "odd-wren" in line_of(deck, "retried as"))
    later = await asyncio.to_thread(family.wire.set_state, family.child, 1, "Failed", "no space left")
    assert later == 2
    assert await eventually_async(lambda: "x Failed" in line_of(deck, "children"))


async def test_the_last_line_lists_all_runs_of_the_flow(deck: Deck, family: Family) -> None:
    await deck.shows("all runs of this flow")
    await deck.press("G", "enter")
    runs = await deck.screen(RunsScreen)
    assert family.name in runs.filter_text


async def test_a_clone_names_what_it_was_made_from(deck: Deck, family: Family) -> None:
    run = await deck.app.session.backend.run(RunId(family.parent))
    deck.app.post_message(OpenCreate(None, run))
    form = await deck.screen(CreateScreen)
    await deck.shows(f"clone-{family.parent[:4]}…", f"[ {family.name}", "]  v1")
    await deck.press("ctrl+s")
    await deck.screen(CreatedScreen)
    copies = [each for each in await deck.app.session.backend.relatives(run) if each.how is How.CLONE]
    assert [each.run.idempotency_key for each in copies] == [form.query_one(KeyField).automatic]
