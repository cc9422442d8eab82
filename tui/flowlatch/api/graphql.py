"""The backend for servers of the GraphQL contract: our own and Prefect 1.

Ours locks and pushes. A Prefect 1 server takes a version and never compares it, so there each state change is checked
before and after (`Locking.CHECKED`), and changes are found by polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flowlatch.api import convert, documents, graphql_flows
from flowlatch.api.backend import Capabilities, Kind, Locking
from flowlatch.api.call import Caller
from flowlatch.api.connection import Connection
from flowlatch.api.documents import Dialect
from flowlatch.api.filters import Where
from flowlatch.api.graphql_writes import GraphQLWrites
from flowlatch.api.http import Link
from flowlatch.api.watch import POLL_LIMIT, UpdatedPoll, changes, polled_by_updated
from flowlatch.config import Profile
from flowlatch.errors import ForeignServer, ReadOnly, Rejected
from flowlatch.model.change import ChangeBatch
from flowlatch.model.run import FlowId, FlowRun, RunId
from flowlatch.text import one_line


class GraphQLBackend(Connection, GraphQLWrites):
    """A connection to one server of the GraphQL contract; keeps `backend.Backend`."""

    def __init__(
        self,
        profile: Profile,
        link: Link,
        *,
        has_auth: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        Connection.__init__(self, profile, link, has_auth=has_auth, sleep=sleep)
        GraphQLWrites.__init__(self, Caller(link), sleep=sleep)

    async def connect(self) -> Capabilities:
        """Probe the server. `/graphql` is tried when the URL has no path and something else answers there."""
        try:
            self._capabilities = await self._probe()
        except ForeignServer:
            if self.url.count("/") > 2:
                raise
            bare, self._link.url = self.url, self.url + "/graphql"
            try:
                self._capabilities = await self._probe()
            except ForeignServer:
                self._link.url = bare
                raise
            self.url = self._link.url
        self._is_read_only = self._capabilities.read_only
        return self._capabilities

    async def _probe(self) -> Capabilities:
        """Ours answers `capabilities`; to a Prefect 1 server the field is unknown (design.md §5)."""
        wanted = self._profile.kind
        if wanted != "prefect1":
            try:
                return self._ours(await self._timed(documents.PROBE_OURS))
            except Rejected as error:
                if wanted == "flowlatch":
                    raise ForeignServer(f"{one_line(self.url, 120)}: no flowlatch server ({error})") from error
        try:
            answer = await self._call.read(documents.PROBE_PREFECT1)
        except Rejected as error:
            raise ForeignServer(
                f"{one_line(self.url, 120)}: a GraphQL server, but not for flow runs ({error})"
            ) from error
        self._dialect = Dialect(is_ours=False)
        self._note_date()
        version = convert.child(answer, "api").get("version")
        return Capabilities(
            kind=Kind.PREFECT1,
            version=version if isinstance(version, str) else "",
            locking=Locking.CHECKED,
            has_history_versions=True,
            read_only=self._profile.read_only,
            auth=self._has_auth,
        )

    def _ours(self, answer: dict[str, Any]) -> Capabilities:
        try:
            api = convert.child(answer, "api")
            found = convert.child(api, "capabilities")
            server_id = convert.required_text(found, "server_id")
            locking = str(found.get("locking") or "").lower()
            self.start_cursor = convert.required_text(convert.child(answer, "flow_run_changes"), "cursor")
        except convert.Unreadable as error:
            raise ForeignServer(f"{one_line(self.url, 120)}: unreadable capabilities ({error})") from error
        self._dialect = Dialect(is_ours=True)
        window = found.get("idempotency_window_s")
        return Capabilities(
            kind=Kind.FLOWLATCH,
            version=str(api.get("version") or ""),
            server_id=server_id,
            locking=Locking(locking) if locking in list(Locking) else Locking.NONE,
            has_push=True,
            has_actor=True,
            has_history_versions=True,
            idempotency_window=timedelta(seconds=window) if isinstance(window, (int, float)) else None,
            read_only=self._profile.read_only or found.get("read_only") is True,
            auth=self._has_auth,
        )

    def watch(self, *, since: str | None = None, ids: Sequence[RunId] | None = None) -> AsyncIterator[ChangeBatch]:
        """Yield changes as they come; an empty batch now and then is a sign of life."""
        if self._dialect.is_ours:
            return changes(self._call, self._dialect, since=since, ids=ids, pace=self._pace, sleep=self._sleep)
        poll = UpdatedPoll(self._updated_runs, since=since, ids=ids, now=self.now)
        return polled_by_updated(poll, self._pace)

    async def _updated_runs(self, where: Where) -> list[FlowRun]:
        variables = {"where": where, "order_by": [{"updated": "asc"}], "limit": POLL_LIMIT, "offset": 0}
        answer = await self._call.read(self._dialect.page, variables)
        return convert.rows(answer.get("flow_run"), convert.flow_run)[0]

    async def create_flow(self, name: str, *, project: str = "default", parameters: Sequence[Any] = ()) -> FlowId:
        """Register a flow, making the project if needed."""
        return await graphql_flows.create_flow(self._call.read, self._change, name, project, parameters)

    async def archive_flow(self, flow_id: FlowId) -> None:
        """Archive a flow version."""
        await graphql_flows.switch(self._change, documents.ARCHIVE_FLOW, flow_id)

    async def set_schedule_active(self, flow_id: FlowId, active: bool) -> None:
        """Switch a flow's schedule on or off."""
        await graphql_flows.switch(self._change, documents.set_schedule(active), flow_id)

    async def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run any document and return `data`. A document without a mutation is repeated when the answer is lost."""
        is_read = not _may_change(document)
        if self._is_read_only and not is_read:
            raise ReadOnly("this connection is read-only; nothing was sent")
        return (await self._call.any(document, variables, is_read=is_read)).data


def _may_change(document: str) -> bool:
    """True when a document holds a mutation, or cannot be read: then the server says why."""
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    try:
        definitions = parse(document, no_location=True).definitions
    except GraphQLError:
        return True
    return any(
        isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION for node in definitions
    )
