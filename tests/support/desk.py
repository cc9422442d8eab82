"""A dashboard and a flow whose runs a test makes: what the tests of forms share."""

from __future__ import annotations

import asyncio
from typing import Any

from flowlatch.model.query import RunQuery
from flowlatch.model.run import Flow, FlowId, FlowRun, RunId
from flowlatch.ui.messages import OpenCreate
from flowlatch.ui.screens.create import CreateScreen
from tests.support.dashboard import Deck
from tests.support.wire import Wire

PARAMETERS: list[dict[str, Any]] = [
    {"name": "day", "required": True, "annotation": "date"},
    {"name": "region", "default": "eu", "annotation": "eu|us|apac"},
    {"name": "limit", "default": 10},
]


class Desk:
    """A dashboard and a flow to make runs of."""

    def __init__(self, deck: Deck, wire: Wire, flow_id: str) -> None:
        self.deck = deck
        self.wire = wire
        self.flow_id = flow_id

    async def flow(self) -> Flow:
        """Read the flow."""
        return await self.deck.app.session.backend.flow(FlowId(self.flow_id))

    async def runs(self) -> list[FlowRun]:
        """Read the runs of the flow, whole."""
        backend = self.deck.app.session.backend
        page = await backend.page(RunQuery(flow_ids=(self.flow_id,)))
        return [await backend.run(row.id) for row in page.rows]

    async def opens_create(self) -> CreateScreen:
        """Open the form for a new run of the flow, the cursor in the required parameter."""
        self.deck.app.post_message(OpenCreate(await self.flow()))
        form = await self.deck.screen(CreateScreen)
        await self.deck.shows("day *", "region", "limit")
        await self.deck.press("tab", "tab", "tab", "tab")
        return form

    async def a_run(self, **inputs: object) -> FlowRun:
        """Make a run and read it."""
        parameters = {"day": "2026-11-22"}
        run_id = await asyncio.to_thread(
            lambda: self.wire.create_run(self.flow_id, **{"parameters": parameters, **inputs})
        )
        return await self.deck.app.session.backend.run(RunId(run_id))
