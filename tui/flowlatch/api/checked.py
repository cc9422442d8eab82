"""Rules for finding out, by reading, what became of a change: pure functions over what was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flowlatch.errors import Current, VersionConflict
from flowlatch.model.run import Created, FlowRun, NewRun, RunId
from flowlatch.model.state import State, StateDraft


@dataclass(frozen=True)
class ChangeCheck:
    """A state change that was sent, to be compared with the states that followed the base version."""

    run_id: RunId
    version: int
    """The base: the change applies if ours is the first state after it."""
    draft: StateDraft

    def outcome(self, states: list[State]) -> int | None:
        """Return the version our state got; None when nothing followed the base (yet).

        `states` are those after the base, oldest first. Raises `VersionConflict` when another state followed; with
        `overwrote` when ours came behind it, which only a server that does not lock lets happen.
        """
        if not states:
            return None
        if is_same(states[0], self.draft):
            return states[0].version
        place = next((index for index, state in enumerate(states) if is_same(state, self.draft)), None)
        if place is None:
            raise VersionConflict(self.run_id, self.version, current_of_state(states[-1]))
        raise VersionConflict(self.run_id, self.version, current_of_state(states[place - 1]), overwrote=True)


def is_same(state: State, draft: StateDraft) -> bool:
    """True when a state that was read is what the draft asked for.

    Two people who set the same state with the same words on the same version are not told apart: both have what they
    wanted.
    """
    if state.name != draft.type or (state.message or None) != (draft.message or None):
        return False
    if draft.start_time is not None and state.start_time != draft.start_time:
        return False
    stored = state.serialized
    return stored is None or all(stored.get(key) == value for key, value in draft.extra.items())


def current_of_run(run: FlowRun) -> Current:
    """Return what a run is now, as the "theirs" of a conflict."""
    return Current(run.version, run.state, run.state_message, _iso(run.state_timestamp), run.actor)


def current_of_state(state: State) -> Current:
    """Return a state of the history as the "theirs" of a conflict."""
    return Current(state.version, state.name, state.message, _iso(state.timestamp), state.actor)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def inputs_of(new: NewRun) -> dict[str, Any]:
    """Return the input of `create_flow_run`: what was given, times as text in UTC."""
    start = new.scheduled_start_time
    if isinstance(start, datetime):
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    values = dict(vars(new))
    values["scheduled_start_time"] = start.isoformat() if isinstance(start, datetime) else start
    return {name: value for name, value in values.items() if value is not None}


def created_from(run_id: str, entry: dict[str, Any]) -> Created:
    """Return the answer to a create; `entry` is its part of `extensions.idempotency` (empty without a key)."""
    mismatch = entry.get("mismatch")
    try:
        expires_at = datetime.fromisoformat(str(entry["expires_at"])).astimezone(UTC)
    except (KeyError, ValueError):
        expires_at = None
    return Created(
        id=RunId(run_id),
        replayed=entry.get("replayed") is True,
        mismatch=[str(name) for name in mismatch] if isinstance(mismatch, list) else [],
        expires_at=expires_at,
    )


def created_against(before: dict[str, Any], run_id: str, sent: dict[str, Any]) -> Created:
    """Return the answer to a create on a server that does not tell: compared with the run the key had before."""
    if before.get("id") != run_id:
        return Created(id=RunId(run_id))
    kept = before.get("parameters")
    given = sent.get("parameters") or {}
    mismatch = []
    if any(not isinstance(kept, dict) or name not in kept or kept[name] != given[name] for name in given):
        mismatch.append("parameters")
    if "labels" in sent and sorted(sent["labels"]) != sorted(before.get("labels") or []):
        mismatch.append("labels")
    if "flow_run_name" in sent and sent["flow_run_name"] != before.get("name"):
        mismatch.append("flow_run_name")
    return Created(id=RunId(run_id), replayed=True, mismatch=mismatch)
