"""`flowlatch runs watch` and `logs`: verbs that stay until something ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.cli.output import Column
from flowlatch.model.versions import version_label
from flowlatch.text import clean, one_line

if TYPE_CHECKING:
    from flowlatch.cli.connect import Connection
    from flowlatch.model.run import LogLine, RunId

T = TypeVar("T")

LOG_POLL_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LOG_PAGE = 1000
_STATE_LINE = [
    Column("", is_whole=True, least=3),
    Column("", is_whole=True),
    Column("", is_state=True, least=10),
    Column("", least=8),
    Column(""),
]
"""Each state is a table of its own, printed when it comes."""


@click.command("watch", cls=Command)
@click.argument("run")
@click.option("--exit-status", is_flag=True, help="Exit with 1 when the run did not end in success.")
@pass_common
def watch(common: Common, run: str, exit_status: bool) -> int:
    """Print each state of a run as it comes, until the run ends. A lost connection is tried again for ever."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_run

    async def body(connection: Connection) -> int:
        run_id = await find_run(connection.backend, run)
        watcher = _Watcher(connection)
        await watcher.follow(run_id)
        return 1 if exit_status and not watcher.has_succeeded else 0

    return act(common, body)


class _Watcher:
    """Prints the states of one run, each once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen = 0
        self.has_succeeded = False

    async def follow(self, run_id: RunId) -> None:
        """Print until the run has ended. Raises `NotFound` when it is gone."""
        from flowlatch.errors import Unreachable

        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with _closing(self._connection.backend.watch(ids=[run_id])) as batches:
                    async for _ in batches:
                        pause_s = FIRST_PAUSE_S
                        if await self._print_new(run_id):
                            return
            except Unreachable as error:
                self._connection.out.note(f"{one_line(error)}; trying again in {pause_s:.0f} s")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _print_new(self, run_id: RunId) -> bool:
        """Print the states that are new; True when the run has ended."""
        from flowlatch.cli.rows import state_row, time_text
        from flowlatch.cli.times import stamp
        from flowlatch.live.parties import party
        from flowlatch.model.state import Category

        connection, out = self._connection, self._connection.out
        states = await connection.backend.history(run_id, after_version=self._seen)
        if not states:
            run = await connection.backend.run(run_id)
            self.has_succeeded = run.category is Category.SUCCESS
            return run.is_finished
        for state in states:
            self._seen = max(self._seen, state.version)
            if out.as_json:
                out.json({"id": run_id} | state_row(state))
            else:
                when = stamp(state.timestamp, connection.zone) if out.is_terminal else time_text(state.timestamp)
                by = party(state.actor, me=connection.target.actor)
                out.table(_STATE_LINE, [(version_label(state.version), when, state.name, by, state.message)])
        out.flush()
        self.has_succeeded = states[-1].category is Category.SUCCESS
        return states[-1].is_finished


@asynccontextmanager
async def _closing(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a stream that is left before its end, and with it its connection."""
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


@click.command("logs", cls=Command)
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="The newest lines.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="This level and above.")
@pass_common
def logs(common: Common, run: str, follow: bool, limit: int, level: str | None) -> int:
    """Print the log lines of a run, oldest first."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_run
    from flowlatch.live.log_tail import LogTail

    least = LEVELS.index(level.upper()) if level else 0

    async def body(connection: Connection) -> None:
        run_id = await find_run(connection.backend, run)
        has_ended = (await connection.backend.run(run_id)).is_finished
        lines = await connection.backend.logs(run_id, limit=limit)
        _print_logs(connection, lines, least)
        if not (lines or follow) and connection.out.is_terminal:
            connection.out.note("no log lines")
        tail = LogTail()
        tail.replace(lines, is_whole=len(lines) < limit)
        while follow:
            lines = await connection.backend.logs(run_id, after=tail.mark, limit=_LOG_PAGE)
            _print_logs(connection, tail.take(lines), least)
            if lines:
                continue
            if has_ended:
                return
            await asyncio.sleep(LOG_POLL_S)
            has_ended = (await connection.backend.run(run_id)).is_finished

    return act(common, body)


def _print_logs(connection: Connection, lines: list[LogLine], least: int) -> None:
    from flowlatch.cli.rows import log_row, time_text
    from flowlatch.cli.times import stamp

    out = connection.out
    for line in lines:
        if least and line.level.upper() in LEVELS and LEVELS.index(line.level.upper()) < least:
            continue
        if out.as_json:
            out.json(log_row(line))
            continue
        when = stamp(line.timestamp, connection.zone) if out.is_terminal else time_text(line.timestamp)
        message = clean(line.message, 64 * 1024, multiline=True).replace("\n", "\n    ")
        out.block(f"{when} {one_line(line.level, 20):<8} {message}")
    out.flush()
