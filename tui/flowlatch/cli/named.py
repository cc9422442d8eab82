"""Runs and flows by what a person types: an id, the beginning of one, a name."""

from __future__ import annotations

import re
from uuid import UUID

from flowlatch.api.backend import Backend
from flowlatch.errors import BadInput, NotFound
from flowlatch.model.query import RunQuery
from flowlatch.model.run import Flow, FlowId, RunId
from flowlatch.text import one_line

MIN_PREFIX = 6
"""Digits of a run id at least, so that a prefix found today is likely to be unique tomorrow."""
RUN_FORM = f"wants a run id, or its first {MIN_PREFIX} digits or more (0-9 a-f)"
FLOW_LIMIT = 1000


def as_uuid(text: str) -> str | None:
    """Return the canonical form of a whole id, None for anything else."""
    digits = text.lower().replace("-", "")
    return str(UUID(digits)) if re.fullmatch("[0-9a-f]{32}", digits) else None


async def find_run(backend: Backend, text: str) -> RunId:
    """Return the id of the run that `text` names. A whole id is not looked up.

    Raises `BadInput` for what is no id, or a beginning that several runs share, and `NotFound`.
    """
    whole = as_uuid(text)
    if whole:
        return RunId(whole)
    prefix = text.lower()
    if not re.fullmatch("[0-9a-f-]+", prefix) or len(prefix.replace("-", "")) < MIN_PREFIX or len(prefix) > 36:
        raise BadInput(f"run {one_line(text, 60)!r}: {RUN_FORM}")
    page = await backend.page(RunQuery(id_prefix=prefix, limit=2), with_total=False)
    if not page.rows:
        raise NotFound(f"no flow run has an id that begins with {prefix}")
    if len(page.rows) > 1:
        raise BadInput(f"run {prefix}: several ids begin so, e.g. {page.rows[0].id} and {page.rows[1].id}")
    return page.rows[0].id


async def find_flow(backend: Backend, text: str, *, project: str | None = None) -> Flow:
    """Return the flow of an id, or the newest version of the one called `text`, which may be `PROJECT/NAME`.

    Raises `NotFound`, and `BadInput` when several projects have a flow of that name.
    """
    whole = as_uuid(text)
    if whole:
        return await backend.flow(FlowId(whole))
    found = _called(await backend.flows(text=text, limit=FLOW_LIMIT), text, project)
    if not found and project is None and "/" in text:
        folder, _, name = text.partition("/")
        found = _called(await backend.flows(text=name, limit=FLOW_LIMIT), name, folder)
    if not found:
        where = f" in project {one_line(project, 60)}" if project else ""
        raise NotFound(f"no flow is called {one_line(text, 80)!r}{where}; see: flowlatch flows list")
    if len(found) > 1:
        names = ", ".join(f"{flow.project}/{flow.name}" for flow in found)
        raise BadInput(f"flow {one_line(text, 60)!r}: there are several, write one of: {one_line(names, 200)}")
    return found[0]


def _called(flows: list[Flow], name: str, project: str | None) -> list[Flow]:
    return [flow for flow in flows if flow.name == name and project in (None, flow.project)]
