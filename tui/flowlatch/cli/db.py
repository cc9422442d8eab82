"""`flowlatch db`: care of a data directory's database, beside the running server or without one."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from flowlatch.cli.common import Common, Noun, pass_common
from flowlatch.errors import BadInput, ConfigError, Rejected
from flowlatch.text import counted, one_line

F = TypeVar("F", bound=Callable[..., Any])
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def data_option(function: F) -> F:
    """Add `--data DIR`, by default this machine's data directory."""
    return click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="The data directory.")(function)


@click.group("db", cls=Noun)
def command() -> None:
    """Care of a data directory: check, back up, vacuum, prune; move to PostgreSQL."""


@command.command()
@data_option
@pass_common
def check(common: Common, data: Path | None) -> int:
    """Read the whole database and say what is wrong with it."""
    from flowlatch.store.sqlite import maintenance

    place = _place(data)
    problems = maintenance.check(place)
    if common.json:
        common.out.json({"database": str(maintenance.database_in(place)), "sound": not problems, "problems": problems})
    else:
        for problem in problems:
            common.out.line(problem)
        if not problems:
            common.out.line(f"{maintenance.database_in(place)} is sound")
    return 1 if problems else 0


@command.command()
@click.argument("target", type=click.Path(path_type=Path))
@data_option
@pass_common
def backup(common: Common, target: Path, data: Path | None) -> None:
    """Copy the database as it is at this moment into the new file TARGET; the server may go on."""
    from flowlatch.store.sqlite import maintenance

    size = maintenance.backup(_place(data), target)
    if common.json:
        common.out.json({"backup": str(target), "bytes": size})
    else:
        common.out.line(f"{target}: {size} bytes")


@command.command()
@data_option
@pass_common
def vacuum(common: Common, data: Path | None) -> None:
    """Give the room of deleted rows back to the disk; writers wait meanwhile."""
    from flowlatch.store.sqlite import maintenance

    before, after = maintenance.vacuum(_place(data))
    if common.json:
        common.out.json({"bytes_before": before, "bytes_after": after})
    else:
        common.out.line(f"{before} bytes before, {after} bytes after")


@command.command()
@click.option("--older-than", "age", required=True, metavar="AGE", help="E.g. 90d; units s m h d w.")
@click.option("--database", metavar="URL", help="A PostgreSQL database instead of a data directory.")
@data_option
@pass_common
def prune(common: Common, age: str, database: str | None, data: Path | None) -> None:
    """Delete the runs that ended longer than AGE ago, with their history, task runs and logs."""
    from flowlatch.store.base import Refusal
    from flowlatch.store.sqlite import maintenance

    older_than = read_age(age)
    if database is not None and data is not None:
        raise BadInput("--database and --data: one of them")
    try:
        if database is not None:
            deleted = asyncio.run(_prune_postgres(database, older_than))
        else:
            deleted = asyncio.run(maintenance.prune(_place(data), older_than))
    except Refusal as error:
        raise Rejected(one_line(error), error.code) from error
    if common.json:
        common.out.json({"deleted": deleted})
    else:
        common.out.line(f"{deleted} runs deleted")


@command.command()
@click.argument("database", metavar="URL")
@data_option
@pass_common
def move(common: Common, database: str, data: Path | None) -> None:
    """Move everything into the empty PostgreSQL database URL (postgresql://USER@HOST/NAME); the server must be stopped.

    All of it or nothing. Ids, versions, idempotency keys and cursors of live changes stay as they are. The file is kept
    beside under another name.
    """
    from flowlatch.discovery import DirectoryLock
    from flowlatch.store.postgres.connection import shown
    from flowlatch.store.postgres.filling import fill
    from flowlatch.store.sqlite import maintenance

    place = _place(data)
    path = maintenance.database_in(place)
    if not place.is_dir():
        raise BadInput(f"--data {one_line(place)}: wants the data directory")
    aside = path.with_name(path.name + maintenance.MOVED)
    if aside.exists():
        raise BadInput(f"{one_line(aside)} is there already: move it away first")
    with DirectoryLock(place) as lock:
        if not lock.acquire():
            raise ConfigError(f"a server is running on {one_line(place)}: stop it first")
        with maintenance.contents(place) as rows_of:
            rows = fill(database, rows_of, lambda table, count: common.out.note(f"{table}: {count}") if count else None)
        aside = maintenance.set_aside(place)
    if common.json:
        common.out.json({"database": shown(database), "rows": rows, "kept": str(aside)})
    else:
        common.out.line(f"{counted(rows['flow_run'], 'run')} moved into {one_line(shown(database))}")
        common.out.line(f"{one_line(aside)} is the file as it was")
        common.out.line(
            f"from now on: flowlatch serve --database {shlex.quote(database)} --data {shlex.quote(str(place))}"
        )


async def _prune_postgres(url: str, older_than: timedelta) -> int:
    from flowlatch.store.postgres.connection import shown
    from flowlatch.store.postgres.store import open_postgres
    from flowlatch.store.pruning import prune_store

    return await prune_store(await open_postgres(url), shown(url), older_than)


def read_age(text: str) -> timedelta:
    """Return the length of time that `90d` or `36h` names. Raises `BadInput`."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip().lower())
    if not found or int(found[1]) == 0:
        raise BadInput(f"--older-than {one_line(text, 40)!r}: wants a number and a unit, e.g. 90d or 36h (s m h d w)")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _place(data: Path | None) -> Path:
    from flowlatch.config import places

    return (data or places().data).expanduser()
