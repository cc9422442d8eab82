"""What the Prefect 3 backend changes, and how it finds out what became of a change (prefect3.md §3 to §5).

The server compares no version, so each state change is compared just before it is sent and looked at afterwards. A
change of somebody else in the milliseconds between is reported, not prevented.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from flowlatch.api.call import Lost, until_answered
from flowlatch.api.checked import created_against, current_of_run, current_of_state, inputs_of
from flowlatch.api.http import AnswerLost
from flowlatch.api.prefect3 import convert
from flowlatch.api.prefect3.call import Answer, RestCaller
from flowlatch.api.prefect3.reads import Prefect3Reads, as_path
from flowlatch.errors import (
    BackendError,
    ForeignServer,
    NotFound,
    OutcomeUnknown,
    ReadOnly,
    Rejected,
    Unreachable,
    VersionConflict,
)
from flowlatch.model.run import Created, FlowId, NewRun, RunId
from flowlatch.model.state import Category, StateDraft, category_of
from flowlatch.text import one_line

T = TypeVar("T")
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Between repeats, each times 0.5 to 1.5 by chance, lest writers that were refused together meet again: a server on
SQLite answers 503, or cuts the connection, while another request writes (prefect3.md §7)."""
OWN_KEY = "flowlatch-"
"""Beginning of the idempotency key of a run that was given none."""
NOT_DONE = "read back, it was not done"
CANCELS = ("Cancelling", "Cancelled")
EVENT_S = 2.0
"""How long the event of our own change is waited for, where events are heard."""
EVENTS_KEPT = 2_000

TYPES: dict[str, str] = {
    "Scheduled": "SCHEDULED",
    "AwaitingRetry": "SCHEDULED",
    "Late": "SCHEDULED",
    "Pending": "PENDING",
    "Running": "RUNNING",
    "Paused": "PAUSED",
    "Suspended": "PAUSED",
    "Cancelling": "CANCELLING",
    "Completed": "COMPLETED",
    "Success": "COMPLETED",
    "Failed": "FAILED",
    "Crashed": "CRASHED",
    "Cancelled": "CANCELLED",
}
"""State name → type, for names that are usual. Others go by their category."""
SETTABLE = (
    "Completed",
    "Failed",
    "Crashed",
    "Cancelling",
    "Scheduled",
    "AwaitingRetry",
    "Pending",
    "Running",
    "Paused",
)
"""What an operator may set."""
_BY_CATEGORY = {
    Category.SCHEDULED: "SCHEDULED",
    Category.PENDING: "PENDING",
    Category.META: "PENDING",
    Category.RUNNING: "RUNNING",
    Category.SUCCESS: "COMPLETED",
    Category.FAILED: "FAILED",
    Category.CANCELLED: "CANCELLED",
}


class Heard:
    """Which state each new state replaced, as events told; shared by the one who listens and those who set states."""

    def __init__(self) -> None:
        self._follows: OrderedDict[str, str | None] = OrderedDict()
        self._news = asyncio.Event()
        self.listeners = 0
        """Sockets that events arrive by: only where there is one it is worth waiting for an event."""

    def note(self, state_id: str, follows: str | None) -> None:
        """Keep what an event told."""
        self._follows[state_id] = follows
        while len(self._follows) > EVENTS_KEPT:
            self._follows.popitem(last=False)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def replaced(self, state_id: str) -> str | None:
        """Return the id of the state that one replaced; None when no event told it in time."""
        try:
            async with asyncio.timeout(EVENT_S if self.listeners else 0):
                while state_id not in self._follows:
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._follows[state_id]


