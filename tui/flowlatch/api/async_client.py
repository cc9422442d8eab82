"""The public client for asyncio programs; `client.Client` is the same without `await`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar, cast

from flowlatch.api import inputs
from flowlatch.api.backend import Backend, Capabilities
from flowlatch.api.http import TOTAL_S, AnswerLost
from flowlatch.api.inputs import CreatedRun, StateLike
from flowlatch.api.opener import open_backend
from flowlatch.config import Secret, Target, load_settings, resolve
from flowlatch.errors import Unreachable
from flowlatch.model.change import ChangeBatch
from flowlatch.model.query import RunPage, RunQuery
from flowlatch.model.run import Flow, FlowId, FlowRun, LogLine, Parameter, RunId, TaskRun
from flowlatch.model.state import State
from flowlatch.secret import secret_from

T = TypeVar("T")


class AsyncClient:
    """A client of one server: create flow runs, read them, set their states, follow changes.

        async with AsyncClient() as client:
            run_id = await client.create_flow_run(flow_id="…", parameters={"day": "2026-11-24"})
            run = await client.get_flow_run(run_id)
            await client.set_flow_run_state(run_id, run.version, "Success", message="done by hand")

    With no arguments it talks to the server that the `flowlatch` commands would: environment, configured default
    profile, else the embedded server, which is started when none runs. It connects on first use, belongs to the event
    loop of that use, and every method may raise `flowlatch.Unreachable`, `Unauthorized` and `Rejected`.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        profile: str | None = None,
        token: str | Secret | None = None,
        actor: str | None = None,
        timeout_s: float = TOTAL_S,
    ) -> None:
        """Prepare a client. `token` goes to `server` (or to the profile's server) only.

        `actor` is written down as the one who set a state, by default `user@host`. Raises `ConfigError`.
        """
        secret = secret_from(token, "token") if isinstance(token, str) else token
        self._target: Target = resolve(load_settings(), profile=profile, server=server, token=secret, actor=actor)
        self._timeout_s = timeout_s
        self._backend: Backend | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> AsyncClient:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; the next call opens it again."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.aclose()

    async def _open(self) -> Backend:
        async with self._opening:
            if self._backend is None:
                self._backend = await open_backend(self._target, timeout_s=self._timeout_s)
            return self._backend

    async def _do(self, action: Callable[[Backend], Awaitable[T]]) -> T:
        """Run an action; when the embedded server has gone and nothing was sent, start it again and repeat once."""
        backend = await self._open()
        try:
            return await action(backend)
        except Unreachable as error:
            if not self._target.profile.is_embedded:
                raise
            if self._backend is backend:
                await self.aclose()
            if isinstance(error, AnswerLost):
                raise
        return await action(await self._open())

    async def capabilities(self) -> Capabilities:
        """Return what the server is and can do."""
        return (await self._open()).capabilities

    async def server_now(self) -> datetime:
        """Return the server's clock (aware, UTC)."""
        return await self._do(lambda backend: backend.server_now())

    async def create_flow_run(
        self,
        flow_id: str | None = None,
        *,
        scheduled_start_time: datetime | str | None = None,
        idempotency_key: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
        context: Mapping[str, Any] | None = None,
        run_config: Mapping[str, Any] | None = None,
        flow_run_name: str | None = None,
        version_group_id: str | None = None,
    ) -> CreatedRun:
        """Create a flow run, or return the one that `idempotency_key` made before.

        Without `scheduled_start_time` it starts at once; a naive time or a text without a zone is UTC. The result is
        the run's id with `.replayed`, `.mismatch` and `.expires_at`. When an answer is lost the request is sent again
        with the same key (a random one if none was given), so one call makes at most one run.

        Raises `Rejected` (unknown parameter form, archived flow …), `NotFound` and, when the server cannot be
        reached any more, `OutcomeUnknown`.
        """
        new = inputs.new_run(
            flow_id,
            idempotency_key,
            scheduled_start_time=scheduled_start_time,
            parameters=parameters,
            labels=labels,
            context=context,
            run_config=run_config,
            flow_run_name=flow_run_name,
            version_group_id=version_group_id,
        )
        return CreatedRun.of(await self._do(lambda backend: backend.create_run(new)))

    async def get_flow_run(self, flow_run_id: str) -> FlowRun:
        """Return the whole run. Raises `NotFound`."""
        return await self._do(lambda backend: backend.run(RunId(flow_run_id)))

    async def flow_runs(self, query: RunQuery | None = None, **conditions: Any) -> RunPage:
        """Return one page of runs: `flow_runs(states=["Failed"], limit=50)`; conditions as in `RunQuery`."""
        asked = inputs.run_query(query, conditions)
        return await self._do(lambda backend: backend.page(asked))

    async def _page(self, query: RunQuery) -> RunPage:
        return await self._do(lambda backend: backend.page(query, with_total=False))

    async def iter_flow_runs(self, query: RunQuery | None = None, **conditions: Any) -> AsyncIterator[FlowRun]:
        """Yield all runs that match, page by page, each once; `limit` is the size of a page."""
        asked = inputs.run_query(query, conditions)
        seen: set[RunId] = set()
        while True:
            page = await self._page(asked)
            for run in page.rows:
                if run.id not in seen:
                    seen.add(run.id)
                    yield run
            if len(page.rows) + page.unreadable < asked.limit:
                return
            asked = replace(asked, offset=asked.offset + asked.limit)

    async def state_history(self, flow_run_id: str) -> list[State]:
        """Return all states of a run, oldest first, each with the version it got."""
        return await self._do(lambda backend: backend.history(RunId(flow_run_id)))

    async def set_flow_run_state(
        self, flow_run_id: str, version: int, state: StateLike, *, message: str | None = None
    ) -> int:
        """Set a state if the run still has `version`, and return the new version.

        `state` is a type name ("Success"), a `StateType`, a state document or a `StateDraft`.
        Raises `VersionConflict` with the current `.version .state .message .timestamp` (nothing was written),
        `NotFound`, `Rejected`, and `OutcomeUnknown` when the answer was lost and reading back did not settle it.
        """
        draft = inputs.state_draft(state, message)
        return await self._do(lambda backend: backend.set_state(RunId(flow_run_id), version, draft))

    async def cancel_flow_run(self, flow_run_id: str) -> str:
        """Cancel a run and return the name of its state: Cancelled, or Cancelling while it runs."""
        return await self._do(lambda backend: backend.cancel_run(RunId(flow_run_id)))

    async def delete_flow_run(self, flow_run_id: str) -> bool:
        """Delete a run with its history and logs; False when there was none."""
        return await self._do(lambda backend: backend.delete_run(RunId(flow_run_id)))

    async def rename_flow_run(self, flow_run_id: str, name: str) -> None:
        """Give a run another name."""
        await self._do(lambda backend: backend.rename_run(RunId(flow_run_id), name))

    async def set_flow_run_labels(self, flow_run_id: str, labels: Iterable[str]) -> None:
        """Replace the labels of a run."""
        wanted = list(labels)
        await self._do(lambda backend: backend.set_labels(RunId(flow_run_id), wanted))

    async def task_runs(self, flow_run_id: str) -> list[TaskRun]:
        """Return the task runs of a run."""
        return await self._do(lambda backend: backend.task_runs(RunId(flow_run_id)))

    async def logs(self, flow_run_id: str, *, limit: int = 1000) -> list[LogLine]:
        """Return the newest log lines of a run, oldest first."""
        return await self._do(lambda backend: backend.logs(RunId(flow_run_id), limit=limit))

    async def create_flow(
        self, name: str, *, project: str = "default", parameters: Sequence[Parameter | Mapping[str, Any]] = ()
    ) -> FlowId:
        """Register a flow and return its id; an existing name in the project gets a new version.

        `parameters`: `[{"name": "day", "annotation": "date"}, {"name": "limit", "default": 10}]`; one without a
        default is required.
        """
        return await self._do(lambda backend: backend.create_flow(name, project=project, parameters=parameters))

    async def flows(self, text: str = "", *, archived: bool = False) -> list[Flow]:
        """Return the newest version of each flow whose name contains `text`."""
        return await self._do(lambda backend: backend.flows(text=text, archived=archived))

    async def archive_flow(self, flow_id: str) -> None:
        """Archive a flow version."""
        await self._do(lambda backend: backend.archive_flow(FlowId(flow_id)))

    async def watch(
        self, *, since: str | None = None, flow_run_ids: Sequence[str] | None = None
    ) -> AsyncIterator[ChangeBatch]:
        """Yield changes as they come, of all runs or of some.

        The first batch comes at once: subscribe, then read, then apply. `batch.resync` means that changes were
        missed: read anew. When the link is lost it raises `Unreachable`; go on with `since=batch.cursor`.
        """
        backend = await self._open()
        ids = cast("Sequence[RunId] | None", flow_run_ids)
        cursor: str | None = None
        async with aclosing(cast(Any, backend.watch(since=since, ids=ids))) as batches:
            async for batch in batches:
                if batch.changes or batch.resync or cursor is None:
                    yield batch
                cursor = batch.cursor

    async def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run any GraphQL document and return its `data`. Raises `Rejected` with the first error."""
        return await self._do(lambda backend: backend.graphql(document, variables))
