"""Tokens: where they come from, and a wrapper that never shows one by accident (reliability.md §7)."""

from __future__ import annotations

import base64
import hmac
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from flowlatch.errors import ConfigError

MAX_TOKEN_BYTES = 8 * 1024
COMMAND_TIMEOUT_S = 20.0
SOURCE_FORMS = "file:PATH, env:NAME, keyring:NAME, command:PROGRAM ARGS, or basic: before one of these"
KEYRING_SERVICE = "flowlatch"
_SCHEMES = ("file", "env", "keyring", "command", "basic")


class Secret:
    """A token. Printing, formatting and logging it show stars; pickling is refused; `header` builds the real thing."""

    __slots__ = ("_is_basic", "_value")

    def __init__(self, value: str, *, is_basic: bool = False) -> None:
        self._value = value
        self._is_basic = is_basic

    def header(self) -> str:
        """Return the value of the `Authorization` header. To be called at the last moment, and not kept."""
        if self._is_basic:
            return "Basic " + base64.b64encode(self._value.encode()).decode()
        return "Bearer " + self._value

    def text(self) -> str:
        """Return the token in clear. To be called at the last moment, and not kept."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.header(), other.header())

    def __hash__(self) -> int:
        return hash(self.header())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def is_literal(source: str) -> bool:
    """True when a profile's `token` is the token itself. Raises `ConfigError` for an unknown kind of source."""
    kind, colon, _ = source.partition(":")
    if not colon:
        return True
    if kind in _SCHEMES:
        return False
    raise ConfigError(f"token: unknown source; allowed: {SOURCE_FORMS}")


def read_secret(source: str, *, environ: Mapping[str, str] = os.environ) -> Secret:
    """Return the token that a source (`file:…`, `env:…`, …) names. Raises `ConfigError`, never with the token in it."""
    if is_literal(source):
        return secret_from(source, "token")
    kind, _, rest = source.partition(":")
    if kind == "basic":
        if is_literal(rest) or rest.startswith("basic:"):
            raise ConfigError("token: basic: wants a source behind it, e.g. basic:file:PATH")
        return Secret(_read(rest, environ, whole_line=True), is_basic=True)
    return Secret(_read(source, environ, whole_line=False))


def _read(source: str, environ: Mapping[str, str], *, whole_line: bool) -> str:
    kind, _, rest = source.partition(":")
    where = f"token from {kind}:{rest}" if kind != "command" else "token from command"
    match kind:
        case "file":
            text = _first_line(_file_text(Path(rest), where), where)
        case "env":
            text = environ.get(rest, "")
            if not text.strip():
                raise ConfigError(f"{where}: the variable is not set")
        case "keyring":
            text = keyring_token(rest, is_required=True) or ""
        case _:
            text = _first_line(_command_output(rest, where), where)
    return checked_token(text if whole_line else text.split()[-1] if text.split() else "", where)


def secret_from(text: str, where: str) -> Secret:
    """Return a token given as text (standard input, environment, prompt), white space around it stripped."""
    return Secret(checked_token(text, where))


def secret_from_file(path: Path, where: str = "token file") -> Secret:
    """Return the token of a file's first line, `[NAME ]TOKEN`."""
    line = _first_line(_file_text(path, f"{where} {path}"), f"{where} {path}")
    return Secret(checked_token(line.split()[-1], f"{where} {path}"))


def checked_token(text: str, where: str) -> str:
    """Return a token that can be sent in a header, or raise `ConfigError` saying what is wrong with it."""
    token = text.strip()
    if not token:
        raise ConfigError(f"{where}: it is empty")
    if len(token) > MAX_TOKEN_BYTES:
        raise ConfigError(f"{where}: longer than {MAX_TOKEN_BYTES} bytes")
    if not token.isascii() or not token.isprintable():
        raise ConfigError(f"{where}: only printable ASCII characters can be sent")
    return token


def _file_text(path: Path, where: str) -> str:
    try:
        with path.expanduser().open("rb") as file:
            return file.read(1024 * 1024).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror or error}") from error
    except (UnicodeDecodeError, RuntimeError) as error:
        raise ConfigError(f"{where}: it cannot be read as text") from error


def _first_line(text: str, where: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not line:
        raise ConfigError(f"{where}: it is empty")
    return line


def _command_output(command: str, where: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(f"{where}: it cannot be run ({type(error).__name__})") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{where}: no answer within {COMMAND_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise ConfigError(f"{where}: it ended with status {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def keyring_token(name: str, *, is_required: bool) -> str | None:
    """Return the keyring's entry of service `flowlatch` and user `name`, None without one unless it is required."""
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        if not is_required:
            return None
        raise ConfigError(f"token from keyring:{name}: install it with: pip install 'flowlatch[keyring]'") from error
    try:
        found = keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError as error:
        if not is_required:
            return None
        raise ConfigError(f"token from keyring:{name}: the keyring does not answer ({type(error).__name__})") from error
    if found is None and is_required:
        raise ConfigError(f"token from keyring:{name}: no such entry (service {KEYRING_SERVICE!r}, user {name!r})")
    return found