class Prefect3Writes(Prefect3Reads):
    """Changes over one `RestCaller`."""

    def __init__(
        self,
        caller: RestCaller,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter`: a number from 0 to 1."""
        super().__init__(caller)
        self._sleep = sleep
        self._jitter = jitter
        self._is_read_only = False
        self._heard = Heard()

    async def _change(self, method: str, path: str, payload: Any = None) -> Answer:
        """Send a change once. Raises `ReadOnly` before anything is sent."""
        if self._is_read_only:
            raise ReadOnly("this connection is read-only; nothing was sent")
        return await self._call.change(method, path, payload)

    async def _change_surely(self, what: str, method: str, path: str, payload: Any = None) -> Answer:
        """Send a change that may be done twice; again while the answer is lost. Raises `OutcomeUnknown`."""
        return await self._surely(what, partial(self._change, method, path, payload))

    async def _surely(self, what: str, send: Callable[[], Awaitable[T]]) -> T:
        return await until_answered(send, what, pauses_s=PAUSES_S, sleep=self._rest)

    async def _rest(self, pause: float) -> None:
        await self._sleep(pause * (0.5 + self._jitter()))

    # ---- create ----------------------------------------------------------------------------------------------------

    async def create_run(self, new: NewRun) -> Created:
        """Create a run of a deployment; sent again under its key while the answer is lost.

        A run that was given no key gets one of its own, which nobody else uses: the server refuses most of what is
        written at the same time, and without a key nobody could tell whether to send it again.
        """
        if not new.flow_id:
            raise Rejected("Prefect 3 makes runs from a deployment: its id is needed", "BAD_USER_INPUT")
        sent = inputs_of(new)
        details = {"scheduled_time": sent["scheduled_start_time"]} if "scheduled_start_time" in sent else {}
        body: dict[str, Any] = {"state": {"type": "SCHEDULED", "state_details": details}}
        for name, theirs in (("parameters", "parameters"), ("labels", "tags"), ("flow_run_name", "name")):
            if name in sent:
                body[theirs] = sent[name]
        body["idempotency_key"] = new.idempotency_key or f"{OWN_KEY}{uuid4()}"
        path = f"/deployments/{as_path(new.flow_id)}/create_flow_run"
        try:
            answer = await self._change_surely("creating a flow run", "POST", path, body)
        except NotFound as error:
            raise NotFound(f"no deployment has the id {one_line(new.flow_id, 60)}") from error
        except OutcomeUnknown as error:
            hint = "sending it again with the same key is safe" if new.idempotency_key else "look for it in the list"
            raise OutcomeUnknown(f"{error}; {hint}") from error
        row = answer.body if isinstance(answer.body, dict) else {}
        run_id = row.get("id")
        if not isinstance(run_id, str):
            raise ForeignServer(f"{self._call.link.where}: the answer to a create holds no id")
        if answer.status == 201 or not new.idempotency_key:
            return Created(id=RunId(run_id))
        kept = {"id": run_id, "name": row.get("name"), "parameters": row.get("parameters"), "labels": row.get("tags")}
        return created_against(kept, run_id, {**sent, "labels": _more(sent, kept)})

    # ---- state -----------------------------------------------------------------------------------------------------

    async def set_state(self, run_id: RunId, version: int, state: StateDraft) -> int:
        """Set a state if the run is at that version when it is looked at just before, and look what it replaced."""
        transition = str(uuid4())  # with which the server does not do it twice
        path = f"/flow_runs/{as_path(run_id)}/set_state"
        body = {"state": _document(state, transition), "force": False}

        async def attempt() -> int:
            try:
                base = await self._at(run_id, version)
            except Lost as error:  # of a read: nothing was sent here
                raise Unreachable(str(error)) from error
            try:
                answer = await self._change("POST", path, body)
            except Lost as error:
                done = await self._read_back(run_id, version, transition, error)
                if done is not None:
                    return done
                raise AnswerLost(f"{error}; {NOT_DONE}") from error
            return await self._judged(run_id, version, base, answer)

        return await self._surely(f"setting {one_line(state.type, 40)} on flow run {one_line(run_id, 60)}", attempt)

    async def _at(self, run_id: RunId, version: int) -> str:
        """Return the id of the run's state. Raises `VersionConflict` when it is another one than was seen."""
        row = await self._run_row(run_id)
        run = convert.flow_run(row, self._flow_names)
        if run.version != version:
            raise VersionConflict(run_id, version, current_of_run(run))
        return str(row.get("state_id") or "")

    async def _judged(self, run_id: RunId, version: int, base: str, answer: Answer) -> int:
        """Return the new version, by what the answer says and whether its state is a new one (prefect3.md §4)."""
        body = answer.body if isinstance(answer.body, dict) else {}
        row = body.get("state")
        is_new = isinstance(row, dict) and row.get("id") not in (None, base)
        if not isinstance(row, dict) or not is_new:
            details = body.get("details")
            reason = details.get("reason") if isinstance(details, dict) else None
            word = str(body.get("status") or "REJECT")
            raise Rejected(one_line(reason or f"the server answered {word.lower()}", 300), one_line(word, 20))
        await self._verify(run_id, version, base, str(row["id"]))
        return convert.version_of(row)

    async def _verify(self, run_id: RunId, version: int, base: str, ours: str) -> None:
        """Look what our state replaced. Raises `VersionConflict` with `overwrote` for another one than the base."""
        replaced = await self._heard.replaced(ours)
        if replaced == base:
            return
        try:
            rows = self._list(await self._call.get(f"/flow_run_states/?flow_run_id={as_path(run_id)}"))
        except BackendError as error:
            said = f"it was accepted for flow run {run_id}, but could not be verified: {error}"
            raise OutcomeUnknown(said) from error
        states = {str(row.get("id")): row for row in rows if isinstance(row, dict)}
        if replaced is None and ours in states:
            until = convert.version_of(states[ours])
            before = [row for row in states.values() if convert.version_of(row) < until]
            last = max(before, key=convert.version_of, default=None)
            replaced = str(last.get("id")) if last else base
        if replaced is not None and replaced != base and replaced in states:
            raise VersionConflict(run_id, version, current_of_state(convert.state(states[replaced])), overwrote=True)

    async def _read_back(self, run_id: RunId, version: int, transition: str, lost: BackendError) -> int | None:
        """Return the version our state got; None when it was not done. Raises `OutcomeUnknown` when reading fails."""
        try:
            rows = self._list(await self._call.get(f"/flow_run_states/?flow_run_id={as_path(run_id)}"))
        except BackendError as error:
            raise OutcomeUnknown(f"setting a state on flow run {run_id}: {lost}; {error}") from lost
        for row in rows:
            details = row.get("state_details") if isinstance(row, dict) else None
            if isinstance(details, dict) and details.get("transition_id") == transition:
                return convert.version_of(row)
        return None

    async def cancel_run(self, run_id: RunId) -> str:
        """Ask for Cancelling, which the server makes Cancelled where nothing runs; return the resulting name."""
        path = f"/flow_runs/{as_path(run_id)}/set_state"
        draft = _document(StateDraft(type="Cancelling", message="Cancelled by an operator"), str(uuid4()))

        async def attempt() -> str:
            try:
                answer = await self._change("POST", path, {"state": draft, "force": False})
            except Lost as error:
                state = await self._seen(run_id, error)
                if state in CANCELS:
                    return state
                raise AnswerLost(f"{error}; {NOT_DONE}") from error
            row = answer.body.get("state") if isinstance(answer.body, dict) else None
            name = row.get("name") if isinstance(row, dict) else None
            if name not in CANCELS:
                details = answer.body.get("details") if isinstance(answer.body, dict) else None
                reason = details.get("reason") if isinstance(details, dict) else None
                raise Rejected(one_line(reason or "the server did not cancel it", 300), "REJECT")
            return str(name)

        return await self._surely(f"cancelling flow run {one_line(run_id, 60)}", attempt)

    async def _seen(self, run_id: RunId, lost: BackendError) -> str:
        try:
            return (await self.run(run_id)).state
        except NotFound:
            raise
        except BackendError as error:
            raise OutcomeUnknown(f"changing flow run {one_line(run_id, 60)}: {lost}; {error}") from lost

    # ---- the rest --------------------------------------------------------------------------------------------------

    async def delete_run(self, run_id: RunId) -> bool:
        """Delete a run; False when there was none."""
        was_lost = False

        async def attempt() -> bool:
            nonlocal was_lost
            try:
                await self._change("DELETE", f"/flow_runs/{as_path(run_id)}")
            except NotFound:
                return was_lost  # then the one before did it
            except Lost:
                was_lost = True
                raise
            return True

        return await self._surely(f"deleting flow run {one_line(run_id, 60)}", attempt)

    async def rename_run(self, run_id: RunId, name: str) -> None:
        """Give a run another name."""
        await self._patch("flow run", run_id, {"name": name})

    async def set_labels(self, run_id: RunId, labels: Sequence[str]) -> None:
        """Replace the tags of a run."""
        await self._patch("flow run", run_id, {"tags": list(labels)})

    async def _patch(self, kind: str, id_: str, values: dict[str, Any]) -> None:
        shown = one_line(id_, 60)
        path = f"/{kind.replace(' ', '_')}s/{as_path(id_)}"
        try:
            await self._change_surely(f"changing {kind} {shown}", "PATCH", path, values)
        except NotFound as error:
            raise NotFound(f"no {kind} has the id {shown}") from error

    async def create_flow(self, name: str, *, project: str = "default", parameters: Sequence[Any] = ()) -> FlowId:
        """Refuse: a deployment needs code, which its own tools register."""
        raise Rejected("deployments of Prefect 3 are made by its own tools: prefect deploy", "BAD_USER_INPUT")

    async def archive_flow(self, flow_id: FlowId) -> None:
        """Refuse: there is no archive."""
        raise Rejected("archive: Prefect 3 does not have this; pause the deployment instead", "BAD_USER_INPUT")

    async def set_schedule_active(self, flow_id: FlowId, active: bool) -> None:
        """Pause a deployment, or let its schedules make runs again."""
        await self._patch("deployment", flow_id, {"paused": not active})


def _document(draft: StateDraft, transition: str) -> dict[str, Any]:
    """Return the state to send. Raises `Rejected` for a name whose type cannot be told."""
    kind = TYPES.get(draft.type) or _BY_CATEGORY.get(category_of(draft.type))
    if kind is None:
        raise Rejected(
            f"{one_line(draft.type, 40)}: no state of Prefect 3; e.g. {', '.join(SETTABLE)}", "BAD_USER_INPUT"
        )
    details: dict[str, Any] = {"transition_id": transition}
    if draft.start_time is not None:
        details["scheduled_time"] = draft.start_time.isoformat()
    name = "Completed" if draft.type == "Success" else draft.type
    return {"type": kind, "name": name, "message": draft.message, "state_details": details}


def _more(sent: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """Return the tags a run has if it has those that were sent: the deployment adds its own to them."""
    have = kept.get("labels") or []
    wanted = sent.get("labels") or []
    return list(have) if set(wanted) <= set(have) else list(wanted)
