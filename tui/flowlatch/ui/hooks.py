"""What whoever starts the dashboard may add to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from flowlatch.model.run import RunId


@dataclass(frozen=True)
class Verb:
    """One more command of the command line."""

    about: str
    """One sentence for the help."""
    act: Callable[[RunId | None], Awaitable[str]]
    """Gets the run under the cursor; returns a sentence for the operator."""


@dataclass(frozen=True)
class Hooks:
    """Additions: verbs by name, e.g. `conflict` in the demo."""

    verbs: Mapping[str, Verb] = field(default_factory=dict)
