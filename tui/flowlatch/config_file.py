"""Reading the configuration file: what can be used is used, the rest becomes one clear line each.

The file is never written here; a broken one stays as it is. Only what decides *which server* is talked to makes a
profile unusable: a silent default could be the wrong server. Source: design.md §9, reliability.md §3.
"""

from __future__ import annotations

import re
import stat
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from flowlatch.errors import ConfigError
from flowlatch.keymap import checked_keymap
from flowlatch.looks import DEFAULT_LOOK, look_named, unknown_look
from flowlatch.profile import LOCAL, Profile, Settings, checked_profile, checked_url
from flowlatch.secret import is_literal
from flowlatch.text import one_line

_ON_DOUBT = {"read_only": True, "production": True}
"""What a value that cannot be read counts as, where the default would be the dangerous side."""
_FORMS = {
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "list_type": "a list of texts",
    "dict_type": "a table",
    "literal_error": "one of auto, flowlatch, prefect1, prefect3",
}


def read_settings(path: Path) -> Settings:
    """Read a configuration file. Never raises: what cannot be used is left out and named in `problems`."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        return Settings(problems=[f"{path}: {error.strerror or error}; defaults are used"])
    try:
        text = raw.decode("utf-8")
        content = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        return Settings(problems=[f"{path}: {one_line(error)}; defaults are used"])
    return _Reader(path, text, content).settings()


class _Reader:
    """Turns a parsed configuration file into settings, collecting problems."""

    def __init__(self, path: Path, text: str, content: dict[str, Any]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._content = content
        self._problems: list[str] = []
        self._unusable: dict[str, str] = {}

    def settings(self) -> Settings:
        """Return what can be used."""
        profiles = {LOCAL: Profile(name=LOCAL)}
        for name, table in self._table("profiles").items():
            profile = self._profile(name, table)
            if profile:
                profiles[name] = profile
        for key in self._content:
            if key not in ("default", "theme", "clipboard", "profiles", "keys"):
                self._note([key], "unknown key; known: default, theme, clipboard, profiles, keys")
        default = self._value("default", str, "the name of a profile", LOCAL)
        if default not in profiles and default not in self._unusable:
            self._unusable[default] = self._note(["default"], f"no profile is named {one_line(default)!r}")
        return Settings(
            default=default,
            theme=self._theme(),
            clipboard=self._value("clipboard", bool, "true or false", True),
            profiles=profiles,
            keys=self._keys(),
            problems=self._problems,
            unusable=self._unusable,
        )

    def _value(self, key: str, kind: type, form: str, default: Any) -> Any:
        value = self._content.get(key, default)
        if isinstance(value, kind):
            return value
        self._note([key], f"wants {form}")
        return default

    def _table(self, key: str) -> dict[str, Any]:
        value: dict[str, Any] = self._value(key, dict, f"a table, [{key}]", {})
        return value

    def _theme(self) -> str:
        name: str = self._value("theme", str, "the name of a theme", DEFAULT_LOOK)
        look = look_named(name)
        if look is None:
            self._note(["theme"], f"{unknown_look(name)}; {DEFAULT_LOOK} is used")
        return look or DEFAULT_LOOK

    def _keys(self) -> dict[str, list[str]]:
        keys: dict[str, list[str]] = {}
        for action, value in self._table("keys").items():
            names = [value] if isinstance(value, str) else value
            if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
                keys[action] = names
            else:
                self._note(["keys", action], 'wants a key or a list of keys, e.g. ["e", "m"]')
        checked = checked_keymap(keys)
        for action, problem in checked.problems.items():
            self._note(["keys", action], problem)
        return {action: names.split(",") for action, names in checked.keys.items()}

    def _profile(self, name: str, table: Any) -> Profile | None:
        if not isinstance(table, dict):
            self._unusable[name] = self._note(["profiles", name], "wants a table")
            return None
        from flowlatch.values import ValidationError

        given = {key: value for key, value in table.items() if key != "name"}
        try:
            profile = checked_profile({"name": name, **given})
        except ValidationError as error:
            bad = {str(problem["loc"][0]): problem for problem in error.errors()}
            for key, problem in bad.items():
                line = self._note(["profiles", name, key], _form(problem))
                if key in ("url", "kind", "token", "ca_file", "cert_file", "key_file", "verify"):
                    self._unusable.setdefault(name, line)
            if name in self._unusable:
                return None
            kept = {key: value for key, value in given.items() if key not in bad}
            kept |= {key: _ON_DOUBT[key] for key in bad if key in _ON_DOUBT}
            profile = checked_profile({"name": name, **kept})
        return self._with_server(profile)

    def _with_server(self, profile: Profile) -> Profile | None:
        """Check what decides the server: URL and token source."""
        name = profile.name
        key = "url"
        try:
            if profile.url is None and name != LOCAL:
                raise ConfigError("is missing")
            url = checked_url(profile.url) if profile.url is not None else None
            key = "token"
            if profile.token is not None and is_literal(profile.token) and _is_open_to_others(self._path):
                raise ConfigError(
                    f"a token may stand in this file only if nobody else reads it: chmod 600 {self._path}"
                )
        except ConfigError as error:
            self._unusable[name] = self._note(["profiles", name, key], str(error).removeprefix(f"{key}: "))
            return None
        return replace(profile, url=url)

    def _note(self, path: list[str], problem: str) -> str:
        line = self._line_of(path)
        where = f"{self._path}:{line}" if line else str(self._path)
        text = f"{where}: {one_line('.'.join(path), 80)}: {problem}"
        self._problems.append(text)
        return text

    def _line_of(self, path: list[str]) -> int | None:
        """Return the line (from 1) where a key stands, None when it is written in a way this search does not see."""
        *tables, key = path
        header = re.compile(r"\s*\[\s*(.+?)\s*\]\s*(#.*)?$")
        assignment = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        current: list[str] = []
        for number, line in enumerate(self._lines, start=1):
            found = header.match(line)
            if found:
                current = [part.strip().strip("\"'") for part in found[1].split(".")]
                if current == path:
                    return number
            elif current == tables and assignment.match(line):
                return number
        return self._line_of(tables) if tables else None


def _form(problem: Any) -> str:
    kind = str(problem["type"])
    if kind == "unexpected_keyword_argument":
        return "unknown key; known: " + ", ".join(known.name for known in fields(Profile) if known.name != "name")
    if problem["loc"][0] == "poll_s":
        return "wants a number of seconds from 1 to 3600"
    return f"wants {_FORMS.get(kind, 'another kind of value')}"


def _is_open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
