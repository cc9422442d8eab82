"""Which server is meant and with which token: options, environment, configuration file; and the places of files.

Source: design.md §9.
"""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

from flowlatch.config_file import read_settings
from flowlatch.errors import ConfigError
from flowlatch.places import Places, places
from flowlatch.profile import LOCAL, Profile, Settings, checked_url, is_loopback
from flowlatch.secret import Secret, keyring_token, read_secret, secret_from, secret_from_file
from flowlatch.text import one_line

__all__ = [
    "LOCAL",
    "Places",
    "Profile",
    "Secret",
    "Settings",
    "Target",
    "checked_url",
    "default_actor",
    "is_loopback",
    "load_settings",
    "places",
    "resolve",
]


@dataclass(frozen=True)
class Target:
    """The server that was asked for, with all it takes to reach it."""

    profile: Profile
    token: Secret | None = None
    """None also for the embedded server, whose token is found beside it."""
    actor: str = ""
    """Who acts, for the history of states."""


def load_settings(path: Path | None = None) -> Settings:
    """Read the configuration file. Never raises: what cannot be used is left out and named in `problems`."""
    return read_settings(path or places().config_file)


def default_actor(environ: Mapping[str, str] = os.environ) -> str:
    """Return who acts: `FLOWLATCH_ACTOR`, else `user@host`."""
    given = environ.get("FLOWLATCH_ACTOR", "").strip()
    if given:
        return given
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def resolve(
    settings: Settings,
    *,
    profile: str | None = None,
    server: str | None = None,
    token_file: str | Path | None = None,
    token_stdin: bool = False,
    ca_file: str | Path | None = None,
    read_only: bool = False,
    token: Secret | None = None,
    actor: str | None = None,
    environ: Mapping[str, str] = os.environ,
    stdin: IO[str] | None = None,
) -> Target:
    """Decide which server is meant and with which token: option, environment, profile, default, in this order.

    A token goes only to the URL it was given with: a profile's to the profile's, the environment's to
    `FLOWLATCH_SERVER` or, without that, to `--server`. `token` and `actor` are given by code and win. Raises
    `ConfigError`.
    """
    chosen, url_from = _chosen(settings, profile, server, environ)
    changes: dict[str, Any] = {}
    if ca_file is not None:
        changes["ca_file"] = str(ca_file)
    if read_only:
        changes["read_only"] = True
    chosen = replace(chosen, **changes)
    if chosen.ca_file and not Path(chosen.ca_file).expanduser().is_file():
        raise ConfigError(f"CA file {one_line(chosen.ca_file)}: no such file")
    if token is not None:
        pass
    elif token_file is not None:
        token = secret_from_file(Path(token_file))
    elif token_stdin:
        token = secret_from((stdin or sys.stdin).readline(), "token from standard input")
    elif url_from is None:
        token = read_secret(chosen.token, environ=environ) if chosen.token else None
    else:
        token = _token_beside_url(chosen, url_from, environ)
    if token and chosen.url and chosen.url.startswith("http:") and not (chosen.insecure or is_loopback(chosen.url)):
        raise ConfigError(
            f"{one_line(chosen.url)}: a token would cross the network in clear text;"
            " use https, or a profile with insecure = true"
        )
    return Target(chosen, token, actor or default_actor(environ))


def _chosen(
    settings: Settings, profile: str | None, server: str | None, environ: Mapping[str, str]
) -> tuple[Profile, Literal["option", "environment"] | None]:
    """Return the profile, and where its URL came from when it is none of the file's."""
    if profile is not None and server is not None:
        raise ConfigError("give --profile or --server, not both")
    url_from: Literal["option", "environment"] | None = "option" if server is not None else None
    if profile is None and server is None:
        profile = environ.get("FLOWLATCH_PROFILE", "").strip() or None
        server = environ.get("FLOWLATCH_SERVER", "").strip() or None
        if profile and server:
            raise ConfigError("FLOWLATCH_PROFILE and FLOWLATCH_SERVER are both set; unset one")
        url_from = "environment" if server else None
    if server is not None:
        url = checked_url(server)
        return Profile(name=urlsplit(url).netloc, url=url), url_from
    name = settings.default if profile is None else profile
    if name in settings.unusable:
        raise ConfigError(settings.unusable[name])
    if name not in settings.profiles:
        known = ", ".join(sorted(settings.profiles))
        broken = f" ({settings.problems[0]})" if settings.problems else ""
        raise ConfigError(f"no profile is named {one_line(name)!r}; known: {one_line(known)}{broken}")
    return settings.profiles[name], None


def _token_beside_url(profile: Profile, url_from: str, environ: Mapping[str, str]) -> Secret | None:
    """Return the environment's or the keyring's token for a URL that stands in no profile; None without any."""
    own = environ.get("FLOWLATCH_SERVER", "").strip().rstrip("/")
    if url_from == "environment" or not own or own == profile.url:
        if environ.get("FLOWLATCH_TOKEN_FILE"):
            return secret_from_file(Path(environ["FLOWLATCH_TOKEN_FILE"]), "FLOWLATCH_TOKEN_FILE")
        if environ.get("FLOWLATCH_TOKEN"):
            return secret_from(environ["FLOWLATCH_TOKEN"], "FLOWLATCH_TOKEN")
    found = keyring_token(profile.url or "", is_required=False)
    return secret_from(found, "token from the keyring") if found else None
