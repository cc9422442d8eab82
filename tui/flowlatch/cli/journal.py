"""`flowlatch journal`: what was done from here, by the dashboard and by commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.cli.output import Column

if TYPE_CHECKING:
    from flowlatch.live.journal import Entry, Side

_COLUMNS = [
    Column("TIME"),
    Column("SERVER"),
    Column("ACT"),
    Column("RUN"),
    Column("BEFORE"),
    Column("AFTER"),
    Column("OUTCOME"),
    Column("DETAIL"),
]


@click.command("journal", cls=Command)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Acts at most.")
@pass_common
def command(common: Common, limit: int) -> None:
    """Show what was done from this machine, newest first."""
    from zoneinfo import ZoneInfo

    from flowlatch.cli.rows import entry_row, time_text
    from flowlatch.cli.times import stamp
    from flowlatch.config import places
    from flowlatch.live.journal import Journal
    from flowlatch.live.session import local_zone

    entries = Journal(places().state / "journal.jsonl").entries(limit)
    if common.json:
        for entry in entries:
            common.out.json(entry_row(entry))
        return
    zone = ZoneInfo(local_zone())
    common.out.table(
        _COLUMNS,
        [
            (
                stamp(entry.at, zone) if common.out.is_terminal else time_text(entry.at),
                entry.profile or entry.server,
                entry.action,
                _run(entry, common.out.is_terminal),
                _side(entry.before),
                _side(entry.after),
                entry.outcome or "unknown",
                entry.detail,
            )
            for entry in entries
        ],
    )


def _run(entry: Entry, is_short: bool) -> str:
    return (entry.run or entry.run_id[:8]) if is_short else (entry.run_id or entry.run)


def _side(side: Side | None) -> str:
    if side is None:
        return "-"
    return f"v{side.version} {side.state}" if side.version is not None else side.state
