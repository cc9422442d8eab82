"""`flowlatch runs undo`: the state before the present one, proposed as a new version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.cli.run_changes import base_of, check_message, many
from flowlatch.model.versions import version_label

if TYPE_CHECKING:
    from flowlatch.cli.connect import Connection
    from flowlatch.cli.told import Result
    from flowlatch.model.run import FlowRun


@click.command("undo", cls=Command, short_help="Set the state before the present one again.")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("-m", "--message", metavar="MESSAGE", help="Why, instead of the message that state had.")
@click.option("--expect-version", type=int, metavar="N", help="Only on this version; without it the one just read.")
@many
@pass_common
def undo(
    common: Common,
    runs: tuple[str, ...],
    message: str | None,
    expect_version: int | None,
    text: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Set the state before the present one again, as a new version: nothing is lost in the history.

    It is applied only if the run still has the version it was based on; else nothing is written, exit code 5.
    """
    from flowlatch.cli.bulk import Selection, change
    from flowlatch.cli.connect import act

    selection = Selection(runs, text, dry_run, yes, expect_version)
    check_message(message)

    async def body(connection: Connection) -> int:
        async def one(run: FlowRun) -> Result:
            return await _undo(connection, run, message, expect_version)

        return await change(connection, selection, "undo the last state of", one)

    return act(common, body)


async def _undo(connection: Connection, run: FlowRun, message: str | None, expected: int | None) -> Result:
    """Propose the state before the base's on the base's version."""
    from flowlatch.cli.told import told_change
    from flowlatch.errors import BackendError
    from flowlatch.live.edit import Refused, failure, undo_of
    from flowlatch.model.state import StateDraft

    base = await base_of(connection, run, expected)
    actor = connection.target.actor
    try:
        states = await connection.backend.history(run.id)
    except BackendError as error:
        return told_change(failure(error), base, StateDraft(type="(undo)"), actor)
    before = undo_of([state for state in states if state.version <= base.version])
    if before is None:
        why = Refused(f"flow run {run.id}: there is no state before {version_label(base.version)} to go back to")
        return told_change(why, base, StateDraft(type="(undo)"), actor)
    draft = StateDraft(
        type=before.type,
        message=before.message if message is None else message,
        start_time=before.start_time,
        extra=before.extra,
    )
    return told_change(await connection.desk.set_state(base, draft), base, draft, actor)
