"""Who may ask: Host, Origin and token, checked before any work. Source: reliability.md §6, design.md §9."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowlatch.errors import ConfigError
from flowlatch.server.answers import Refused

TOKEN_BYTES = 32
TOKEN_LIMIT = 8 * 1024
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_SAME_SITE = ("none", "same-origin")


@dataclass(frozen=True)
class Gate:
    """Who is let in. `tokens` maps a token to the name that becomes the actor; None = no authentication at all."""

    port: int
    hosts: frozenset[str] = frozenset()
    """Names accepted beside the loopback ones, exactly as in the Host header, with or without the port."""
    origins: frozenset[str] = frozenset()
    tokens: Mapping[str, str | None] | None = field(default=None, repr=False)

    def check_place(self, headers: Mapping[str, str]) -> None:
        """Refuse a foreign or missing Host (400) and a foreign Origin (403): what a browser can be made to send."""
        host = headers.get("host", "").lower()
        name = host.removesuffix(f":{self.port}")
        is_ours = name in _LOCAL and (host != name or self.port == 80)
        if not (is_ours or host in self.hosts or name in self.hosts):
            raise Refused(400, "BAD_REQUEST", "this Host is not served here; see --allow-host")
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise Refused(403, "FORBIDDEN", "this Origin is not allowed; see --allow-origin")

    def check_form(self, headers: Mapping[str, str]) -> None:
        """Refuse a body that a foreign page could have sent without a preflight."""
        is_allowed_page = headers.get("origin") in self.origins  # any other origin was refused before
        if headers.get("sec-fetch-site", "none") not in _SAME_SITE and not is_allowed_page:
            raise Refused(403, "FORBIDDEN", "a request of another site is not served")
        is_json = headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
        if "origin" in headers and not is_json:
            raise Refused(403, "FORBIDDEN", "a request of a page must be application/json")

    def check_token(self, authorization: str | None) -> str | None:
        """Return the name that belongs to the token of an `Authorization: Bearer …` header, None if it has none.

        Raises `Refused` for a missing or wrong token. Every known token is compared, in constant time.
        """
        if self.tokens is None:
            return None
        scheme, _, given = (authorization or "").strip().partition(" ")
        match: list[str | None] = []
        for token, name in self.tokens.items():
            if hmac.compare_digest(token.encode(), given.strip().encode("utf-8", "replace")):
                match.append(name)
        if scheme.lower() != "bearer" or not match:
            raise Refused(401, "UNAUTHENTICATED", "UNAUTHENTICATED: this server wants another token")
        return match[0]


def make_token_file(path: Path) -> None:
    """Make the token file of a data directory if there is none: 256 bits, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")


def read_tokens(path: Path) -> dict[str, str | None]:
    """Return the tokens of a file: lines `[NAME ]TOKEN`. Raises `ConfigError`, naming the file and the line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"token file {path}: {getattr(error, 'strerror', None) or 'not text'}") from error
    tokens: dict[str, str | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, token = line.strip().rpartition(" ")
        if not token.isascii() or not token.isprintable() or len(token) > TOKEN_LIMIT:
            raise ConfigError(f"token file {path}, line {number}: a token is printable ASCII of at most 8 KB")
        tokens[token] = name.strip() or None
    if not tokens:
        raise ConfigError(f"token file {path} holds no token")
    return tokens
