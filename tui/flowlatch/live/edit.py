"""Setting a state on the version that was seen, and what became of it, as a value with words.

Nothing here ever retries onto a newer version: a conflict is handed to the person who decides. Source: ux.md §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowlatch.api.backend import Backend
from flowlatch.api.checked import is_same
from flowlatch.errors import (
    BackendError,
    Current,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unreachable,
    VersionConflict,
)
from flowlatch.live.parties import is_person
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import SCHEDULED_LIKE, Category, State, StateDraft, state_type
from flowlatch.model.versions import version_label
from flowlatch.text import one_line


@dataclass(frozen=True)
class Base:
    """What was on the screen when the form opened; it never changes behind the form."""

    run_id: RunId
    state: State
    """With its version: the one that is sent."""
    flow_name: str = ""
    run_name: str = ""
    server_id: str = ""
    """The database it was read from; empty where the server has no such name."""
    taken_at: datetime | None = None

    @classmethod
    def of(cls, run: FlowRun, *, server_id: str = "", at: datetime | None = None) -> Base:
        """Freeze a run as it is shown."""
        return cls(run.id, run.current, run.flow_name, run.name, server_id, at)

    @property
    def version(self) -> int:
        """The version that is sent."""
        return self.state.version


class ConflictKind(StrEnum):
    """What happened on the server since the base, in one word; `words` says it in a sentence."""

    ALREADY_SO = "already so"
    """The run has the wanted state, with another message."""
    MOVED_ON = "moved on"
    """Normal progress."""
    FINISHED = "finished"
    """Applying would revive or recolour a finished run."""
    DECIDED = "someone else decided"
    """A person set a state."""
    OLDER = "older than yours"
    """The server is behind the base: a restored backup, or another server. Applying is blocked."""
    OVERWROTE = "overwritten after the fact"
    """The change was written, over one that slipped in between (servers that do not lock)."""


@dataclass(frozen=True)
class Applied:
    """The server has the change."""

    version: int
    state: str
    is_read_back: bool = False
    """True when the answer was lost and reading back showed it."""
    later: tuple[State, ...] = ()
    """States that followed ours by the time it was read back."""


@dataclass(frozen=True)
class Agreed:
    """Somebody set exactly this meanwhile: nothing was written, and nothing is left to do."""

    theirs: State


@dataclass(frozen=True)
class Conflict:
    """The run is not what it was. Nothing was written, unless `is_written`."""

    kind: ConflictKind
    base: Base
    draft: StateDraft
    theirs: State
    between: tuple[State, ...] = ()
    """The states after the base up to `theirs`, oldest first; empty where the history could not be read."""
    is_written: bool = False

    @property
    def may_apply(self) -> bool:
        """False when the server is behind the base: applying could hit another run's past."""
        return self.kind not in (ConflictKind.OLDER, ConflictKind.OVERWROTE)

    def rebased(self) -> Base:
        """Return the base for an edit on top of theirs."""
        base = self.base
        return Base(base.run_id, self.theirs, base.flow_name, base.run_name, base.server_id, base.taken_at)


@dataclass(frozen=True)
class Refused:
    """The server, or this program, refused by a rule; nothing was written."""

    reason: str
    code: str = "REJECTED"


@dataclass(frozen=True)
class Gone:
    """The run does not exist any more."""


@dataclass(frozen=True)
class NotSent:
    """There was no connection, so nothing was written; or read-back showed that it was not done."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """It was sent and the answer was lost. It may or may not be done: read back before anything else."""

    reason: str


EditOutcome = Applied | Agreed | Conflict | Refused | Gone | NotSent | Unknown


async def edit_state(backend: Backend, base: Base, draft: StateDraft) -> EditOutcome:
    """Set `draft` on exactly the base's version and say what became of it; never raises a `BackendError`."""
    if base.server_id and backend.capabilities.server_id != base.server_id:
        return Refused("the server has another database now; this edit belongs to the old one", "SERVER_CHANGED")
    try:
        version = await backend.set_state(base.run_id, base.version, draft)
    except VersionConflict as conflict:
        return await _conflict(backend, base, draft, conflict)
    except BackendError as error:
        return failure(error)
    return Applied(version, draft.type)


async def settle(backend: Backend, base: Base, draft: StateDraft) -> EditOutcome:
    """Find out by reading what became of a change whose answer was lost."""
    try:
        states = await backend.history(base.run_id, after_version=base.version)
        if not states:
            await backend.run(base.run_id)
            seen = version_label(base.version)
            return NotSent(f"read back: still {seen}, so it was not done; submitting again asks for {seen}")
    except NotFound:
        return Gone()
    except BackendError as error:
        return Unknown(f"reading back failed: {one_line(error)}")
    if is_same(states[0], draft):
        return Applied(states[0].version, draft.type, is_read_back=True, later=tuple(states[1:]))
    return conflict_with(base, draft, tuple(states))


