"""What a script may pass to the public client, turned into the values the backend takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from flowlatch.errors import BadInput
from flowlatch.model.query import RunQuery
from flowlatch.model.run import Created, NewRun
from flowlatch.model.state import StateDraft, StateType
from flowlatch.text import one_line
from flowlatch.values import ValidationError, validated

StateLike = str | StateType | Mapping[str, Any] | StateDraft
"""A state to set: a type name such as "Success", a `StateType`, a whole state document, or a `StateDraft`."""


class CreatedRun(str):
    """The id of a flow run that was asked for: a `str` that also says how the server answered."""

    __slots__ = ("expires_at", "mismatch", "replayed")

    replayed: bool
    """True when the idempotency key was known: this is the run it made before, and nothing was created."""
    mismatch: list[str]
    """Names of the inputs that differ from those of the first use of the key."""
    expires_at: datetime | None
    """When the key ends if it is not used again; None where the server does not tell."""

    @classmethod
    def of(cls, created: Created) -> CreatedRun:
        """Return the id with what came beside it."""
        run = cls(created.id)
        run.replayed, run.mismatch, run.expires_at = created.replayed, created.mismatch, created.expires_at
        return run


def new_run(flow_id: str | None, idempotency_key: str | None, **inputs: Any) -> NewRun:
    """Return the run to create. Without a key it gets a random one, so that sending it again is safe."""
    if not flow_id and not inputs.get("version_group_id"):
        raise BadInput("create_flow_run: flow_id or version_group_id is needed")
    labels = inputs.pop("labels", None)
    if isinstance(labels, str):
        raise BadInput("labels: a list of texts is wanted, not one text")
    try:
        return validated(
            NewRun,
            {
                "flow_id": flow_id or None,
                "idempotency_key": idempotency_key or uuid4().hex,
                "labels": list(labels) if isinstance(labels, Iterable) else None,
                **inputs,
            },
        )
    except ValidationError as error:
        raise bad_input(error) from error


def state_draft(state: StateLike, message: str | None) -> StateDraft:
    """Return the state to set; `message` wins over one inside `state`."""
    try:
        if isinstance(state, StateDraft):
            draft = state
        elif isinstance(state, Mapping):
            extra = {key: value for key, value in state.items() if key not in ("type", "message")}
            given = {"type": state.get("type", ""), "message": state.get("message"), "extra": extra}
            draft = validated(StateDraft, given)
        else:
            draft = StateDraft(type=str(state))
        if message is not None:
            draft = validated(StateDraft, {**vars(draft), "message": message})
    except ValidationError as error:
        raise bad_input(error) from error
    if not draft.type:
        raise BadInput('state: a type is needed, e.g. "Success" or {"type": "Success"}')
    return draft


def run_query(query: RunQuery | None, conditions: dict[str, Any]) -> RunQuery:
    """Return the query, with conditions by name set on top of it."""
    try:
        return validated(RunQuery, {**(vars(query) if query else {}), **conditions})
    except ValidationError as error:
        raise bad_input(error) from error


def bad_input(error: ValidationError) -> BadInput:
    """Return the first problem that pydantic found, on one line and without the value."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"][:3])
    return BadInput(f"{one_line(where, 80)}: {one_line(problem['msg'], 160)}")
