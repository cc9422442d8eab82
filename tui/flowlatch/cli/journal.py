"""`flowlatch journal`: what was done from here, by the dashboard and by commands."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.cli.output import SHORT_ID, Column, Output
from flowlatch.model.versions import version_label

if TYPE_CHECKING:
    from flowlatch.live.journal import Entry, Side


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
    """Print a table for eyes; the server is a column of its own only where there are several.

    A narrow terminal has room for the run's own name and for the state after the act.
    """
    from flowlatch.cli.times import stamp
    from flowlatch.model.stamps import short_stamp

    if not entries:
        out.note("nothing was done from here yet")
        return
    now = datetime.now(UTC)
    columns = [
        Column("TIME", is_whole=True),
        Column("ID", is_whole=True),
        Column("RUN"),
        Column("ACT", is_whole=True),
        Column("AFTER" if out.is_narrow else "CHANGE"),
        Column("OUTCOME", is_whole=True),
        Column("DETAIL"),
    ]
    rows = [
        (
            short_stamp(entry.at, now, zone) if out.is_narrow else stamp(entry.at, zone),
            entry.run_id[:SHORT_ID],
            entry.run.rpartition(" / ")[2] if out.is_narrow else entry.run,
            entry.action,
            _side(entry.after) if out.is_narrow else _change(entry),
            entry.outcome or "unknown",
            entry.detail,
        )
        for entry in entries
    ]
    servers = [entry.profile or entry.server for entry in entries]
    if len(set(servers)) == 1:
        out.heading(f"on {servers[0]}")
        out.table(columns, rows)
    else:
        out.table([Column("SERVER"), *columns], [(server, *row) for server, row in zip(servers, rows, strict=True)])


def _change(entry: Entry) -> str:
    return f"{_side(entry.before)} → {_side(entry.after)}" if entry.before or entry.after else ""


def _side(side: Side | None) -> str:
    if side is None:
        return "-"
    return f"{version_label(side.version)} {side.state}" if side.version is not None else side.state
