"""`flowlatch doctor`: what this program sees, for bug reports. No secrets."""

from __future__ import annotations

import asyncio
import locale
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.errors import FlowlatchError
from flowlatch.text import one_line
from flowlatch.version import __version__

if TYPE_CHECKING:
    from flowlatch.config import Target

Facts = dict[str, Any]
_PACKAGES = ("textual", "rich", "gql", "httpx", "websockets", "pydantic", "sqlalchemy", "uvicorn")


@click.command("doctor", cls=Command)
@pass_common
def command(common: Common) -> int:
    """Say what terminal, colours, configuration, server, lock and clock skew this program sees."""
    facts: dict[str, Facts] = {
        "program": program(),
        "terminal": terminal(os.environ),
        "configuration": configuration(common),
    }
    code = 0
    try:
        facts["server"] = asyncio.run(server(common.target()))
    except FlowlatchError as error:
        facts["server"] = {"problem": one_line(error), "code": error.code}
        code = error.exit_code
    if common.json:
        common.out.json(facts)
        return code
    for title, group in facts.items():
        common.out.heading(title)
        common.out.fields([(f"{title}.{name}", _shown(value)) for name, value in group.items()])
    return code


def program() -> Facts:
    """Return the versions of this program and of what it stands on."""
    return {
        "flowlatch": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def terminal(environ: Mapping[str, str]) -> Facts:
    """Return what is known about the terminal."""
    size = shutil.get_terminal_size()
    return {
        "is_terminal": sys.stdin.isatty() and sys.stdout.isatty(),
        "term": environ.get("TERM", ""),
        "size": f"{size.columns}x{size.lines}",
        "colours": _colours(environ),
        "encoding": locale.getpreferredencoding(False),
        "locale": environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "",
        "multiplexer": "tmux" if environ.get("TMUX") else "screen" if environ.get("STY") else "none",
        "over_ssh": bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")),
        "no_color": bool(environ.get("NO_COLOR")),
    }


def configuration(common: Common) -> Facts:
    """Return where files are, which profiles there are and what is wrong with them."""
    from flowlatch.config import places

    where = places()
    return {
        "file": f"{where.config_file}" + ("" if where.config_file.exists() else " (none)"),
        "data": str(where.data),
        "state": str(where.state),
        "profiles": sorted(common.settings.profiles),
        "default": common.settings.default,
        "theme": common.theme or common.settings.theme,
        "own_keys": common.settings.keys,
        "problems": common.settings.problems,
        "environment": sorted(name for name in os.environ if name.startswith("FLOWLATCH_")),
    }


async def server(target: Target) -> Facts:
    """Return what the server that would be used says about itself. An embedded one that does not run is not started."""
    from flowlatch.api.opener import open_backend
    from flowlatch.config import places
    from flowlatch.discovery import is_running

    facts: Facts = {"profile": target.profile.name, "actor": target.actor, "has_token": target.token is not None}
    if target.profile.url is None and not is_running(Path(places().data)):
        return facts | {"url": "the embedded server, not running: it is started when it is needed"}
    backend = await open_backend(target)
    try:
        before = datetime.now(UTC)
        there = await backend.server_now()
        after = datetime.now(UTC)
        found, traffic = backend.capabilities, backend.traffic
        return facts | {
            "url": backend.url,
            "kind": found.kind,
            "version": found.version,
            "server_id": found.server_id,
            "lock": found.locking,
            "changes": "pushed" if found.has_push else "polled",
            "read_only": found.read_only or target.profile.read_only,
            "authentication": found.auth,
            "key_window_s": found.idempotency_window.total_seconds() if found.idempotency_window else None,
            "clock_skew_s": round((there - (before + (after - before) / 2)).total_seconds(), 3),
            "round_trip_ms": round((after - before).total_seconds() * 1000, 1),
            "requests": traffic.requests,
            "bytes_in": traffic.bytes_in,
            "bytes_out": traffic.bytes_out,
        }
    finally:
        await backend.aclose()


def _colours(environ: Mapping[str, str]) -> str:
    if environ.get("NO_COLOR"):
        return "none (NO_COLOR)"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million"
    if environ.get("TERM", "") in ("", "dumb"):
        return "none"
    return "256" if "256color" in environ["TERM"] else "16"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return (
            " ".join(f"{key} {','.join(text) if isinstance(text, list) else text}" for key, text in value.items())
            or "none"
        )
    return "-" if value is None or value == "" else str(value)
