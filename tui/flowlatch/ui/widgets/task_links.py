"""What a task waits for and what waits for it, drawn as a small graph around it (ux.md row 21). Pure.

extract   + Success ─┬─ load  > Running ─┬─ publish  . Pending
validate  + Success ─┘                   └─ archive  . Pending
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from flowlatch.model.run import TaskEdge
from flowlatch.text import one_line
from flowlatch.ui.format import fit, state_label, style_name

MOST_LINES = 5
"""Tasks on each side; the last line counts the rest."""
LEAST_NAME_CELLS = 6
JOINT_CELLS = 3
Part = tuple[str, str]
_JOINTS = {
    (True, True, False, False): "─",
    (True, False, True, False): "┘",
    (True, False, False, True): "┐",
    (True, False, True, True): "┤",
    (False, True, True, False): "└",
    (False, True, False, True): "┌",
    (False, True, True, True): "├",
    (True, True, True, False): "┴",
    (True, True, False, True): "┬",
    (True, True, True, True): "┼",
    (False, False, True, True): "│",
}
"""Which of left, right, up and down meet in a cell → the line drawn there."""


@dataclass(frozen=True)
class Node:
    """A task as the graph names it: clean name, and its state, empty while it has no run."""

    name: str
    state: str = ""


def neighbours(slug: str, edges: Sequence[TaskEdge], tasks: Mapping[str, Node]) -> tuple[list[Node], list[Node]]:
    """Return the tasks that `slug` waits for and those that wait for it, in the order of `tasks`, each once."""

    def named(slugs: set[str]) -> list[Node]:
        known = [node for each, node in tasks.items() if each in slugs]
        return known + [Node(one_line(each, 60)) for each in sorted(slugs - tasks.keys())]

    before = {edge.upstream for edge in edges if edge.downstream == slug}
    after = {edge.downstream for edge in edges if edge.upstream == slug}
    return named(before), named(after)


def graph(here: Node, before: Sequence[Node], after: Sequence[Node], width: int) -> list[Content]:
    """Return the lines of the graph in at most `width` cells; one line for a task without neighbours."""
    left, right = _shown(before), _shown(after)
    left_cells, here_cells, right_cells = _name_cells([left, [here], right], width)
    height = max(len(left), len(right), 1)
    middle = (height - 1) // 2
    columns = (
        _column(left, _rows(left, height), height, left_cells),
        [[(joint, "$rule")] for joint in _joints(_rows(left, height), middle, height)],
        _column([here], range(middle, middle + 1), height, here_cells, look="bold"),
        [[(joint, "$rule")] for joint in _joints(_rows(right, height), middle, height, is_right=True)],
        _column(right, _rows(right, height), height, right_cells),
    )
    return [Content.assemble(*(part for column in columns for part in column[row])) for row in range(height)]


def _shown(side: Sequence[Node]) -> list[Node]:
    if len(side) <= MOST_LINES:
        return list(side)
    return [*side[: MOST_LINES - 1], Node(f"… and {len(side) - MOST_LINES + 1} more")]


def _name_cells(columns: Sequence[Sequence[Node]], width: int) -> list[int]:
    """Return how many cells the names of each column take: the widest ones give way until all columns fit."""
    cells = [max((cell_len(node.name) for node in column), default=0) for column in columns]
    others = [max(cell_len(_label(node)) for node in column) + 4 + JOINT_CELLS for column in columns if column]
    room = width - sum(others) + JOINT_CELLS
    while sum(cells) > room and max(cells) > LEAST_NAME_CELLS:
        cells[cells.index(max(cells))] -= 1
    return cells


def _label(node: Node) -> str:
    return state_label(node.state) if node.state else ""


def _rows(side: Sequence[Node], height: int) -> range:
    """Return the rows that a side stands in: in the middle of the height."""
    first = (height - len(side)) // 2
    return range(first, first + len(side))


def _column(side: Sequence[Node], rows: range, height: int, name_cells: int, *, look: str = "") -> list[list[Part]]:
    """Return the parts of each row of one column, all equally wide; none where the column is empty."""
    if not side:
        return [[] for _ in range(height)]
    states = max(cell_len(_label(node)) for node in side)
    parts: list[list[Part]] = [[(" " * (name_cells + states + 4), "")] for _ in range(height)]
    for row, node in zip(rows, side, strict=True):
        if node.state:
            colour = f"$state-{style_name(node.state)}"
            parts[row] = [(f" {fit(node.name, name_cells)}  ", look), (f"{fit(_label(node), states)} ", colour)]
        else:
            parts[row] = [(f" {fit(node.name, name_cells + states + 2)} ", "$muted")]
    return parts


def _joints(rows: range, middle: int, height: int, *, is_right: bool = False) -> list[str]:
    """Return the cells between a side and the task in the middle, for each row; none where the side is empty."""
    if not rows:
        return [""] * height
    top, bottom = min(rows.start, middle), max(rows.stop - 1, middle)
    drawn = []
    for row in range(height):
        to_side, to_task = row in rows, row == middle
        left, right = (to_task, to_side) if is_right else (to_side, to_task)
        joint = _JOINTS.get((left, right, top < row <= bottom, top <= row < bottom), " ")
        drawn.append(("─" if left else " ") + joint + ("─" if right else " "))
    return drawn
