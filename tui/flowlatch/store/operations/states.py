"""State documents: which are accepted, and how one becomes a row. Source: contract.md §4."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from flowlatch.model.state_type import SCHEDULED_LIKE, StateType, state_type
from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import bad_input, to_json
from flowlatch.store.times import add_seconds, canonical_time

STATE_LIMIT = 1_000_000
"""Characters of a state's JSON text at most."""
FINISHED = frozenset(
    {
        "Finished",
        "Looped",
        "Success",
        "Cached",
        "Mapped",
        "Skipped",
        "Cancelled",
        "Failed",
        "TimedOut",
        "TriggerFailed",
        "ValidationFailed",
    }
)
"""Types of which `is_finished` is true; contract.md §4.1."""
RUNNING = frozenset({"Running", "Cancelling"})
"""Types of which `is_running` is true."""
SCHEDULED = frozenset(str(kind) for kind in SCHEDULED_LIKE)
"""Types that have a start time and wait for an agent."""
_STARTS_NOW = SCHEDULED - {"Paused"}
# Resume is not in the contract's list, but without a time no agent would ever pick it up; a client fills in "now" too.


class StateValue(NamedTuple):
    """A state that was found fit to be set."""

    type: str
    message: str | None
    start_time: str | None
    """Stored time; only for the scheduled family."""
    document: dict[str, Any]
    serialized: str
    """The document as it will be stored."""

    @property
    def is_finished(self) -> bool:
        """True when this state ends a run."""
        return self.type in FINISHED


def state_document(kind: StateType, message: str, **extra: Any) -> dict[str, Any]:
    """Return the document of a state that the server makes by itself."""
    return {
        "type": str(kind),
        "message": message,
        **extra,
        "context": {},
        "cached_inputs": {},
        "_result": {"type": "NoResultType"},
    }


def read_state(tx: Tx, document: Any) -> StateValue:
    """Return the state that a document stands for. Raises `Refusal` BAD_USER_INPUT.

    The document is stored as it was sent, but for the start time of the scheduled family: put into stored form, and
    "now" where it is missing (but not for Paused).
    """
    if not isinstance(document, dict):
        raise bad_input("state must be a JSON object")
    kind = document.get("type")
    if not isinstance(kind, str) or state_type(kind) is None:
        raise bad_input(f"state.type must be one of {', '.join(StateType)}")
    message = document.get("message")
    if message is not None and not isinstance(message, str):
        raise bad_input("state.message must be text or null")
    for key in ("context", "cached_inputs"):
        if document.get(key) is not None and not isinstance(document[key], dict):
            raise bad_input(f"state.{key} must be an object or null")
    if not isinstance(document.get("_result", {}), dict):
        raise bad_input("state._result must be an object")
    if kind == StateType.LOOPED and document.get("loop_count", 1) is None:
        raise bad_input("state.loop_count must not be null")
    start_time = None
    if kind in SCHEDULED:
        document, start_time = _with_start_time(tx, kind, document)
    serialized = to_json(document, "state")
    if len(serialized) > STATE_LIMIT:
        raise bad_input(f"state has {len(serialized)} characters of JSON; at most {STATE_LIMIT} are allowed")
    return StateValue(kind, message, start_time, document, serialized)


def _with_start_time(tx: Tx, kind: str, document: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    if "start_time" not in document:
        return ({**document, "start_time": tx.now_text}, tx.now_text) if kind in _STARTS_NOW else (document, None)
    given = document["start_time"]
    if given is None:
        return document, None
    try:
        if not isinstance(given, str):
            raise ValueError("it must be text or null")
        start_time = canonical_time(given)
    except ValueError as error:
        raise bad_input(f"state.start_time: {error}") from None
    return ({**document, "start_time": start_time} if start_time != given else document), start_time


def later(now: str, previous: str | None) -> str:
    """Return `now`, or a microsecond after `previous` if that is not earlier: times of a run's states increase."""
    return now if previous is None or previous < now else add_seconds(previous, 0.000_001)


def insert_state(
    tx: Tx,
    table: str,
    owner: str,
    run_id: str,
    tenant_id: str | None,
    state: StateValue,
    version: int,
    timestamp: str,
    state_id: str,
) -> None:
    """Write one row of a run's history. `owner` is the column that names the run."""
    now, actor = tx.now_text, tx.origin.actor
    row = (state_id, now, now, tenant_id, run_id, timestamp, state.type, version, state.message, state.start_time)
    tx.execute(_insert(table, owner), (*row, state.serialized, actor))


@cache
def _insert(table: str, owner: str) -> str:
    return (
        f"INSERT INTO {table} (id, created, updated, tenant_id, {owner}, timestamp, state, version, message,"
        " start_time, serialized_state, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
