"""`flowlatch journal`: what was done from here, by the dashboard and by commands."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.cli.output import Column, Output

if TYPE_CHECKING:
    from flowlatch.live.journal import Entry, Side

_COLUMNS = [
    Column("TIME", is_whole=True),
    Column("ID", is_whole=True),
    Column("RUN"),
    Column("ACT", is_whole=True),
    Column("CHANGE"),
    Column("OUTCOME", is_whole=True),
    Column("DETAIL"),
]
_SERVER = Column("SERVER")


@click.command("journal", cls=Command)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Acts at most.")
@pass_common
def command(common: Common, limit: int) -> None:
    """Show what was done from this machine, newest first."""
    from zoneinfo import ZoneInfo

    from flowlatch.cli.rows import entry_row, time_text
    from flowlatch.config import places
    from flowlatch.live.journal import Journal
    from flowlatch.live.session import local_zone

    entries = Journal(places().state / "journal.jsonl").entries(limit)
    if common.json:
        for entry in entries:
            common.out.json(entry_row(entry))
        return
    if common.out.is_terminal:
        _show(common.out, entries, ZoneInfo(local_zone()))
        return
    common.out.table(
        [Column("")] * 8,
        [
            (
                time_text(entry.at),
                entry.profile or entry.server,
                entry.action,
                entry.run_id or entry.run,
                _side(entry.before),
                _side(entry.after),
                entry.outcome or "unknown",
                entry.detail,
            )
            for entry in entries
        ],
    )


def _show(out: Output, entries: list[Entry], zone: tzinfo) -> None:
    """Print a table for eyes; the server is a column of its own only where there are several."""
    from flowlatch.cli.times import stamp
    from flowlatch.model.stamps import short_stamp

    now = datetime.now(UTC)
    if not entries:
        out.note("nothing was done from here yet")
        return
    servers = {entry.profile or entry.server for entry in entries}
    rows = [
        (
            short_stamp(entry.at, now, zone) if out.is_narrow else stamp(entry.at, zone),
            entry.run_id[:8],
            entry.run,
            entry.action,
            f"{_side(entry.before)} → {_side(entry.after)}" if entry.before or entry.after else "",
            entry.outcome or "unknown",
            entry.detail,
        )
        for entry in entries
    ]
    if len(servers) == 1:
        out.heading(f"on {servers.pop()}")
        out.table(_COLUMNS, rows)
    else:
        whose = (entry.profile or entry.server for entry in entries)
        out.table([_SERVER, *_COLUMNS], [(server, *row) for server, row in zip(whose, rows, strict=True)])


def _side(side: Side | None) -> str:
    if side is None:
        return "-"
    return f"v{side.version} {side.state}" if side.version is not None else side.state
