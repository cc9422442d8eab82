"""A form as the command line that does the same, safe to paste into a shell (ux.md row 30). Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from flowlatch.model.params import MASK, is_secret, redacted
from flowlatch.model.run import NewRun
from flowlatch.model.state import StateDraft

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def quoted(word: str) -> str:
    """Return `word` as one shell word; with control characters in the `$'…'` form, so that a paste never acts."""
    if _PLAIN.fullmatch(word):
        return word
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(_escaped(char) for char in word)
    return f"$'{escaped}'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _line(words: Sequence[str]) -> str:
    return " ".join(quoted(word) for word in words)


def server_options(server: str) -> list[str]:
    """Return the option that names the server, a profile's name or a URL: always, so that no default can mislead."""
    return ["--server" if "://" in server else "--profile", server]


def create_command(new: NewRun, *, flow: str, server: str = "local", at: str = "", has_own_key: bool = True) -> str:
    """Return the command that creates this run. Values of secret parameters are replaced by `***`.

    `at` is the start as typed or as ISO 8601; an automatic key is left out, the command makes its own.
    """
    words = ["flowlatch", *server_options(server), "runs", "create", flow]
    for name, value in (new.parameters or {}).items():
        words += ["--param", f"{name}={MASK if is_secret(name) else _value(redacted(value))}"]
    if at:
        words += ["--at", at]
    if new.idempotency_key is None:
        words.append("--no-key")
    elif has_own_key:
        words += ["--key", new.idempotency_key]
    for label in new.labels or ():
        words += ["--label", label]
    if new.flow_run_name:
        words += ["--name", new.flow_run_name]
    return _line(words)


def set_state_command(run_id: str, version: int, draft: StateDraft, *, server: str = "local") -> str:
    """Return the command that sets this state on that version."""
    words = ["flowlatch", *server_options(server), "runs", "set-state", run_id, draft.type]
    if draft.message:
        words += ["-m", draft.message]
    if draft.start_time:
        words += ["--at", draft.start_time.isoformat().replace("+00:00", "Z")]
    return _line([*words, "--expect-version", str(version)])


def run_command(verb: str, run_id: str, *, server: str = "local") -> str:
    """Return `flowlatch runs VERB ID`, for show, cancel, retry, delete, logs, history, watch."""
    return _line(["flowlatch", *server_options(server), "runs", verb, run_id])


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
