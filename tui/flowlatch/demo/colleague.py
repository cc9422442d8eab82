"""The colleague who edits the run that somebody else is editing: a second client with a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.config import Target
from flowlatch.errors import VersionConflict
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import Category, StateDraft
from flowlatch.text import one_line

NAME = "mira@ops-2"
_TRIES = 5


async def conflict(target: Target, run_id: RunId | None, *, data: Path | None = None) -> str:
    """Change the run, or the one that changed last when None, as the colleague; return a sentence about it.

    Raises `BackendError`, also when the run keeps moving.
    """
    backend = await open_backend(replace(target, actor=NAME), data=data)
    try:
        return await change(backend, run_id)
    finally:
        await backend.aclose()


async def change(backend: Backend, run_id: RunId | None) -> str:
    """Set the state that a colleague who looked into it would set, on the version just read."""
    chosen = run_id or await _latest(backend)
    if chosen is None:
        return "there is no run that the colleague could change"
    moved: VersionConflict | None = None
    for _ in range(_TRIES):
        run = await backend.run(chosen)
        draft = decision(run)
        try:
            version = await backend.set_state(run.id, run.version, draft)
        except VersionConflict as error:
            moved = error
            continue
        return f"{NAME} set {one_line(run.flow_name, 40)} / {one_line(run.name, 40)} to {draft.type} (v{version})"
    assert moved is not None
    raise moved


def decision(run: FlowRun) -> StateDraft:
    """Return what the colleague makes of a run: something else than it is, whatever it is."""
    match run.category:
        case Category.SUCCESS:
            return StateDraft(type="Failed", message="The totals do not add up, see the ticket")
        case Category.RUNNING:
            return StateDraft(type="Success", message="Checked by hand: all rows are there")
        case Category.FAILED:
            return StateDraft(type="Success", message="Checked by hand: the data is complete")
        case _:
            return StateDraft(type="Cancelled", message="Not needed today")


async def _latest(backend: Backend, states: Sequence[str] = ("Running",)) -> RunId | None:
    """Return the run that changed last, a running one if there is any."""
    for wanted in (tuple(states), ()):
        query = RunQuery(states=wanted, sort=Sort(key=SortKey.UPDATED), limit=1)
        page = await backend.page(query, with_total=False)
        if page.rows:
            return page.rows[0].id
    return None
