"""The one place where the operator's acts leave this program: journal before, request, journal after.

Screens call these; each returns an outcome as a value and never raises a `BackendError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from flowlatch.api.backend import Backend
from flowlatch.config import Profile, Target
from flowlatch.errors import BackendError
from flowlatch.live import edit
from flowlatch.live.create import CreateOutcome, RunCreated, RunExisted, create_run, find_created
from flowlatch.live.edit import (
    Agreed,
    Applied,
    Base,
    Conflict,
    EditOutcome,
    Gone,
    NotSent,
    Refused,
    Unknown,
    failure,
)
from flowlatch.live.journal import Journal, Side
from flowlatch.model.run import FlowRun, NewRun
from flowlatch.model.state import StateDraft
from flowlatch.text import one_line


@dataclass(frozen=True)
class Cancelled:
    """The server answered a cancel: the run's state now, which may be one it had already finished with."""

    state: str


@dataclass(frozen=True)
class Deleted:
    """The run and all that belongs to it is gone."""


CancelOutcome = Cancelled | Conflict | Refused | Gone | NotSent | Unknown
DeleteOutcome = Deleted | Conflict | Refused | Gone | NotSent | Unknown
Outcome = EditOutcome | CreateOutcome | CancelOutcome | DeleteOutcome


T = TypeVar("T")


class Standing(Protocol):
    """What acting on a server takes: a `Session` of the screens, or the connection of one command."""

    @property
    def target(self) -> Target:
        """The server that was asked for, and who acts."""
        ...

    @property
    def profile(self) -> Profile:
        """The profile of this server."""
        ...

    @property
    def backend(self) -> Backend:
        """The connection. Raises `Unreachable` while there is none."""
        ...

    @property
    def url(self) -> str:
        """The server's address."""
        ...

    @property
    def server_id(self) -> str:
        """Names the database; empty where the server has no such name."""
        ...

    @property
    def journal(self) -> Journal:
        """The record of what was done from here."""
        ...

    def now(self) -> datetime:
        """Return the server's clock (aware UTC)."""
        ...


