"""What is said about the task under the cursor: its state in full, what it waits for, what waits for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from flowlatch.model.run import TaskEdge, TaskRun
from flowlatch.text import DETAIL_LIMIT, one_line
from flowlatch.ui.format import duration, foreign_content, state_content
from flowlatch.ui.screens.times import Times
from flowlatch.ui.widgets.task_links import Node, graph, neighbours

MESSAGE_LINES = 3


def task_detail(
    task: TaskRun, whole: Sequence[TaskRun], edges: Sequence[TaskEdge], times: Times, width: int
) -> Content:
    """Return state, times and message of a task, and the graph around it where it has neighbours.

    `whole` has one task run for each task of the flow: not the thousands that a mapped one may have as children.
    """
    tasks = {each.task_slug: Node(_name(each), each.state) for each in whole}
    here = Node(_name(task) + (f" [{task.map_index}]" if task.map_index >= 0 else ""), task.state)
    before, after = neighbours(task.task_slug, edges, tasks)
    lines = [_head(task, here, times), *_message(task, width)]
    if before or after:
        lines += graph(here, before, after, width)
    return Content("\n").join([line.truncate(width, ellipsis=True) for line in lines])


def _name(task: TaskRun) -> str:
    return one_line(task.name or task.task_slug, 60) or task.id[:8]


def _head(task: TaskRun, here: Node, times: Times) -> Content:
    parts = [f"v{task.version}"]
    if task.run_count > 1:
        parts.append(f"try {task.run_count}")
    if task.start_time:
        parts.append(f"start {times.stamp(task.start_time)}")
        end = task.end_time or times.now
        parts.append(f"{'took' if task.end_time else 'running'} {duration((end - task.start_time).total_seconds())}")
    elif task.state_timestamp:
        parts.append(f"since {times.stamp(task.state_timestamp)}")
    return Content.assemble(
        (here.name, "bold"), "   ", state_content(task.state), ("   " + "   ".join(parts), "$muted")
    )


def _message(task: TaskRun, width: int) -> list[Content]:
    if not task.state_message:
        return []
    text = foreign_content(task.state_message, DETAIL_LIMIT)
    lines = text.wrap(width) if text.cell_length > width else [text]
    return lines[:MESSAGE_LINES]
