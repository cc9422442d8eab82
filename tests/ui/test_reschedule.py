"""Another start for a run that waits, and start it now: through the edit form, under the lock, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from textual.widgets import Input

from flowlatch.model.run import FlowRun, RunId
from flowlatch.ui.messages import OpenCreate, OpenEditState, OpenSchedule
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.screens.schedule import ScheduleScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

DUE = datetime(2031, 2, 28, 6, 0, tzinfo=UTC)
QUEUE = "mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }"


class Waiting:
    """A dashboard and a run that starts in some years, unless somebody says otherwise."""

    def __init__(self, deck: Deck, wire: Wire, run_id: str) -> None:
        self.deck, self.wire, self.id = deck, wire, run_id

    async def run(self) -> FlowRun:
        """Read it."""
        return await self.deck.app.session.backend.run(RunId(self.id))

    async def opens_form(self) -> EditStateScreen:
        """Open the edit form, choose Scheduled again and go to the start."""
        self.deck.app.post_message(OpenEditState(await self.run()))
        form = await self.deck.screen(EditStateScreen)
        await self.deck.press("right", "right", "right", "right", "tab", "tab")
        assert form.typed.state == "Scheduled"
        return form

    async def submits(self) -> FlowRun:
        """Submit, wait until the list is in front and read the run."""
        await self.deck.press("ctrl+s")
        await self.deck.screen(RunsScreen)
        return await self.run()

    async def is_given_to_an_agent(self) -> bool:
        """Ask for work as an agent does."""
        tenant = (await asyncio.to_thread(self.wire.data, "{ tenant { id } }"))["tenant"][0]["id"]
        asked = {"input": {"tenant_id": tenant, "labels": [f"only-{self.id}"]}}
        return self.id in (await asyncio.to_thread(self.wire.data, QUEUE, asked))["get_runs_in_queue"]["flow_run_ids"]


def _note(copied: list[str], message: Any) -> bool:
    copied.append(getattr(message, "text", ""))
    return True


def _made(wire: Wire) -> str:
    run_id = wire.create_run(wire.create_flow(f"later-{uuid4()}"), scheduled_start_time=DUE.isoformat())
    document = "mutation($input: set_flow_run_labels_input!) { set_flow_run_labels(input: $input) { success } }"
    wire.data(document, {"input": {"flow_run_id": run_id, "labels": [f"only-{run_id}"]}})
    return run_id


@pytest.fixture
async def waiting(shared_server: ServerProcess, shared_wire: Wire) -> AsyncIterator[Waiting]:
    """A run that waits."""
    run_id = await asyncio.to_thread(_made, shared_wire)
    async with dashboard(shared_server) as deck:
        yield Waiting(deck, shared_wire, run_id)


async def test_a_run_that_waits_gets_another_start(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    form = await waiting.opens_form()
    text = await waiting.deck.shows("stays 2031-02-28 07:00 +01", "It still starts at 2031-02-28 07:00 +01")
    assert "The state stays; only what is said about it changes." in " ".join(text.split())
    await waiting.deck.write("2031-03-01 9:30")
    await waiting.deck.shows("v1 . Scheduled → v2 . Scheduled", "The start moves from", "2031-03-01T08:30:00Z")
    text = " ".join(waiting.deck.text.split())
    assert "The start moves from 2031-02-28 07:00 +01 to 2031-03-01 09:30 +01, in " in text
    copied: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(form, "post_message", partial(_note, copied))
        form.action_copy_command()
    assert "set-state" in copied[0]
    assert "--at 2031-03-01T08:30:00Z --expect-version 1" in copied[0]
    run = await waiting.submits()
    assert (run.state, run.version) == ("Scheduled", 2)
    assert run.state_start_time == datetime(2031, 3, 1, 8, 30, tzinfo=UTC)
    assert run.scheduled_start_time == DUE, "what it was made for stays"
    assert not await waiting.is_given_to_an_agent()


async def test_a_run_that_waits_is_started_now(waiting: Waiting) -> None:
    assert not await waiting.is_given_to_an_agent()
    await waiting.opens_form()
    await waiting.deck.write("now")
    await waiting.deck.shows("It starts at once instead of at", "an agent may take it now", "Z now")
    run = await waiting.submits()
    assert (run.state, run.version) == ("Scheduled", 2)
    now = await waiting.deck.app.session.backend.server_now()
    assert run.state_start_time is not None
    assert now - timedelta(seconds=60) < run.state_start_time <= now
    assert await waiting.is_given_to_an_agent()


@pytest.mark.usefixtures("slow_drawing")
async def test_keys_reach_a_field_that_the_key_before_them_brought(waiting: Waiting) -> None:
    form = await waiting.opens_form()
    await waiting.deck.write("now")
    assert await eventually_async(lambda: form.typed.start_text == "now", what="the start that was typed")


async def test_another_message_leaves_the_start_as_it_is(waiting: Waiting) -> None:
    await waiting.opens_form()
    await waiting.deck.press("shift+tab")
    await waiting.deck.write("held for the audit")
    run = await waiting.submits()
    assert (run.version, run.state_message, run.state_start_time) == (2, "held for the audit", DUE)


async def test_what_cannot_be_a_start_is_said_and_nothing_is_sent(waiting: Waiting) -> None:
    await waiting.opens_form()
    await waiting.deck.write("2031-03-30 02:30")
    await waiting.deck.shows("does not exist on Sun 30 Mar 2031")
    await waiting.deck.press("ctrl+s")
    await eventually_async(lambda: isinstance(waiting.deck.app.screen, EditStateScreen))
    assert (await waiting.run()).version == 1


async def test_the_form_for_a_later_run_says_gap_past_and_zone(waiting: Waiting) -> None:
    waiting.deck.app.post_message(OpenSchedule(None, source=await waiting.run()))
    form = await waiting.deck.screen(ScheduleScreen)
    await waiting.deck.shows("[ later-")
    await waiting.deck.write("2031-03-30 02:30")
    text = await waiting.deck.shows("does not exist on Sun 30 Mar 2031", "Reads as   -")
    assert "It reads" not in text, "it can be read: there is no such time"
    form.query_one("#start", Input).value = ""
    await waiting.deck.write("2020-01-01 9:00")
    await waiting.deck.shows("Wed 1 Jan 2020 09:00:00 +01:00", " ago", "this is in the past: the run starts at once")
    form.query_one("#start", Input).value = ""
    await waiting.deck.write("2031-01-01 9:00 UTC")
    text = await waiting.deck.shows("Wed 1 Jan 2031 09:00:00 UTC      in ", "10:00:00 +01:00   Europe/Berlin")
    assert "+00:00" not in text, "the same time is not said twice"


async def test_a_flow_typed_into_a_filled_form_replaces_the_one_there(waiting: Waiting) -> None:
    waiting.deck.app.post_message(OpenCreate(None, await waiting.run()))
    await waiting.deck.screen(CreateScreen)
    await waiting.deck.shows("[ later-")
    await waiting.deck.write("lat")
    assert await waiting.deck.shows("[ lat ")


@pytest.mark.parametrize("kind", [CreateScreen, ScheduleScreen])
async def test_what_comes_after_a_form_was_closed_is_dropped(
    kind: type[CreateScreen | ScheduleScreen], waiting: Waiting
) -> None:
    run = await waiting.run()
    waiting.deck.app.post_message(OpenCreate(None, run) if kind is CreateScreen else OpenSchedule(None, source=run))
    form = await waiting.deck.screen(kind)
    await waiting.deck.shows("[ later-")
    await waiting.deck.press("escape")
    await eventually_async(lambda: not form.children, what="the end of its widgets")
    assert waiting.deck.app.session.drafts.all() == [], "who types nothing leaves no draft"
    await form._prepare()  # as an answer does that was on its way
    assert not form.is_open
