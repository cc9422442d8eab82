"""Everything that can go wrong, as one tree.

    FlowlatchError
    ├── BadInput                 what was typed or passed cannot be used; nothing was sent
    │   └── ConfigError          … in the configuration file, the environment or an option
    └── BackendError             a server did not do what was asked
        ├── Unreachable          no answer at all; a later try may help
        ├── ForeignServer        it answers, but is no server this program speaks to
        ├── Unauthorized         it wants another token
        ├── Rejected             it refused by one of its rules; the same request is refused again
        │   ├── NotFound         the flow, run or project does not exist (any more)
        │   └── ReadOnly         writing is switched off, here or there
        ├── VersionConflict      the run moved on since it was read; nothing was written
        └── OutcomeUnknown       the request was sent, the answer was lost, and reading back did not settle it

Each carries the exit code that commands end with. Messages are one line, made safe to print (`text.clean`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class FlowlatchError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "FAILED"
    """Stable word for scripts: `{"error": {"code", "message"}}` with `--json`."""


class BadInput(FlowlatchError):
    """What was given cannot be used: the message says what, where and which form is allowed."""

    exit_code = 2
    code = "BAD_INPUT"


class ConfigError(BadInput):
    """The configuration file, an environment variable or an option cannot be used."""

    code = "CONFIG"


class BackendError(FlowlatchError):
    """A server did not do what was asked."""

    code = "BACKEND"


class Unreachable(BackendError):
    """No answer came: refused, timed out, cut, or a proxy answered for it. A later try may help."""

    code = "UNREACHABLE"
    retry_after_s: float | None = None
    """How long the server asked to wait (at most 60 s); None when it did not."""


class ForeignServer(BackendError):
    """Something answers there that is no server this program speaks to."""

    code = "FOREIGN_SERVER"


class Unauthorized(BackendError):
    """The server wants a token, or another one."""

    exit_code = 7
    code = "UNAUTHENTICATED"


class Rejected(BackendError):
    """The server refused by a rule; nothing was changed. `server_code` is its own word (contract.md §1.4)."""

    code = "REJECTED"

    def __init__(self, message: str, server_code: str = "BAD_USER_INPUT") -> None:
        super().__init__(message)
        self.server_code = server_code


class NotFound(Rejected):
    """The flow, run or project does not exist (any more)."""

    exit_code = 4
    code = "NOT_FOUND"

    def __init__(self, message: str) -> None:
        super().__init__(message, "NOT_FOUND")


class ReadOnly(Rejected):
    """Writing is switched off: by the server, the profile or an option."""

    exit_code = 7
    code = "READ_ONLY"

    def __init__(self, message: str) -> None:
        super().__init__(message, "READ_ONLY")


@dataclass(frozen=True)
class Current:
    """What a run is now, as far as the server told: the "theirs" of a conflict. Times are ISO 8601 text in UTC."""

    version: int
    state: str
    message: str | None = None
    timestamp: str | None = None
    actor: str | None = None


class VersionConflict(BackendError):
    """The run has another version than the one the change was based on. Nothing was written.

    `current` is None only where the server does not tell and reading back failed. `overwrote` is True for a conflict
    seen after the fact on a server that does not lock: the change was written, over the state in `current`.
    Source: `extensions` of VERSION_LOCKING_ERROR.
    """

    exit_code = 5
    code = "VERSION_CONFLICT"

    def __init__(self, run_id: str, expected_version: int, current: Current | None, *, overwrote: bool = False) -> None:
        if overwrote and current:
            now = f"but version {current.version} ({current.state}) came in between and was overwritten"
        elif current:
            now = f"it has version {current.version} ({current.state}) now"
        else:
            now = "its version is another one now"
        super().__init__(f"flow run {run_id} changed: version {expected_version} was expected, {now}")
        self.run_id = run_id
        self.expected_version = expected_version
        self.current = current
        self.overwrote = overwrote

    @property
    def version(self) -> int | None:
        """The run's current version."""
        return self.current.version if self.current else None

    @property
    def state(self) -> str | None:
        """The run's current state name."""
        return self.current.state if self.current else None

    @property
    def message(self) -> str | None:
        """The message of the run's current state."""
        return self.current.message if self.current else None

    @property
    def timestamp(self) -> str | None:
        """When the current state was set: ISO 8601 text in UTC."""
        return self.current.timestamp if self.current else None


class OutcomeUnknown(BackendError):
    """The request was sent and its answer lost; it may or may not have been done. Read before trying again."""

    exit_code = 6
    code = "OUTCOME_UNKNOWN"
