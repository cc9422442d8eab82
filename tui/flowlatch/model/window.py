"""A loaded stretch of a long list of runs, and the place one looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowlatch.model.run import FlowRun, RunId


@dataclass(frozen=True)
class Window:
    """Rows `offset` … of a list of `total`, and where the cursor is."""

    rows: Sequence[FlowRun] = ()
    offset: int = 0
    total: int = 0
    total_is_exact: bool = True
    cursor: int = 0
    """May be outside the rows while that part is loading."""
    guest: RunId | None = None
    """The selected run, shown although the list has it elsewhere or no longer."""

    def row(self, index: int) -> FlowRun | None:
        """Return the row at an index, None where it is not loaded."""
        place = index - self.offset
        return self.rows[place] if 0 <= place < len(self.rows) else None
