"""The append-only record of what was done from here: one JSON line for an intent, one for its outcome.

The intent is on disk before the request leaves; an entry without an outcome is one whose program ended in between.
Source: ux.md rows 49 and 76, design.md §9.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowlatch.model.run import FlowRun
from flowlatch.model.state import State, StateDraft
from flowlatch.text import one_line

TAIL_BYTES = 4 * 1024 * 1024
"""How much of the end of the file is read at most: some 10,000 acts."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A state before or after an act; `version` is None where it is not known yet."""

    version: int | None = None
    state: str = ""
    message: str | None = None

    @classmethod
    def of_state(cls, state: State) -> Side:
        """Return the side that a state of the history is."""
        return cls(version=state.version, state=state.name, message=state.message)

    @classmethod
    def of_run(cls, run: FlowRun) -> Side:
        """Return the side that a run shows now."""
        return cls.of_state(run.current)

    @classmethod
    def of_draft(cls, draft: StateDraft, version: int | None = None) -> Side:
        """Return the side that a draft wants."""
        return cls(version=version, state=draft.type, message=draft.message)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One act: intent and outcome put together. Texts are raw."""

    id: str
    at: datetime
    """When it was about to be sent; aware, UTC, this machine's clock."""
    action: str
    """set_state, create, cancel, delete."""
    profile: str = ""
    server: str = ""
    """The server's address."""
    actor: str = ""
    run_id: str = ""
    """Empty for a create until the server gave one."""
    run: str = ""
    """`flow / run` as it was shown."""
    before: Side | None = None
    after: Side | None = None
    outcome: str = ""
    """applied, agreed, created, existing, conflict, refused, gone, unknown, not sent; empty = none was written down."""
    detail: str = ""
    finished_at: datetime | None = None


def utc_now() -> datetime:
    """Return this machine's clock, aware, UTC."""
    return datetime.now(UTC)


class Journal:
    """The journal file. Writing never raises: `problem` says when it could not be written."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
    ) -> None:
        self.path = path
        self.problem: str | None = None
        """One line while the last write failed, else None."""
        self._clock = clock
        self._new_id = new_id

    def begin(
        self,
        action: str,
        *,
        profile: str = "",
        server: str = "",
        actor: str = "",
        run_id: str = "",
        run: str = "",
        before: Side | None = None,
        after: Side | None = None,
    ) -> str:
        """Write down an intent, on disk when this returns, and return its id."""
        from flowlatch.values import dumped

        entry = Entry(
            id=self._new_id(),
            at=self._clock(),
            action=action,
            profile=profile,
            server=server,
            actor=actor,
            run_id=run_id,
            run=run,
            before=before,
            after=after,
        )
        line = dumped(entry, exclude_defaults=True)
        self._append({"kind": "intent", **line}, is_durable=True)
        return entry.id

    def finish(
        self,
        entry_id: str,
        outcome: str,
        *,
        detail: str = "",
        run_id: str = "",
        run: str = "",
        after: Side | None = None,
    ) -> None:
        """Write down what became of an intent; `after` is the state the server really has, when known."""
        from flowlatch.values import dumped

        line: dict[str, Any] = {"kind": "outcome", "id": entry_id, "at": self._clock().isoformat(), "outcome": outcome}
        given = {"detail": detail, "run_id": run_id, "run": run}
        line |= {name: value for name, value in given.items() if value}
        if after is not None:
            line["after"] = dumped(after, exclude_defaults=True)
        self._append(line, is_durable=False)

    def entries(self, limit: int = 1000) -> list[Entry]:
        """Return the newest acts, newest first. Lines that cannot be read are passed over."""
        from flowlatch.values import ValidationError, validated

        acts: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            kind, name = line.pop("kind", None), line.get("id")
            if not isinstance(name, str):
                continue
            if kind == "intent":
                acts[name] = line
            elif kind == "outcome" and name in acts:
                line["finished_at"] = line.pop("at", None)
                acts[name] = acts[name] | line
        entries: list[Entry] = []
        for act in reversed(acts.values()):
            try:
                entries.append(validated(Entry, act))
            except ValidationError:
                continue
            if len(entries) == limit:
                break
        return entries

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - TAIL_BYTES, 0))
                content = file.read()
        except OSError:
            return
        for raw in content.splitlines():
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict):
                yield line

    def _append(self, line: dict[str, Any], *, is_durable: bool) -> None:
        """Append one line in one write, so that two dashboards never mix theirs; start on a line of its own."""
        text = json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, (b"" if _ends_whole(handle) else b"\n") + text.encode("ascii"))
                if is_durable:
                    os.fsync(handle)
            finally:
                os.close(handle)
            self.problem = None
        except OSError as error:
            self.problem = f"journal {one_line(self.path)}: {one_line(error.strerror or type(error).__name__)}"


def _ends_whole(handle: int) -> bool:
    """True when the file is empty or ends with a line feed: a crash may have cut the last line short."""
    size = os.lseek(handle, 0, os.SEEK_END)
    return size == 0 or os.pread(handle, 1, size - 1) == b"\n"
