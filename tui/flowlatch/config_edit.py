"""Changing the configuration file on request: comments and order stay, a broken file is never overwritten.

Also finds the servers that Prefect 1 and Prefect 3 users have configured already, so that they can be offered.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions

from flowlatch.errors import ConfigError
from flowlatch.profile import LOCAL, Profile, checked_profile, checked_url
from flowlatch.secret import is_literal
from flowlatch.text import one_line
from flowlatch.values import ValidationError


def add_profile(path: Path, name: str, url: str, **options: Any) -> Profile:
    """Add a profile to the configuration file, or replace the options given of one that is there, and return it.

    `options` are fields of `Profile`. A literal token is refused: the file keeps sources only. Raises `ConfigError`.
    """
    if name == LOCAL or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise ConfigError(f"profile name {one_line(name, 80)!r}: wants letters, digits, - and _, and not {LOCAL!r}")
    token = options.get("token")
    if token is not None and is_literal(token):
        raise ConfigError("token: name a source, e.g. file:PATH or env:NAME, instead of the token itself")
    values = {"url": checked_url(url), **options}
    try:
        profile = checked_profile({"name": name, **values})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{one_line(problem['loc'][0], 40)}: {one_line(problem['msg'], 120)}") from error

    def add(document: tomlkit.TOMLDocument) -> None:
        profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
        table = profiles.setdefault(name, tomlkit.table())
        table.update(values)

    change_config(path, add)
    return profile


def use_profile(path: Path, name: str) -> None:
    """Make a profile the default. Whether it exists is the caller's to check."""

    def use(document: tomlkit.TOMLDocument) -> None:
        if "default" in document or not document.body:
            document["default"] = name
        else:
            document.body.insert(0, (tomlkit.key("default"), tomlkit.item(name)))

    change_config(path, use)


def save_filter(path: Path, profile: str, name: str, text: str) -> None:
    """Keep a filter under a name in a profile; an empty text removes it."""

    def save(document: tomlkit.TOMLDocument) -> None:
        profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
        filters = profiles.setdefault(profile, tomlkit.table()).setdefault("filters", tomlkit.table())
        if text:
            filters[name] = text
        else:
            filters.pop(name, None)

    change_config(path, save)


def change_config(path: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    """Apply a change to the configuration file, in one step: new file, fsync, rename; mode 0600.

    Raises `ConfigError` when the file is there but broken, or cannot be written; then it is as it was.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
        change(document)
        changed = tomlkit.dumps(document)
        tomllib.loads(changed)
    except (tomlkit.exceptions.TOMLKitError, tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ConfigError(f"{path}: not changed, it has a mistake: {one_line(error, 160)}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    _replace(path, changed)


def _replace(path: Path, text: str) -> None:
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=".config-", dir=target.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class FoundProfile:
    """A server that another program's configuration names."""

    name: str
    url: str
    kind: str
    """`prefect1` or `prefect3`."""
    source: str
    """Where it stands: a file or an environment variable."""
    token: str | None = None
    """A token source that can be offered; None when there is no key, or it stands in their file itself."""


def found_profiles(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> list[FoundProfile]:
    """Return the servers of Prefect 1 and Prefect 3 users' own configuration. Never raises; broken files are skipped.

    Keys that stand in their files are not copied.
    """
    home = home or Path(environ.get("HOME", "~")).expanduser()
    found = [*_prefect1(environ, home), *_prefect3(environ, home)]
    return [profile for profile in found if _is_usable(profile.url)]


def _prefect1(environ: Mapping[str, str], home: Path) -> list[FoundProfile]:
    path = Path(environ.get("PREFECT__USER_CONFIG_PATH") or home / ".prefect" / "config.toml").expanduser()
    token = "env:PREFECT__CLOUD__API_KEY" if environ.get("PREFECT__CLOUD__API_KEY") else None
    found = []
    from_env = environ.get("PREFECT__SERVER__ENDPOINT") or _join(
        environ.get("PREFECT__SERVER__HOST"), environ.get("PREFECT__SERVER__PORT")
    )
    if from_env:
        found.append(FoundProfile("prefect1-env", from_env, "prefect1", "PREFECT__SERVER__… variables", token))
    server = _tables(path).get("server")
    if isinstance(server, dict):
        url = server.get("endpoint") or _join(server.get("host"), server.get("port"))
        if isinstance(url, str) and "${" not in url:
            found.append(FoundProfile("prefect1", url, "prefect1", str(path), token))
    return found


def _join(host: Any, port: Any) -> str | None:
    if not host and not port:
        return None
    address = str(host or "http://localhost")
    address = address if "://" in address else f"http://{address}"
    return f"{address}:{port or 4200}"


def _prefect3(environ: Mapping[str, str], home: Path) -> list[FoundProfile]:
    base = Path(environ.get("PREFECT_HOME") or home / ".prefect").expanduser()
    path = Path(environ.get("PREFECT_PROFILES_PATH") or base / "profiles.toml").expanduser()
    found = []
    url = environ.get("PREFECT_API_URL")
    if url:
        token = "env:PREFECT_API_KEY" if environ.get("PREFECT_API_KEY") else None
        if environ.get("PREFECT_API_AUTH_STRING"):
            token = "basic:env:PREFECT_API_AUTH_STRING"
        found.append(FoundProfile("prefect3-env", url, "prefect3", "PREFECT_API_URL", token))
    profiles = _tables(path).get("profiles")
    for name, table in profiles.items() if isinstance(profiles, dict) else ():
        url = table.get("PREFECT_API_URL") if isinstance(table, dict) else None
        if isinstance(url, str):
            found.append(FoundProfile(f"prefect3-{name}", url, "prefect3", str(path)))
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _is_usable(url: str) -> bool:
    try:
        checked_url(url)
    except ConfigError:
        return False
    return True
