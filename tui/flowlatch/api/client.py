"""The public client for ordinary programs, scripts and notebooks.

It runs the asyncio client in a thread of its own, so that it also works where an event loop already runs.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from flowlatch.api.async_client import AsyncClient
from flowlatch.api.backend import Capabilities
from flowlatch.api.http import TOTAL_S
from flowlatch.api.inputs import CreatedRun, StateLike
from flowlatch.config import Secret
from flowlatch.model.change import ChangeBatch
from flowlatch.model.query import RunPage, RunQuery
from flowlatch.model.run import Flow, FlowId, FlowRun, LogLine, Parameter, TaskRun
from flowlatch.model.state import State

__all__ = ["AsyncClient", "Client", "CreatedRun", "StateLike"]

T = TypeVar("T")


class _LoopThread:
    """An event loop in a daemon thread, which runs `at_end` before it ends."""

    def __init__(self, at_end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._at_end = at_end
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flowlatch-client", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._at_end())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result; ctrl+c cancels it. Raises `RuntimeError` once stopped."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def stop(self) -> None:
        """End the thread. Safe to call twice and from any thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2)


class Client:
    """A client of one server: create flow runs, read them, set their states, follow changes.

        client = Client()
        run_id = client.create_flow_run(flow_id="…", scheduled_start_time="2026-11-24 06:00:00")
        run = client.get_flow_run(run_id)
        client.set_flow_run_state(run_id, run.version, "Success", message="done by hand")

    Arguments, results and errors are those of `AsyncClient`, without `await`. May be shared by threads. `close` it, or
    use it in a `with` statement; a client that is forgotten closes itself.
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
        """See `AsyncClient`."""
        self._client = AsyncClient(server, profile=profile, token=token, actor=actor, timeout_s=timeout_s)
        self._loop = _LoopThread(self._client.aclose)
        self._run = self._loop.run
        self._finalizer = weakref.finalize(self, _LoopThread.stop, self._loop)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread; the client cannot be used afterwards. Safe to call twice."""
        self._finalizer()

    def capabilities(self) -> Capabilities:
        """Return what the server is and can do."""
        return self._run(self._client.capabilities())

    def server_now(self) -> datetime:
        """Return the server's clock (aware, UTC)."""
        return self._run(self._client.server_now())

    def create_flow_run(
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
        """Create a flow run, now or later, or return the one that `idempotency_key` made before.

            client.create_flow_run(flow_id="…")
            client.create_flow_run(flow_id="…", idempotency_key="nightly-2026-11-24", parameters={"day": "2026-11-24"})

        The result is the run's id, a `str`, with `.replayed`, `.mismatch` and `.expires_at`.
        """
        return self._run(
            self._client.create_flow_run(
                flow_id,
                scheduled_start_time=scheduled_start_time,
                idempotency_key=idempotency_key,
                parameters=parameters,
                labels=labels,
                context=context,
                run_config=run_config,
                flow_run_name=flow_run_name,
                version_group_id=version_group_id,
            )
        )

    def get_flow_run(self, flow_run_id: str) -> FlowRun:
        """Return the whole run. Raises `NotFound`."""
        return self._run(self._client.get_flow_run(flow_run_id))

    def flow_runs(self, query: RunQuery | None = None, **conditions: Any) -> RunPage:
        """Return one page of runs: `client.flow_runs(states=["Failed"], limit=50).rows`."""
        return self._run(self._client.flow_runs(query, **conditions))

    def iter_flow_runs(self, query: RunQuery | None = None, **conditions: Any) -> Iterator[FlowRun]:
        """Yield all runs that match, page by page."""
        return self._iterate(self._client.iter_flow_runs(query, **conditions))

    def state_history(self, flow_run_id: str) -> list[State]:
        """Return all states of a run, oldest first, each with the version it got."""
        return self._run(self._client.state_history(flow_run_id))

    def set_flow_run_state(
        self, flow_run_id: str, version: int, state: StateLike, *, message: str | None = None
    ) -> int:
        """Set a state if the run still has `version`, and return the new version.

            client.set_flow_run_state(run.id, run.version, {"type": "Success", "message": "It worked!"})

        Raises `VersionConflict` when it has another one: nothing was written, the error says what the run is now.
        """
        return self._run(self._client.set_flow_run_state(flow_run_id, version, state, message=message))

    def cancel_flow_run(self, flow_run_id: str) -> str:
        """Cancel a run and return the name of its state: Cancelled, or Cancelling while it runs."""
        return self._run(self._client.cancel_flow_run(flow_run_id))

    def delete_flow_run(self, flow_run_id: str) -> bool:
        """Delete a run with its history and logs; False when there was none."""
        return self._run(self._client.delete_flow_run(flow_run_id))

    def rename_flow_run(self, flow_run_id: str, name: str) -> None:
        """Give a run another name."""
        self._run(self._client.rename_flow_run(flow_run_id, name))

    def set_flow_run_labels(self, flow_run_id: str, labels: Iterable[str]) -> None:
        """Replace the labels of a run."""
        self._run(self._client.set_flow_run_labels(flow_run_id, labels))

    def task_runs(self, flow_run_id: str) -> list[TaskRun]:
        """Return the task runs of a run."""
        return self._run(self._client.task_runs(flow_run_id))

    def logs(self, flow_run_id: str, *, limit: int = 1000) -> list[LogLine]:
        """Return the newest log lines of a run, oldest first."""
        return self._run(self._client.logs(flow_run_id, limit=limit))

    def create_flow(
        self, name: str, *, project: str = "default", parameters: Sequence[Parameter | Mapping[str, Any]] = ()
    ) -> FlowId:
        """Register a flow and return its id: `client.create_flow("etl", parameters=[{"name": "day"}])`."""
        return self._run(self._client.create_flow(name, project=project, parameters=parameters))

    def flows(self, text: str = "", *, archived: bool = False) -> list[Flow]:
        """Return the newest version of each flow whose name contains `text`."""
        return self._run(self._client.flows(text, archived=archived))

    def archive_flow(self, flow_id: str) -> None:
        """Archive a flow version."""
        self._run(self._client.archive_flow(flow_id))

    def watch(self, *, since: str | None = None, flow_run_ids: Sequence[str] | None = None) -> Iterator[ChangeBatch]:
        """Yield changes as they come, and wait for more: `for batch in client.watch(): …`."""
        return self._iterate(self._client.watch(since=since, flow_run_ids=flow_run_ids))

    def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run any GraphQL document and return its `data`."""
        return self._run(self._client.graphql(document, variables))

    def _iterate(self, values: AsyncIterator[T]) -> Iterator[T]:
        end = object()

        async def following() -> T | object:
            return await anext(values, end)

        async def close() -> None:
            await values.aclose()  # type: ignore[attr-defined]

        try:
            while (value := self._run(following())) is not end:
                yield value  # type: ignore[misc]
        finally:
            self._run(close())
