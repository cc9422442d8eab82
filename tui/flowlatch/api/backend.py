"""The one contract that every kind of server is reached by.

The screen, the commands and the public client know only this protocol; `graphql.py` keeps it for the embedded server
and for Prefect 1, `prefect3.py` for Prefect 3. Every method may raise `errors.Unreachable`, `errors.Unauthorized`,
`errors.ForeignServer` and `errors.Rejected`; what else it raises is said with it. Reads are retried inside, with
backoff; writes never are, but for a create that carries an idempotency key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from flowlatch.model.change import ChangeBatch
from flowlatch.model.kin import Relative
from flowlatch.model.query import Count, RunPage, RunQuery
from flowlatch.model.run import (
    Agent,
    Created,
    Flow,
    FlowId,
    FlowRun,
    LogLine,
    LogMark,
    NewRun,
    RunId,
    TaskEdge,
    TaskRun,
)
from flowlatch.model.state import State, StateDraft


class Kind(StrEnum):
    """The kinds of server."""

    FLOWLATCH = "flowlatch"
    PREFECT1 = "prefect1"
    PREFECT3 = "prefect3"


class Locking(StrEnum):
    """Who makes sure that a state change hits the version it was based on (design.md §5)."""

    ENFORCED = "enforced"
    """The server, in one statement."""
    CHECKED = "checked"
    """This client: it reads, compares, writes and verifies; a small gap remains."""
    NONE = "none"
    """Nobody."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a server can do, as found by probing it."""

    kind: Kind
    version: str = ""
    """The product's version, for the header and `doctor`."""
    server_id: str = ""
    """Names the database; another one means that everything known is void. Empty where a server has none."""
    locking: Locking = Locking.NONE
    has_push: bool = False
    """True when `watch` is pushed; else it polls."""
    has_actor: bool = False
    has_history_versions: bool = False
    idempotency_window: timedelta | None = None
    """How long a key lives after its last use; None = for ever or not known."""
    read_only: bool = False
    """True when the server or the profile refuses writes."""
    auth: bool = True
    """False when the server runs with --no-auth."""
    states: tuple[str, ...] = ()
    """Names of the states that can be set, the likeliest first; empty = those of Prefect 1 (`StateType`)."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What this backend has sent and received so far."""

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Backend(Protocol):
    """A connection to one server. Not safe for several event loops; `aclose` it."""

    url: str

    @property
    def capabilities(self) -> Capabilities:
        """What `connect` found; raises RuntimeError before it."""
        ...

    @property
    def traffic(self) -> Traffic:
        """Requests and bytes since it was opened."""
        ...

    def now(self) -> datetime:
        """Return the server's clock (aware, UTC) without asking, as `connect` or `server_now` last found it.

        It is this machine's clock where they differ by less than what the way there hides.
        """
        ...

    @property
    def start_cursor(self) -> str | None:
        """The place among all changes at which `connect` found the server; None where it says none.

        Whoever loads a page right after connecting misses nothing by `watch(since=start_cursor)`.
        """
        ...

    async def connect(self) -> Capabilities:
        """Probe the server; may be called again after a loss."""
        ...

    async def server_now(self) -> datetime:
        """Ask for the server's clock (aware, UTC): ages are shown by it, so that a skewed client never lies."""
        ...

    async def page(self, query: RunQuery, *, with_total: bool = True) -> RunPage:
        """Return one page of runs with the fields of a list row."""
        ...

    async def counts(self, queries: Mapping[str, RunQuery]) -> dict[str, Count]:
        """Return how many runs match each query, in one request; a count may stop at 10,000 and say so."""
        ...

    async def run(self, run_id: RunId) -> FlowRun:
        """Return the whole run. Raises `NotFound`."""
        ...

    async def history(self, run_id: RunId, *, after_version: int = 0) -> list[State]:
        """Return the states of a run with a version above `after_version`, oldest first; empty for an unknown run."""
        ...

    async def task_runs(self, run_id: RunId) -> list[TaskRun]:
        """Return the task runs of a run, in the flow's order, mapped children behind their parent."""
        ...

    async def task_edges(self, flow_id: FlowId) -> list[TaskEdge]:
        """Return which task of a flow version waits for which; empty where a server has no such thing."""
        ...

    async def relatives(self, run: FlowRun) -> list[Relative]:
        """Return the runs that a whole run comes from and those that come from it, as `model.kin` says; else empty."""
        ...

    async def logs(self, run_id: RunId, *, after: LogMark | None = None, limit: int = 1000) -> list[LogLine]:
        """Return log lines: the newest `limit` ones, oldest first, or those behind a mark, as they arrived.

        Only the order of arrival misses nothing: runners send their lines in batches, each at its own time.
        """
        ...

    async def flows(self, *, text: str = "", archived: bool = False, limit: int = 200) -> list[Flow]:
        """Return the newest version of each flow whose name contains `text`, by name."""
        ...

    async def flow(self, flow_id: FlowId) -> Flow:
        """Return one flow version. Raises `NotFound`."""
        ...

    async def agents(self) -> list[Agent]:
        """Return the agents, the one last heard of first; empty where a server has none."""
        ...

    async def create_run(self, new: NewRun) -> Created:
        """Create a run, or return the one its idempotency key made before. Raises `OutcomeUnknown` without a key."""
        ...

    async def set_state(self, run_id: RunId, version: int, state: StateDraft) -> int:
        """Set a state on exactly that version and return the new one.

        Raises `VersionConflict` (nothing was written), `NotFound`, and `OutcomeUnknown` when the answer was lost and
        reading back did not settle it.
        """
        ...

    async def cancel_run(self, run_id: RunId) -> str:
        """Cancel a run and return the name of the resulting state (Cancelling while it runs). Raises `NotFound`."""
        ...

    async def delete_run(self, run_id: RunId) -> bool:
        """Delete a run with all that belongs to it; False when there was none."""
        ...

    async def rename_run(self, run_id: RunId, name: str) -> None:
        """Give a run another name. Raises `NotFound`."""
        ...

    async def set_labels(self, run_id: RunId, labels: Sequence[str]) -> None:
        """Replace the labels of a run. Raises `NotFound`."""
        ...

    async def create_flow(self, name: str, *, project: str = "default", parameters: Sequence[Any] = ()) -> FlowId:
        """Register a flow (a new version when the name exists in the project), making the project if needed."""
        ...

    async def archive_flow(self, flow_id: FlowId) -> None:
        """Archive a flow version. Raises `NotFound`."""
        ...

    async def set_schedule_active(self, flow_id: FlowId, active: bool) -> None:
        """Switch a flow's schedule on or off. Raises `NotFound`."""
        ...

    def watch(self, *, since: str | None = None, ids: Sequence[RunId] | None = None) -> AsyncIterator[ChangeBatch]:
        """Yield changes as they come. Without `since` the first batch is empty and comes at once: then load the page.

        Pushed where the server can, polled elsewhere. Ends by raising: `Unreachable` when the link is lost.
        """
        ...

    def rest(self, is_resting: bool) -> None:
        """Poll seldom while nobody looks, and soon when somebody does again. Pushed changes come all the same."""
        ...

    async def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run any document and return `data`. Raises `Rejected` on a server without GraphQL."""
        ...

    async def aclose(self) -> None:
        """Close connections. Safe to call twice."""
        ...
