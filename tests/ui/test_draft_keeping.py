"""What was typed in a form is kept until its own discarding, and a secret in it is never shown."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from flowlatch.live.drafts import DraftKind
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.drafts import DraftsScreen
from flowlatch.ui.screens.runs import RunsScreen
from flowlatch.ui.widgets.key_field import KeyField
from tests.support.dashboard import LARGE, dashboard
from tests.support.desk import PARAMETERS, Desk
from tests.support.server import ServerProcess
from tests.support.wire import Wire


async def test_closing_keeps_a_draft_that_comes_back_whole(desk: Desk) -> None:
    await desk.opens_create()
    await desk.deck.write("2026-11-22")
    await desk.deck.press("escape")
    await desk.deck.screen(RunsScreen)
    (draft,) = desk.deck.app.session.drafts.all()
    assert draft.kind is DraftKind.CREATE
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.press("enter")
    form = await desk.deck.screen(CreateScreen)
    await desk.deck.shows("day *", "2026-11-22")
    assert form.query_one(KeyField).automatic == draft.fields["automatic_key"], "the key stays: a repeat is safe"


@pytest.mark.parametrize("size", [LARGE])
async def test_a_secret_is_never_shown(desk: Desk) -> None:
    parameters = [*PARAMETERS, {"name": "db_password", "annotation": "str"}]
    desk.flow_id = await asyncio.to_thread(desk.wire.create_flow, f"secret-{uuid4().hex[:8]}", parameters)
    await desk.opens_create()
    await desk.deck.write("2026-11-22")
    await desk.deck.press("tab", "tab", "tab")
    await desk.deck.write("canary")
    await desk.deck.shows("db_password=***", '"db_password": "***"')
    assert "canary" not in desk.deck.text
    await desk.deck.press("escape")
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.shows("new run of secret-", '"db_password": "***"')
    assert "canary" not in desk.deck.text
    await desk.deck.press("enter")
    await desk.deck.screen(CreateScreen)
    await desk.deck.press("ctrl+s")
    await desk.deck.screen(CreatedScreen)
    assert (await desk.runs())[0].parameters == {
        "day": "2026-11-22",
        "region": "eu",
        "limit": 10,
        "db_password": "canary",
    }


async def test_a_draft_is_discarded_only_after_a_question(desk: Desk) -> None:
    await desk.opens_create()
    await desk.deck.write("2026")
    await desk.deck.press("escape")
    await desk.deck.press("D")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.press("X")
    await desk.deck.screen(ConfirmScreen)
    await desk.deck.press("enter")
    await desk.deck.screen(DraftsScreen)
    assert len(desk.deck.app.session.drafts.all()) == 1
    await desk.deck.press("X")
    await desk.deck.screen(ConfirmScreen)
    await desk.deck.press("tab", "enter")
    await desk.deck.screen(DraftsScreen)
    await desk.deck.shows("no drafts")
    assert desk.deck.app.session.drafts.all() == []


async def test_typed_text_survives_an_end_without_closing(
    shared_server: ServerProcess, shared_wire: Wire, flow_id: str
) -> None:
    async with dashboard(shared_server) as deck:
        await Desk(deck, shared_wire, flow_id).opens_create()
        await deck.write("2026-11-22")
        drafts = deck.app.session.drafts
    (draft,) = drafts.all()
    assert "2026-11-22" in draft.fields["params"]
