"""Work beside the screen that started it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker, WorkType


def begin(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str,
    name: str | None = "",
    exclusive: bool = False,
) -> Worker[None]:
    """Start work that ends with `node`; with `exclusive` what its group did before is cancelled.

    The coroutine is made only when the work starts: one that a screen closed at once never starts would be reported
    as never awaited.
    """
    wanted: WorkType[None] = work
    return node.run_worker(wanted, group=group, name=name, exclusive=exclusive)
