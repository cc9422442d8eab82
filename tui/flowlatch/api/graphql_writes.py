"""What the GraphQL backend changes, and how it finds out what became of a change whose answer was lost.

A change is sent once, but for a create with an idempotency key. When the answer is lost the run is read back: what can
be seen there decides between done, conflict and `OutcomeUnknown` (reliability.md P6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from flowlatch.api import convert, documents
from flowlatch.api.call import Caller, Lost, Result, until_answered
from flowlatch.api.checked import ChangeCheck, created_against, created_from, current_of_run, inputs_of
from flowlatch.api.graphql_reads import GraphQLReads
from flowlatch.errors import (
    BackendError,
    Current,
    ForeignServer,
    NotFound,
    OutcomeUnknown,
    ReadOnly,
    Rejected,
    VersionConflict,
)
from flowlatch.model.run import Created, FlowRun, NewRun, RunId
from flowlatch.model.state import StateDraft
from flowlatch.text import one_line

READ_BACK_PAUSES_S = (0.0, 0.4, 1.5)
CREATE_PAUSES_S = (0.3, 1.0)


class GraphQLWrites(GraphQLReads):
    """Changes over one `Caller`; see `backend.Backend` for what each method promises."""

    def __init__(self, caller: Caller, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(caller)
        self._sleep = sleep
        self._is_read_only = False

    async def _change(self, document: str, values: dict[str, Any]) -> Result:
        """Send a mutation once. Raises `ReadOnly` before anything is sent."""
        if self._is_read_only:
            raise ReadOnly("this connection is read-only; nothing was sent")
        return await self._call.change(document, values)

    async def create_run(self, new: NewRun) -> Created:
        """Create a run; the same request is sent again, under its key, while the answer is lost."""
        values = inputs_of(new)
        before = None if self._dialect.is_ours else await self._run_of_key(new)
        try:
            result = await until_answered(
                partial(self._change, documents.CREATE_RUN, values),
                "creating a flow run",
                pauses_s=CREATE_PAUSES_S if new.idempotency_key else (),
                sleep=self._sleep,
            )
        except OutcomeUnknown as error:
            hint = "; sending it again with the same key is safe" if new.idempotency_key else ""
            raise OutcomeUnknown(f"{error}{hint}") from error
        row = convert.child(result.data, "create_flow_run")
        run_id = row.get("id")
        if not isinstance(run_id, str):
            raise ForeignServer(f"{one_line(self._call.link.url)}: the answer to a create holds no id")
        if before is not None:
            return created_against(before, run_id, values)
        entries = result.extensions.get("idempotency")
        entry = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
        return created_from(run_id, entry)

    async def _run_of_key(self, new: NewRun) -> dict[str, Any] | None:
        """Look up the run that a key made before: only our own server says so in its answer."""
        if not new.idempotency_key or not new.flow_id:
            return None
        variables = {"flow": new.flow_id, "key": new.idempotency_key}
        rows = (await self._call.read(documents.RUN_BY_KEY, variables)).get("flow_run")
        return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None

    async def set_state(self, run_id: RunId, version: int, state: StateDraft) -> int:
        """Set a state on exactly that version; where the server does not lock, check before and after."""
        check = ChangeCheck(run_id, version, state)
        is_locked = self._dialect.is_ours
        if not is_locked:
            run = await self.run(run_id)
            if run.version != version:
                raise VersionConflict(run_id, version, current_of_run(run))
        values = {"flow_run_id": run_id, "version": version, "state": state.document()}
        try:
            result = await self._change(self._dialect.set_state, values)
        except Lost as error:
            return await self._read_back(check, error)
        except VersionConflict as conflict:
            raise VersionConflict(run_id, version, conflict.current or await self._current(run_id)) from conflict
        if not is_locked:
            return await self._verified(check)
        new = convert.child(result.data, "set_flow_run_state").get("version")
        return new if isinstance(new, int) else version + 1

    async def _verified(self, check: ChangeCheck) -> int:
        """Check after an accepted change on a server that does not lock that nothing slipped in between."""
        try:
            states = await self.history(check.run_id, after_version=check.version)
        except BackendError as error:
            what = f"{one_line(check.draft.type, 40)} was accepted for flow run {check.run_id}"
            raise OutcomeUnknown(f"{what}, but could not be verified: {error}") from error
        return check.outcome(states) or check.version + 1

    async def _read_back(self, check: ChangeCheck, lost: BackendError) -> int:
        """Find out what became of a state change; `OutcomeUnknown` when nothing can be seen of it."""
        seen = "reading it back failed"
        for pause in READ_BACK_PAUSES_S:
            await self._sleep(pause)
            try:
                states = await self.history(check.run_id, after_version=check.version)
            except BackendError:
                continue
            version = check.outcome(states)
            if version is not None:
                return version
            seen = f"read back, it was not done so far (still version {check.version})"
        raise OutcomeUnknown(
            f"setting {one_line(check.draft.type, 40)} on flow run {check.run_id}: {lost}; {seen}"
        ) from lost

    async def _current(self, run_id: RunId) -> Current | None:
        try:
            return current_of_run(await self.run(run_id))
        except BackendError:
            return None

    async def cancel_run(self, run_id: RunId) -> str:
        """Cancel a run and return the name of the resulting state."""
        payload, run = await self._change_run(
            documents.CANCEL, run_id, {}, lambda run: run is not None and run.state in ("Cancelling", "Cancelled")
        )
        state = run.state if run else payload.get("state")
        return state if isinstance(state, str) else ""

    async def delete_run(self, run_id: RunId) -> bool:
        """Delete a run; False when there was none."""
        try:
            payload, _ = await self._change_run(documents.DELETE, run_id, {}, lambda run: run is None)
        except NotFound:
            return False
        return payload.get("success", True) is True

    async def rename_run(self, run_id: RunId, name: str) -> None:
        """Give a run another name."""
        payload, _ = await self._change_run(
            documents.RENAME, run_id, {"name": name}, lambda run: run is not None and run.name == name
        )
        _found(payload, run_id)

    async def set_labels(self, run_id: RunId, labels: Sequence[str]) -> None:
        """Replace the labels of a run."""
        wanted = sorted(labels)
        payload, _ = await self._change_run(
            documents.SET_LABELS,
            run_id,
            {"labels": list(labels)},
            lambda run: run is not None and sorted(run.labels) == wanted,
        )
        _found(payload, run_id)

    async def _change_run(
        self, document: str, run_id: RunId, values: dict[str, Any], is_done: Callable[[FlowRun | None], bool]
    ) -> tuple[dict[str, Any], FlowRun | None]:
        """Send a change of one run and return its payload; `{}` and the run when the answer was lost and it is done.

        `is_done` gets the run as it was read back, None when it is gone. Raises `NotFound`, `OutcomeUnknown`.
        """
        try:
            result = await self._change(document, {"flow_run_id": run_id, **values})
        except Lost as error:
            run = await self._seen(run_id, error)
            if is_done(run):
                return {}, run
            raise OutcomeUnknown(f"changing flow run {one_line(run_id, 60)}: {error}") from error
        except Rejected as error:
            if not isinstance(error, (NotFound, ReadOnly)) and await self._is_gone(run_id):
                raise NotFound(f"no flow run has the id {one_line(run_id, 60)}") from error
            raise
        payload = next(iter(result.data.values()), None)
        return (payload if isinstance(payload, dict) else {}), None

    async def _seen(self, run_id: RunId, lost: BackendError) -> FlowRun | None:
        """Read a run back after an answer was lost; None when it is gone."""
        try:
            return await self.run(run_id)
        except NotFound:
            return None
        except BackendError as error:
            raise OutcomeUnknown(f"changing flow run {one_line(run_id, 60)}: {lost}; {error}") from lost

    async def _is_gone(self, run_id: RunId) -> bool:
        """True when a refusal was for a run that does not exist: a Prefect 1 server has no code for that."""
        try:
            await self.run(run_id)
        except NotFound:
            return True
        except BackendError:
            return False
        return False


def _found(payload: dict[str, Any], run_id: RunId) -> None:
    if payload.get("success", True) is not True:
        raise NotFound(f"no flow run has the id {one_line(run_id, 60)}")
