"""A profile: one server and how to talk to it; and which URLs are taken (reliability.md §3)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from annotated_types import Interval

from flowlatch.errors import ConfigError
from flowlatch.looks import DEFAULT_LOOK
from flowlatch.text import one_line

LOCAL = "local"
"""The profile that is always there: the embedded server."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One server and how to talk to it."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    name: str
    url: str | None = None
    """None = the embedded server."""
    kind: Literal["auto", "flowlatch", "prefect1", "prefect3"] = "auto"
    token: str | None = field(default=None, repr=False)
    """Where the token comes from (`file:… env:… keyring:… command:… basic:…`), or the token itself."""
    production: bool = False
    read_only: bool = False
    poll_s: Annotated[float, Interval(ge=1, le=3600)] = 2.0
    """Seconds between polls where the server cannot push."""
    ca_file: str | None = None
    cert_file: str | None = None
    """Client certificate (PEM) for servers that want one; `key_file` when the key is not in the same file."""
    key_file: str | None = None
    verify: bool = True
    insecure: bool = False
    """True allows a token over plain http to another machine."""
    allow_unlocked: bool = False
    """True allows edits on a server that does not lock at all."""
    reason_required: bool = False
    columns: list[str] = field(default_factory=list)
    filter: str = ""
    """The filter shown first."""
    filters: dict[str, str] = field(default_factory=dict)
    """Saved filters: name → filter text."""

    @property
    def is_embedded(self) -> bool:
        """True for the server in this machine's data directory."""
        return self.url is None


def checked_profile(given: Mapping[str, Any]) -> Profile:
    """Return the profile of a configuration's table. Raises pydantic's `ValidationError`: a text is no number here.

    It is read as JSON because only that is taken field by field where types are strict; a date becomes a text.
    """
    from flowlatch.values import validated

    return validated(Profile, json.dumps(dict(given), default=str).encode())


@dataclass(frozen=True)
class Settings:
    """The configuration file, as far as it could be used."""

    default: str = LOCAL
    theme: str = DEFAULT_LOOK
    clipboard: bool = True
    profiles: dict[str, Profile] = field(default_factory=lambda: {LOCAL: Profile(name=LOCAL)})
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Action → keys by the names that the screen's library has for them; only such as can be used."""
    problems: list[str] = field(default_factory=list)
    """One clear line each: file, line, key, allowed form."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Profiles that cannot be used → the problem."""


def checked_url(url: str) -> str:
    """Return a server's URL without a trailing slash, or raise `ConfigError` naming the allowed form."""
    form = "http://HOST[:PORT][/PATH] or https://…"
    if not url.isprintable() or " " in url:
        raise ConfigError(f"url: control characters and spaces are not allowed; wants {form}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"url {one_line(url, 80)!r}: {one_line(error)}; wants {form}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: no user or password in it; a token comes from a file, see `token`")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"url {one_line(url, 80)!r}: wants {form}")
    if parts.query or parts.fragment:
        raise ConfigError(f"url {one_line(url, 80)!r}: nothing behind ? or #; wants {form}")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """True when the URL's host is this machine by name or address."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))
