"""What the tab of related runs says: parent, children, source, copies, other runs of the flow (ux.md row 25). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flowlatch.live.detail import Part, RunDetail
from flowlatch.model.kin import How, Relation, Relative
from flowlatch.model.run import FlowId, FlowRun
from flowlatch.ui.screens.run_facts import SOURCE_WORDS
from flowlatch.ui.screens.times import Times
from flowlatch.ui.widgets.related_view import RelatedRow


def related_rows(detail: RunDetail, times: Times) -> list[RelatedRow]:
    """Return a line for each related run, in groups; a group without one says so. Empty until both parts are read."""
    if Part.KIN not in detail.loaded_at or Part.RELATED not in detail.loaded_at:
        return []
    kin = detail.kin
    flow_id = detail.run.flow_id if detail.run else None

    def group(heading: str, members: Sequence[Relative], nobody: str = "") -> list[RelatedRow]:
        if not members:
            return [RelatedRow(heading, note=nobody)] if nobody else []
        return _headed(heading, [_row(each.run, times, flow_id, each.task) for each in members])

    copies = _of(kin, Relation.COPY)
    rows = group("parent", _of(kin, Relation.PARENT), "none known")
    rows += group("children", _of(kin, Relation.CHILD), "none known")
    for each in _of(kin, Relation.SOURCE):
        rows += group(SOURCE_WORDS[each.how or How.RETRY], [each])
    rows += group("retried as", [each for each in copies if each.how is How.RETRY], "not retried from here")
    rows += group("copied as", [each for each in copies if each.how is How.CLONE])
    others = _headed("same flow", [_row(run, times, flow_id) for run in detail.related])
    last = RelatedRow("" if others else "same flow", note="all runs of this flow, as a list", opens_flow=True)
    return [*rows, *others, last]


def _of(kin: Sequence[Relative], relation: Relation) -> list[Relative]:
    return [each for each in kin if each.relation is relation]


def _row(run: FlowRun, times: Times, flow_id: FlowId | None, task: str = "") -> RelatedRow:
    name = run.name or run.id[:8]
    return RelatedRow(
        "",
        run,
        title=name if run.flow_id == flow_id else f"{run.flow_name} / {name}",
        note=f"task {task}" if task else "",
        is_late=run.late_by(times.now) is not None,
    )


def _headed(heading: str, rows: list[RelatedRow]) -> list[RelatedRow]:
    """Put the heading into the first line of a group."""
    return [replace(row, heading=heading) for row in rows[:1]] + rows[1:]