async def look(backend: Backend, base: Base, draft: StateDraft) -> Agreed | Conflict | Gone | Unknown | None:
    """Compare the base with the server without writing; None when the run is still at the base.

    For the review before a submit, and for refreshing a conflict that is open. Raises nothing.
    """
    try:
        run = await backend.run(base.run_id)
        if run.version == base.version:
            return None
        states = await backend.history(base.run_id, after_version=base.version)
    except NotFound:
        return Gone()
    except BackendError as error:
        return Unknown(f"reading failed: {one_line(error)}")
    return conflict_with(base, draft, tuple(states) or (run.current,))


def failure(error: BackendError) -> Refused | Gone | NotSent | Unknown:
    """Return what a failed change means."""
    match error:
        case NotFound():
            return Gone()
        case Rejected():
            return Refused(one_line(error), error.server_code)
        case Unauthorized():
            return Refused(f"the token was refused: {one_line(error)}", error.code)
        case Unreachable():
            return NotSent(f"no connection: {one_line(error)}")
        case OutcomeUnknown():
            return Unknown(one_line(error))
        case _:
            return Unknown(f"the answer could not be read: {one_line(error)}")


async def _conflict(
    backend: Backend, base: Base, draft: StateDraft, error: VersionConflict
) -> Agreed | Conflict | Gone | Refused:
    """Read what is on the server now; if that fails, make do with what the refusal said."""
    if error.overwrote and error.current:
        return Conflict(
            ConflictKind.OVERWROTE, base, draft, _state(error.current), (_state(error.current),), is_written=True
        )
    seen = await look(backend, base, draft)
    if isinstance(seen, Agreed | Conflict | Gone):
        return seen
    if error.current is None:
        return Refused(f"{one_line(error)}; what it is now could not be read", error.code)
    return conflict_with(base, draft, (_state(error.current),))


def conflict_with(base: Base, draft: StateDraft, states: tuple[State, ...]) -> Agreed | Conflict:
    """Name what happened since the base; `states` are those after it, oldest first, or the one state known."""
    theirs = states[-1]
    if theirs.version > base.version and is_same(theirs, draft):
        return Agreed(theirs)
    between = tuple(state for state in states if state.version > base.version)
    return Conflict(_kind(base, draft, theirs, between), base, draft, theirs, between)


def _kind(base: Base, draft: StateDraft, theirs: State, between: tuple[State, ...]) -> ConflictKind:
    if theirs.version <= base.version:
        return ConflictKind.OLDER
    if theirs.name == draft.type:
        return ConflictKind.ALREADY_SO
    if is_person(theirs.actor):
        return ConflictKind.DECIDED
    if theirs.is_finished:
        return ConflictKind.FINISHED
    if any(is_person(state.actor) for state in between):
        return ConflictKind.DECIDED
    return ConflictKind.MOVED_ON


def _state(current: Current) -> State:
    try:
        timestamp = datetime.fromisoformat(current.timestamp) if current.timestamp else None
    except ValueError:
        timestamp = None
    return State(
        name=current.state,
        message=current.message,
        timestamp=timestamp,
        version=current.version,
        actor=current.actor,
    )


def is_no_change(base: Base, draft: StateDraft) -> bool:
    """True when the draft is what the run has already: there is nothing to send.

    No start means at once for the scheduled family, so it is a change of a run that starts later.
    """
    state = base.state
    has_start = draft.start_time is not None or state_type(draft.type) in SCHEDULED_LIKE
    return (
        state.name == draft.type
        and (state.message or "") == (draft.message or "")
        and (not has_start or draft.start_time == state.start_time)
    )


_NOT_TAKEN_BACK = ("type", "message", "start_time", "__version__")


def undo_of(history: list[State]) -> StateDraft | None:
    """Return the state before the present one as a draft for a new version; None when there is none to go back to.

    `history` is oldest first. What belonged to that state (result, context …) comes back with it.
    """
    if len(history) < 2:
        return None
    before = history[-2]
    if before.category is Category.UNKNOWN:
        return None
    extra = {key: value for key, value in (before.serialized or {}).items() if key not in _NOT_TAKEN_BACK}
    return StateDraft(type=before.name, message=before.message, start_time=before.start_time, extra=extra)
