"""What whoever starts the dashboard may add to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from flowlatch.model.run import FlowRun, RunId


@dataclass(frozen=True)
class Verb:
    """One more command of the command line."""

    about: str
    """One sentence for the help."""
    act: Callable[[RunId | None], Awaitable[str]]
    """Gets the run of the form that is open, or the one under the cursor; returns a sentence for the operator."""


@dataclass(frozen=True)
class Hooks:
    """Additions: verbs by name, e.g. `conflict` in the demo."""

    verbs: Mapping[str, Verb] = field(default_factory=dict)


def run_in_view(screens: Iterable[object]) -> RunId | None:
    """Return the run that the topmost of `screens` (top first) is about: a form's base, else the chosen one."""
    for screen in screens:
        run_id: RunId | None = getattr(getattr(screen, "base", None), "run_id", None)
        if run_id is not None:
            return run_id
        chosen: list[FlowRun] = getattr(screen, "chosen_runs", list)()
        if chosen:
            return chosen[0].id
    return None
