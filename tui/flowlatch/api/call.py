"""GraphQL requests over a link, and the errors of their answers as ours (contract.md §1.4)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flowlatch.api.http import AnswerLost, Garbled, Link
from flowlatch.errors import (
    BackendError,
    Current,
    ForeignServer,
    NotFound,
    OutcomeUnknown,
    ReadOnly,
    Rejected,
    Unauthorized,
    Unreachable,
    VersionConflict,
)
from flowlatch.text import one_line

T = TypeVar("T")
MESSAGE_LIMIT = 500
PATIENCE_S = 20.0
"""No request is repeated later than this after the first."""

Lost = (AnswerLost, Garbled)
"""Errors after which a change may have been done or not."""


async def until_answered(
    send: Callable[[], Awaitable[T]],
    what: str,
    *,
    pauses_s: Sequence[float],
    sleep: Callable[[float], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Send a change that may be done twice; again, after each of the pauses, while its answer is lost.

    An error before any answer was lost goes through: nothing was done. After that only an answer about the change does
    (`Rejected`, `VersionConflict`); a server that cannot be reached then, or does not want our token any more, leaves
    open what the first request did, so that raises `OutcomeUnknown`, as does a last answer that is lost.
    """
    lost: BackendError | None = None
    began = clock()
    for pause in (*pauses_s, None):
        try:
            return await send()
        except BackendError as error:
            is_about_it = isinstance(error, (Rejected, VersionConflict)) and not isinstance(error, ReadOnly)
            if is_about_it or not (lost or isinstance(error, Lost)):
                raise
            lost = lost or error
            is_passing = isinstance(error, (Unreachable, Garbled))
            if pause is None or not is_passing or clock() - began + pause > PATIENCE_S:
                also = "" if error is lost else f"; then: {error}"
                raise OutcomeUnknown(f"{what}: {lost}{also}") from error
        await sleep(pause)
    raise AssertionError("the loop returns or raises")


@dataclass(frozen=True)
class Result:
    """What an answer without errors holds."""

    data: dict[str, Any]
    extensions: dict[str, Any] = field(default_factory=dict)


class Caller:
    """Sends documents and returns their data."""

    def __init__(self, link: Link) -> None:
        self.link = link

    async def read(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run a query; repeated, with backoff, when the answer is lost."""
        return (await self._run(document, variables, is_read=True)).data

    async def change(self, document: str, values: Mapping[str, Any]) -> Result:
        """Run a mutation on `$input`, once. The `Lost` errors mean that it may have been done."""
        return await self._run(document, {"input": dict(values)}, is_read=False)

    async def any(self, document: str, variables: Mapping[str, Any] | None, *, is_read: bool) -> Result:
        """Run a document of the user."""
        return await self._run(document, variables, is_read=is_read)

    async def _run(self, document: str, variables: Mapping[str, Any] | None, *, is_read: bool) -> Result:
        payload: dict[str, Any] = {"query": document}
        if variables is not None:
            payload["variables"] = dict(variables)
        reply = await self.link.post(payload, is_read=is_read)
        errors = reply.body.get("errors")
        if isinstance(errors, list) and errors:
            raise error_of(errors)
        data = reply.body.get("data")
        if not isinstance(data, dict):
            raise Garbled(f"{one_line(self.link.url, 120)}: the answer holds no data")
        extensions = reply.body.get("extensions")
        return Result(data, extensions if isinstance(extensions, dict) else {})


def error_of(errors: list[Any]) -> BackendError:
    """Return our error for the first entry of an answer's `errors`."""
    first = errors[0] if isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    code = str(extensions.get("code") or "")
    message = one_line(first.get("message") or "refused without a reason", MESSAGE_LIMIT)
    match code:
        case "VERSION_LOCKING_ERROR":
            return _conflict(extensions)
        case "UNAUTHENTICATED":
            return Unauthorized("the server wants a token, or another one")
        case "NOT_FOUND":
            return NotFound(message)
        case "READ_ONLY":
            return ReadOnly(message)
        case "OUTCOME_UNKNOWN":  # of our own server, whose database did not answer a COMMIT
            return AnswerLost(message)
        case "FORBIDDEN":
            return ForeignServer(message)
        case _ if "UNAUTHENTICATED" in str(first.get("message")):
            return Unauthorized("the server wants a token, or another one")
        case _:
            return Rejected(message, one_line(code, 60) or "REJECTED")


def _conflict(extensions: dict[str, Any]) -> VersionConflict:
    current = extensions.get("current")
    expected = extensions.get("expected_version")
    return VersionConflict(
        one_line(extensions.get("flow_run_id") or "", 60),
        expected if isinstance(expected, int) else 0,
        current_of(current) if isinstance(current, dict) else None,
    )


def current_of(row: dict[str, Any]) -> Current | None:
    """Return the "theirs" of a conflict from the server's own words; None when they make no sense."""
    version, state = row.get("version"), row.get("state")
    if not isinstance(version, int) or not isinstance(state, str):
        return None
    message, timestamp, actor = row.get("message"), row.get("timestamp"), row.get("actor")
    return Current(
        version,
        state,
        message if isinstance(message, str) else None,
        timestamp if isinstance(timestamp, str) else None,
        actor if isinstance(actor, str) else None,
    )
