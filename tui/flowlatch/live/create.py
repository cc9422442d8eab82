"""Creating a run so that a repeat is safe: the key is fixed when the form opens, and stays until it is answered.

"Created" or "existing run" is told apart, and where an old key met other inputs, they are named (ux.md rows 37–41).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flowlatch.api.backend import Backend, Capabilities, Kind
from flowlatch.errors import BackendError, NotFound
from flowlatch.live.edit import Gone, NotSent, Refused, Unknown, failure
from flowlatch.model.kin import How, key_from
from flowlatch.model.params import MASK, is_secret, redacted
from flowlatch.model.run import Created, FlowRun, NewRun, RunId
from flowlatch.text import one_line


@dataclass(frozen=True)
class Difference:
    """One input that differs between this request and the first use of its key. JSON or plain, raw, secrets masked."""

    name: str
    """The input, e.g. `labels` or `parameters.day`."""
    mine: str
    theirs: str


@dataclass(frozen=True)
class RunCreated:
    """A new run exists."""

    id: RunId
    run: FlowRun | None
    """None when it could not be read afterwards."""
    expires_at: datetime | None = None
    was_resent: bool = False
    """True when an answer was lost and the same request was sent again under its key."""


@dataclass(frozen=True)
class RunExisted:
    """The key was known: this is the run it made before; nothing was created or changed."""

    id: RunId
    run: FlowRun | None
    differences: tuple[Difference, ...] = ()
    """Empty when the inputs were the same."""
    expires_at: datetime | None = None


CreateOutcome = RunCreated | RunExisted | Refused | Gone | NotSent | Unknown
"""`Gone` here means that the flow does not exist any more."""


def new_key(
    source: FlowRun | None = None, how: How = How.RETRY, *, token: Callable[[], str] = lambda: secrets.token_hex(6)
) -> str:
    """Return a fresh automatic key, e.g. `run-9f31c2d07ab4`; made from another run, it names that (`model.kin`)."""
    return key_from(how, source.id, token()) if source is not None else f"run-{token()}"


async def create_run(backend: Backend, new: NewRun, *, is_fresh_key: bool = False) -> CreateOutcome:
    """Create a run and say what became of it; never raises a `BackendError`.

    `is_fresh_key` tells that nobody else can know the key, so a replay is the echo of this very request.
    """
    try:
        created = await backend.create_run(new)
    except BackendError as error:
        return failure(error)
    run = await _read(backend, created.id)
    if created.replayed and not (is_fresh_key and not created.mismatch):
        return RunExisted(created.id, run, differences(new, created, run), created.expires_at)
    return RunCreated(created.id, run, created.expires_at, was_resent=created.replayed)


async def find_created(backend: Backend, new: NewRun, *, is_fresh_key: bool = False) -> CreateOutcome:
    """Send a create again whose answer was lost: safe under its key; without one it stays unknown."""
    if not new.idempotency_key:
        return Unknown("without a key it cannot be told whether it was created; look for it in the list of runs")
    return await create_run(backend, new, is_fresh_key=is_fresh_key)


async def _read(backend: Backend, run_id: RunId) -> FlowRun | None:
    try:
        return await backend.run(run_id)
    except (NotFound, BackendError):
        return None


def differences(new: NewRun, created: Created, run: FlowRun | None) -> tuple[Difference, ...]:
    """Return the inputs that the server named as different, with both values where they can be seen."""
    found: list[Difference] = []
    for name in created.mismatch:
        if name == "parameters" and run is not None and run.parameters is not None:
            found.extend(_parameter_differences(new.parameters or {}, run.parameters))
        else:
            found.append(Difference(name, _shown(getattr(new, name, None)), _theirs(name, run)))
    return tuple(found)


def _parameter_differences(mine: dict[str, Any], theirs: dict[str, Any]) -> list[Difference]:
    names = [*mine, *(name for name in theirs if name not in mine)]
    changed = [name for name in names if name in mine and (name not in theirs or mine[name] != theirs[name])]
    if not changed:
        changed = [name for name in names if name not in mine]
    return [_parameter_difference(name, mine, theirs) for name in changed] or [
        Difference("parameters", _shown(redacted(mine)), _shown(redacted(theirs)))
    ]


def _parameter_difference(name: str, mine: dict[str, Any], theirs: dict[str, Any]) -> Difference:
    """Return one parameter with both values; those of a secret one are not shown, only that they differ."""
    values = (side.get(name, _ABSENT) for side in (mine, theirs))
    shown = [MASK if is_secret(name) and value is not _ABSENT else _shown(redacted(value)) for value in values]
    return Difference(f"parameters.{name}", *shown)


_ABSENT = object()


def _theirs(name: str, run: FlowRun | None) -> str:
    if run is None:
        return "?"
    attribute = {"flow_run_name": "name"}.get(name, name)
    return _shown(getattr(run, attribute, None))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(not given)"
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds") if value.tzinfo else value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)


def key_life(capabilities: Capabilities | None) -> str:
    """Return the plain sentence about the life of a key on this kind of server."""
    window = capabilities.idempotency_window if capabilities else None
    if window is not None:
        return f"a repeat within {_span(window)} returns the same run instead of a new one"
    if capabilities is not None and capabilities.kind is not Kind.FLOWLATCH:
        return "a repeat with this key returns the same run for ever; keys do not expire on this server"
    return "a repeat with this key returns the same run instead of a new one"


def _span(window: timedelta) -> str:
    seconds = round(window.total_seconds())
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def retry_of(run: FlowRun, *, key: str | None) -> NewRun:
    """Return the request that runs the same again: its flow version, parameters, context and labels, due now."""
    return NewRun(
        flow_id=run.flow_id,
        parameters=run.parameters,
        labels=list(run.labels),
        context=run.context,
        run_config=run.run_config if isinstance(run.run_config, dict) else None,
        idempotency_key=key,
    )


def outcome_line(outcome: CreateOutcome) -> str:
    """Return one plain line for a result table or a toast. Clean."""
    match outcome:
        case RunCreated(run=run, id=run_id):
            return f"created {one_line(run.name, 60) if run and run.name else run_id}"
        case RunExisted(run=run, id=run_id):
            return f"existing run {one_line(run.name, 60) if run and run.name else run_id}"
        case Gone():
            return "the flow does not exist any more"
        case Refused(reason=reason) | NotSent(reason=reason) | Unknown(reason=reason):
            return reason
