"""What the fields of a new run mean: pure helpers of the form, and one read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from textual.content import Content

from flowlatch.errors import BackendError, BadInput
from flowlatch.live.session import Session
from flowlatch.model.params import check_text, redacted
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import Flow, FlowRun, NewRun
from flowlatch.model.schedule import StartTime, read_time
from flowlatch.text import one_line
from flowlatch.ui.format import state_label

NOW, LATER = "now", "later"
MAX_NAME = 1024
MAX_KEY_BYTES = 1024


def labels_of(text: str) -> list[str] | None:
    """Return the labels in `a, b`; None for none typed, which leaves them to the flow."""
    labels = [word.strip() for word in text.split(",")]
    return [label for label in labels if label] or None


def name_problem(text: str, what: str = "name") -> str:
    """Return what is wrong with a run name or a label, empty when it is right."""
    if len(text) > MAX_NAME:
        return f"{what}: over {MAX_NAME} characters"
    try:
        check_text(text)
    except BadInput as problem:
        return f"{what}: {problem}"
    return ""


def key_problem(text: str) -> str:
    """Return what is wrong with a key of one's own, empty when it is right. Case, form and spaces count."""
    if not text:
        return "key: write one, or choose automatic or none"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        return f"key: over {MAX_KEY_BYTES} bytes"
    return name_problem(text, "key")


def start_from(value: Any) -> StartTime | None:
    """Return the start time that a draft kept, None when there is none."""
    if not isinstance(value, dict):
        return None
    try:
        at = datetime.fromisoformat(str(value.get("at"))).astimezone(UTC)
    except ValueError:
        return None
    reading = read_time(at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "UTC", at)
    if not isinstance(reading, StartTime):
        return None
    local = read_time("now", str(value.get("zone") or "UTC"), at)
    zone, offset = (local.zone, local.offset) if isinstance(local, StartTime) else ("UTC", "+00:00")
    return StartTime(at, zone, offset)


async def newest_runs(session: Session, flow: Flow, *, limit: int) -> list[FlowRun]:
    """Return the newest runs of a flow; empty when they cannot be read now."""
    query = RunQuery(flow_ids=(flow.id,), sort=Sort(key=SortKey.CREATED), limit=limit)
    try:
        return list((await session.backend.page(query, with_total=False)).rows)
    except BackendError:
        return []


def request_content(new: NewRun | BadInput, runs: list[FlowRun]) -> Content:
    """Return the side of the form: the request as it will be sent, and the newest runs of the flow."""
    parts: list[Content | str | tuple[str, str]] = [("What is sent\n", "bold")]
    if isinstance(new, NewRun):
        from flowlatch.values import dumped

        sent = {name: value for name, value in dumped(new).items() if value is not None}
        parts.append(json.dumps(redacted(sent), indent=1))
    else:
        parts.append((f"(not yet: {one_line(new)})", "$muted"))
    if runs:
        parts.append(("\n\nNewest runs of this flow\n", "bold"))
    parts += [f"{state_label(run.state, category=run.category):<12} {one_line(run.name, 26)}\n" for run in runs]
    return Content.assemble(*parts)
