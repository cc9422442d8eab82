"""One command's connection to its server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import click

from flowlatch.api.backend import Backend
from flowlatch.api.opener import open_backend
from flowlatch.cli.common import Common
from flowlatch.cli.output import Output
from flowlatch.config import Profile, Target, places
from flowlatch.errors import Unauthorized
from flowlatch.live.desk import Desk
from flowlatch.live.journal import Journal
from flowlatch.live.session import local_zone
from flowlatch.secret import secret_from
from flowlatch.text import one_line


@dataclass
class Connection:
    """A server that one command speaks to; what `live.desk` calls a standing."""

    target: Target
    backend: Backend
    out: Output
    _ahead: timedelta = field(default=timedelta(0), repr=False)
    """How far the server's clock is ahead of this machine's, as last measured."""

    @property
    def profile(self) -> Profile:
        """The profile of this server."""
        return self.target.profile

    @property
    def url(self) -> str:
        """The server's address."""
        return self.backend.url

    @property
    def server_id(self) -> str:
        """Names the database; empty where the server has no such name."""
        return self.backend.capabilities.server_id

    @cached_property
    def journal(self) -> Journal:
        """The record of what was done from here."""
        return Journal(places().state / "journal.jsonl")

    @cached_property
    def desk(self) -> Desk:
        """Acts in the operator's name, written down before and after."""
        return Desk(self)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The operator's zone."""
        return ZoneInfo(local_zone())

    def now(self) -> datetime:
        """Return the server's clock (aware UTC), as far as it was measured."""
        return datetime.now(UTC) + self._ahead

    async def measured_now(self) -> datetime:
        """Ask the server for its clock and return it."""
        there = await self.backend.server_now()
        self._ahead = there - datetime.now(UTC)
        return there


Body = Callable[[Connection], Coroutine[Any, Any, int | None]]


def act(common: Common, body: Body) -> int:
    """Connect, run `body`, close; return its exit code, 0 for None."""
    return asyncio.run(_act(common, body))


async def _act(common: Common, body: Body) -> int:
    target = common.target()
    connection = Connection(target, await _open(target), common.out)
    try:
        code = await body(connection)
    finally:
        await connection.backend.aclose()
    if "journal" in connection.__dict__ and connection.journal.problem:
        common.out.note(connection.journal.problem)
    return code or 0


async def _open(target: Target) -> Backend:
    """Open the backend; a server that wants a token gets one typed, if somebody sits at a terminal."""
    try:
        return await open_backend(target)
    except Unauthorized as error:
        if target.profile.url is None:
            raise
        if target.token is not None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            ways = "--token-file FILE, --token-stdin or FLOWLATCH_TOKEN names it"
            raise Unauthorized(f"{one_line(target.profile.url, 100)}: {error}; {ways}") from error
    typed = click.prompt(f"token for {one_line(target.profile.url, 100)}", hide_input=True, err=True)
    return await open_backend(replace(target, token=secret_from(typed, "token")))
