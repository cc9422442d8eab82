"""The graph around a task: drawn from values, and on the screen of a real run."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from flowlatch.model.run import RunId, TaskEdge
from flowlatch.ui.messages import OpenRun
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.widgets.task_links import MOST_LINES, Node, graph, neighbours
from tests.support.dashboard import dashboard
from tests.support.hostile import SENDABLE
from tests.support.server import ServerProcess
from tests.support.wire import Wire

LOAD = Node("load", "Running")
REGISTER_EDGES = "mutation($input: register_edges_input!) { register_edges(input: $input) { success } }"


def drawn(before: list[str], after: list[str], width: int = 78) -> list[str]:
    """Return the graph as text, the tasks before it Success, those after it Pending."""
    lines = graph(LOAD, [Node(n, "Success") for n in before], [Node(n, "Pending") for n in after], width)
    return [line.plain.rstrip() for line in lines]


def test_lines_lead_from_what_is_waited_for_to_what_waits() -> None:
    assert drawn(["extract", "check"], ["publish", "archive"]) == [
        " extract  + Success ─┬─ load  > Running ─┬─ publish  . Pending",
        " check    + Success ─┘                   └─ archive  . Pending",
    ]
    assert drawn(["extract"], ["publish"]) == [" extract  + Success ─── load  > Running ─── publish  . Pending"]
    assert drawn(["a", "b", "c"], []) == [
        " a  + Success ─┐",
        " b  + Success ─┼─ load  > Running",
        " c  + Success ─┘",
    ]
    assert drawn([], ["a", "b", "c"]) == [
        "                  ┌─ a  . Pending",
        " load  > Running ─┼─ b  . Pending",
        "                  └─ c  . Pending",
    ]


@pytest.mark.parametrize(("left", "right"), [(1, 4), (4, 1), (2, 5), (5, 2), (3, 4), (0, 1)])
def test_every_line_end_meets_another_one(left: int, right: int) -> None:
    lines = [line.ljust(100) for line in drawn([f"a{n}" for n in range(left)], [f"b{n}" for n in range(right)])]
    down, up = "┐┌┤├┬┼│", "┘└┤├┴┼│"
    for above, below in zip(["", *lines], [*lines, ""], strict=True):
        for column in range(100):
            goes_down, comes_up = above[column : column + 1], below[column : column + 1]
            assert (goes_down in down if goes_down.strip() else False) == (
                comes_up in up if comes_up.strip() else False
            ), "\n".join(lines)


def test_many_neighbours_are_counted_and_long_names_cut() -> None:
    lines = drawn([f"a-very-long-name-of-a-task-{n}" for n in range(40)], ["after"], 60)
    assert len(lines) == MOST_LINES
    assert "… and 36" in lines[-1]
    assert all(len(line) <= 60 for line in lines)


def test_neighbours_stand_in_the_order_of_the_tasks_each_once() -> None:
    edges = [
        TaskEdge(upstream=first, downstream=second)
        for first, second in (("b", "x"), ("a", "x"), ("a", "x"), ("x", "z"), ("x", "gone"), ("a", "b"))
    ]
    before, after = neighbours("x", edges, {name: Node(name) for name in "abxz"})
    assert [node.name for node in before] == ["a", "b"]
    assert [node.name for node in after] == ["z", "gone"]


def _made(wire: Wire, slugs: list[str], ends: list[tuple[str, str]]) -> str:
    flow = wire.create_flow(f"graph-{uuid4().hex[:8]}", tasks=slugs)
    edges = [
        {"upstream_task": {"slug": first}, "downstream_task": {"slug": second}, "key": None, "mapped": False}
        for first, second in ends
    ]
    wire.data(REGISTER_EDGES, {"input": {"flow_id": flow, "serialized_edges": edges}})
    return wire.create_run(flow, flow_run_name="amber-lynx")


async def test_the_task_under_the_cursor_shows_its_neighbours(shared_server: ServerProcess, shared_wire: Wire) -> None:
    ends = [("extract", "load"), ("check", "load"), ("load", "publish")]
    run_id = await asyncio.to_thread(_made, shared_wire, ["extract", "check", "load", "publish"], ends)
    async with dashboard(shared_server) as deck:
        deck.app.screen.post_message(OpenRun(RunId(run_id), "tasks"))
        await deck.screen(RunScreen)
        await deck.shows("extract  . Pending ─── load  . Pending")
        await deck.press("j", "j")
        text = await deck.shows(
            "extract  . Pending ─┬─ load  . Pending ─── publish  . Pending", "check    . Pending ─┘"
        )
        assert "load   . Pending   v0" in text


async def test_hostile_names_of_tasks_are_drawn_as_text(shared_server: ServerProcess, shared_wire: Wire) -> None:
    slugs = [f"{number} {text[:40]}" for number, text in enumerate(SENDABLE.values())][:12]
    ends = [(slugs[0], each) for each in slugs[1:]]
    run_id = await asyncio.to_thread(_made, shared_wire, slugs, ends)
    async with dashboard(shared_server) as deck:
        deck.app.screen.post_message(OpenRun(RunId(run_id), "tasks"))
        screen = await deck.screen(RunScreen)
        await deck.shows("… and 7 more")
        for strip in screen._compositor.render_strips():
            shown = "".join(segment.text for segment in strip)
            assert strip.cell_length == 80, shown
            assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown), shown
