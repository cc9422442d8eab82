"""Finding the runs that a run comes from, and those that come from it: two requests, each condition on an index."""

from __future__ import annotations

from typing import Any

from flowlatch.api import convert
from flowlatch.api.call import Caller
from flowlatch.api.documents import Dialect
from flowlatch.model.kin import (
    How,
    Relation,
    Relative,
    child_keys,
    copies_pattern,
    maker_in_context,
    maker_in_key,
    source_of,
)
from flowlatch.model.run import FlowRun, RunId, TaskRunId


async def relatives(call: Caller, dialect: Dialect, run: FlowRun) -> list[Relative]:
    """Return parents, children, source and copies of a whole run, each group oldest first."""
    source, maker, named = source_of(run), maker_in_key(run), maker_in_context(run)
    wanted = {str(each) for each in (source[1] if source else None, maker, named) if each}
    variables: dict[str, Any] = {
        "id": run.id,
        "ids": sorted(wanted),
        "tasks": [maker] if maker else [],
        **{str(how): copies_pattern(how, run.id) for how in How},
    }
    answer = await call.read(dialect.kin, variables)
    found = _parents(answer, named, maker)
    found += await _children(call, dialect, run.id, answer)
    for each in _runs(answer, "named"):
        if source and each.id == source[1]:
            found.append(Relative(relation=Relation.SOURCE, run=each, how=source[0]))
    for how in How:
        found += [Relative(relation=Relation.COPY, run=each, how=how) for each in _runs(answer, str(how))]
    return [each for each in found if each.run.id != run.id]


def _parents(answer: dict[str, Any], named: RunId | None, maker: str | None) -> list[Relative]:
    """Return the run whose task made this one, else the run that is named as its maker."""
    makers, _ = convert.rows(answer.get("makers"), _maker)
    if makers:
        return makers
    parents = [each for each in _runs(answer, "named") if each.id in (named, maker)]
    return [Relative(relation=Relation.PARENT, run=each) for each in parents]


async def _children(call: Caller, dialect: Dialect, run_id: RunId, answer: dict[str, Any]) -> list[Relative]:
    tasks, _ = convert.rows(answer.get("own_tasks"), _own_task)
    rows = await call.read(dialect.children, {"keys": child_keys(run_id, tasks)})
    return [Relative(relation=Relation.CHILD, run=each) for each in _runs(rows, "flow_run")]


def _own_task(row: Any) -> tuple[TaskRunId, int]:
    index = convert.number(row, "map_index")
    return TaskRunId(convert.required_text(row, "id")), -1 if index is None else index


def _maker(row: Any) -> Relative:
    task = convert.text(row, "name") or convert.text(convert.child(row, "task"), "name") or ""
    return Relative(relation=Relation.PARENT, run=convert.flow_run(row.get("flow_run")), task=task)


def _runs(answer: dict[str, Any], field: str) -> list[FlowRun]:
    return convert.rows(answer.get(field), convert.flow_run)[0]