class Desk:
    """Acts on one server in the operator's name."""

    def __init__(self, session: Standing) -> None:
        self.session = session

    @property
    def me(self) -> str:
        """The actor's name that this program sends."""
        return self.session.target.actor

    def base_of(self, run: FlowRun) -> Base:
        """Freeze a run as it is shown."""
        return Base.of(run, server_id=self.session.server_id, at=self.session.now())

    async def set_state(self, base: Base, draft: StateDraft) -> EditOutcome:
        """Set a state on exactly the base's version."""
        entry = await self._begin("set_state", base, Side.of_draft(draft, base.version + 1))
        outcome = await self._act(self._set_state(base, draft))
        await self._finish(entry, outcome)
        return outcome

    async def settle(self, base: Base, draft: StateDraft) -> EditOutcome:
        """Read what became of a state change whose answer was lost, and write that down."""
        entry = await self._begin("read_back", base, Side.of_draft(draft, base.version + 1))
        outcome = await self._act(self._settle(base, draft))
        await self._finish(entry, outcome)
        return outcome

    async def look(self, base: Base, draft: StateDraft) -> Agreed | Conflict | Gone | Unknown | None:
        """Compare the base with the server; None when it is still there. Writes nothing, anywhere."""
        try:
            return await edit.look(self.session.backend, base, draft)
        except BackendError as error:
            return Unknown(one_line(error))

    async def create(self, new: NewRun, *, flow: str = "", is_fresh_key: bool, again: bool = False) -> CreateOutcome:
        """Create a run; `again` repeats one whose answer was lost, under its key."""
        entry = await asyncio.to_thread(
            self.session.journal.begin,
            "create",
            profile=self.session.profile.name,
            server=self.session.url,
            actor=self.me,
            run=f"{flow} / {new.flow_run_name or '(new)'}",
        )
        outcome = await self._act(self._create(new, is_fresh_key, again))
        await self._finish(entry, outcome)
        return outcome

    async def cancel(self, base: Base, *, only_on_base: bool = False) -> CancelOutcome:
        """Cancel a run; with `only_on_base` not if it has moved on since (checked by reading)."""
        entry = await self._begin("cancel", base, Side(state="Cancelled"))
        outcome = await self._act(self._cancel(base, only_on_base))
        await self._finish(entry, outcome)
        return outcome

    async def delete(self, base: Base) -> DeleteOutcome:
        """Delete a run unless it has moved on since the base (checked by reading: deleting has no version)."""
        entry = await self._begin("delete", base, None)
        outcome = await self._act(self._delete(base))
        await self._finish(entry, outcome)
        return outcome

    async def _set_state(self, base: Base, draft: StateDraft) -> EditOutcome:
        return await edit.edit_state(self.session.backend, base, draft)

    async def _settle(self, base: Base, draft: StateDraft) -> EditOutcome:
        return await edit.settle(self.session.backend, base, draft)

    async def _create(self, new: NewRun, is_fresh_key: bool, again: bool) -> CreateOutcome:
        send = find_created if again else create_run
        return await send(self.session.backend, new, is_fresh_key=is_fresh_key)

    async def _cancel(self, base: Base, only_on_base: bool) -> CancelOutcome:
        if only_on_base and (moved := await self._moved(base, StateDraft(type="Cancelled"))):
            return moved
        return Cancelled(await self.session.backend.cancel_run(base.run_id))

    async def _delete(self, base: Base) -> DeleteOutcome:
        if moved := await self._moved(base, StateDraft(type="(deleted)")):
            return moved
        return Deleted() if await self.session.backend.delete_run(base.run_id) else Gone()

    async def _moved(self, base: Base, wanted: StateDraft) -> Conflict | Gone | Refused | NotSent | None:
        backend = self.session.backend
        if base.server_id and backend.capabilities.server_id != base.server_id:
            return Refused("the server has another database now", "SERVER_CHANGED")
        match await edit.look(backend, base, wanted):
            case Agreed(theirs=theirs):
                return Conflict(edit.ConflictKind.ALREADY_SO, base, wanted, theirs, (theirs,))
            case Unknown(reason=reason):
                return NotSent(reason)
            case other:
                return other

    async def _act(self, act: Awaitable[T]) -> T | Refused | Gone | NotSent | Unknown:
        try:
            return await act
        except BackendError as error:
            return failure(error)

    async def _begin(self, action: str, base: Base, after: Side | None) -> str:
        return await asyncio.to_thread(
            self.session.journal.begin,
            action,
            profile=self.session.profile.name,
            server=self.session.url,
            actor=self.me,
            run_id=base.run_id,
            run=f"{base.flow_name} / {base.run_name}",
            before=Side.of_state(base.state),
            after=after,
        )

    async def _finish(self, entry: str, outcome: Outcome) -> None:
        word, detail, after = told(outcome)
        run = getattr(outcome, "run", None)
        await asyncio.to_thread(
            self.session.journal.finish,
            entry,
            word,
            detail=detail,
            run_id=getattr(outcome, "id", ""),
            run=f"{run.flow_name} / {run.name}" if isinstance(run, FlowRun) else "",
            after=after,
        )


def told(outcome: Outcome) -> tuple[str, str, Side | None]:
    """Return an outcome as the journal keeps it: a word, one line of detail, and the state the server really has."""
    match outcome:
        case Applied(version=version, state=state):
            return "applied", "read back" if outcome.is_read_back else "", Side(version=version, state=state)
        case Agreed(theirs=theirs):
            return "agreed", "somebody else had set exactly this", Side.of_state(theirs)
        case Conflict(theirs=theirs, kind=kind):
            return "conflict", str(kind), Side.of_state(theirs)
        case Cancelled(state=state):
            return "applied", "", Side(state=state)
        case Deleted():
            return "applied", "deleted", None
        case RunCreated(run=run):
            return "created", "", Side.of_run(run) if run else None
        case RunExisted(run=run, differences=differences):
            return "existing", f"{len(differences)} inputs differ" if differences else "", _side(run)
        case Refused(reason=reason):
            return "refused", reason, None
        case Gone():
            return "gone", "", None
        case NotSent(reason=reason):
            return "not sent", reason, None
        case Unknown(reason=reason):
            return "unknown", reason, None


def _side(run: FlowRun | None) -> Side | None:
    return Side.of_run(run) if run else None
