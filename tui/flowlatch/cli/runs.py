"""`flowlatch runs`: reading verbs. `run_changes` and `run_undo` hold those that change, `run_watch` what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Common, Noun, pass_common
from flowlatch.cli.output import SHORT_ID, Column
from flowlatch.cli.run_changes import cancel, create, delete, retry, set_state
from flowlatch.cli.run_undo import undo
from flowlatch.cli.run_watch import logs, watch
from flowlatch.model.versions import version_label

if TYPE_CHECKING:
    from datetime import datetime

    from flowlatch.cli.connect import Connection
    from flowlatch.model.run import FlowRun, TaskRun
    from flowlatch.model.state import State

SORTS = ("start", "updated", "created", "state", "flow", "name", "version", "duration", "message")
_RUNS = [
    Column("STATE", is_state=True),
    Column("FLOW"),
    Column("RUN"),
    Column("START", is_whole=True),
    Column("DUR", right=True),
    Column("VER", right=True),
    Column("ID", is_whole=True),
    Column("MESSAGE"),
]
_STATES = [
    Column("VER", right=True),
    Column("TIME", is_whole=True),
    Column("STATE", is_state=True),
    Column("BY"),
    Column("MESSAGE"),
]
_TASKS = [
    Column("STATE", is_state=True),
    Column("TASK"),
    Column("START", is_whole=True),
    Column("DUR", right=True),
    Column("TRY", right=True),
    Column("ID", is_whole=True),
    Column("MESSAGE"),
]


@click.group("runs", cls=Noun)
def command() -> None:
    """List, create, watch and change flow runs. A RUN is an id or the first six or more digits of one."""


@command.command("list")
@click.option("--filter", "text", default="", metavar="TEXT", help="E.g. 'state:failed since:2h flow:etl*'.")
@click.option("--sort", type=click.Choice(SORTS), default="start", show_default=True, help="Order.")
@click.option("--reverse", is_flag=True, help="The other way round: oldest, lowest or first letter first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Runs at most.")
@click.option("--all", "everything", is_flag=True, help="No limit.")
@pass_common
def list_runs(common: Common, text: str, sort: str, reverse: bool, limit: int, everything: bool) -> int:
    """List flow runs, latest start first.

    The filter is that of the dashboard: state: flow: label: since: until: key: id: name:, a leading - turns a
    condition around, other words are looked for in run name, flow name and message.
    """
    from flowlatch.cli.connect import act
    from flowlatch.cli.matching import matching, parsed
    from flowlatch.cli.rows import run_row
    from flowlatch.model.query import Sort, SortKey

    order = Sort(key=SortKey[sort.upper()], descending=not reverse)

    async def body(connection: Connection) -> None:
        reading = await parsed(connection, text, order)
        most = 2**31 if everything else limit
        if common.json:
            async for run in matching(connection, reading, most):
                common.out.json(run_row(run))
            return
        runs = [run async for run in matching(connection, reading, most)]
        common.out.table(_RUNS, [_run_cells(connection, run, common.out.is_terminal) for run in runs], "no run matches")
        if common.out.is_terminal and len(runs) == most:
            common.out.note(f"the first {most}; --limit or --all shows more")

    return act(common, body)


@command.command()
@click.argument("run")
@pass_common
def show(common: Common, run: str) -> int:
    """Show one run whole."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_run
    from flowlatch.cli.rows import whole_run

    async def body(connection: Connection) -> None:
        found = await connection.backend.run(await find_run(connection.backend, run))
        if common.json:
            common.out.json(whole_run(found))
        else:
            common.out.fields(_run_fields(connection, found))

    return act(common, body)


@command.command()
@click.argument("run")
@pass_common
def history(common: Common, run: str) -> int:
    """Show the states of a run, oldest first, with version and who set them."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_run
    from flowlatch.cli.rows import state_row

    async def body(connection: Connection) -> None:
        run_id = await find_run(connection.backend, run)
        states = await connection.backend.history(run_id)
        if not states:
            await connection.backend.run(run_id)
        if common.json:
            for state in states:
                common.out.json(state_row(state))
        else:
            common.out.table(_STATES, [_state_cells(connection, state) for state in states], "no states")

    return act(common, body)


@command.command()
@click.argument("run")
@pass_common
def tasks(common: Common, run: str) -> int:
    """Show the task runs of a run, mapped children behind their parent."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_run
    from flowlatch.cli.rows import task_row

    async def body(connection: Connection) -> None:
        run_id = await find_run(connection.backend, run)
        found = await connection.backend.task_runs(run_id)
        if not found:
            await connection.backend.run(run_id)
        if common.json:
            for task in found:
                common.out.json(task_row(task))
        else:
            now = await connection.measured_now()
            common.out.table(_TASKS, [_task_cells(connection, task, now) for task in found], "no task runs")

    return act(common, body)


for _verb in (watch, logs, create, set_state, undo, cancel, retry, delete):
    command.add_command(_verb)


def _when(connection: Connection, moment: datetime | None) -> str:
    """Return a time for eyes in the operator's zone, for pipes in the form of the wire."""
    from flowlatch.cli.rows import time_text
    from flowlatch.cli.times import stamp

    return stamp(moment, connection.zone) if connection.out.is_terminal else time_text(moment) or "-"


def _listed(connection: Connection, moment: datetime | None) -> str:
    """Return a time for a row of a list, short on a narrow terminal."""
    from flowlatch.model.stamps import short_stamp

    if connection.out.is_narrow:
        return short_stamp(moment, connection.now(), connection.zone)
    return _when(connection, moment)


def _run_cells(connection: Connection, run: FlowRun, is_short: bool) -> tuple[object, ...]:
    from flowlatch.cli.times import length, took

    return (
        run.state,
        run.flow_name,
        run.name,
        _listed(connection, run.due_at() if not run.start_time else run.start_time),
        length(took(run, connection.now())),
        version_label(run.version),
        run.id[:SHORT_ID] if is_short else run.id,
        run.state_message,
    )


def _state_cells(connection: Connection, state: State) -> tuple[object, ...]:
    from flowlatch.live.parties import party

    by = party(state.actor, me=connection.target.actor)
    return (version_label(state.version), _listed(connection, state.timestamp), state.name, by, state.message)


def _task_cells(connection: Connection, task: TaskRun, now: datetime) -> tuple[object, ...]:
    from flowlatch.cli.times import length, took

    name = task.name or task.task_slug
    return (
        task.state,
        f"  {name} [{task.map_index}]" if task.map_index >= 0 else name,
        _listed(connection, task.start_time),
        length(took(task, now)),
        task.run_count,
        task.id[:SHORT_ID] if connection.out.is_terminal else task.id,
        task.state_message,
    )


def _run_fields(connection: Connection, run: FlowRun) -> list[tuple[str, object]]:
    import json

    from flowlatch.cli.times import length, took
    from flowlatch.live.parties import party

    live = run.idempotency
    life = f", used {live.uses} times, ends {_when(connection, live.expires_at)}" if live else ""
    return [
        ("id", run.id),
        ("flow", f"{run.flow_name} v{run.flow_version}" if run.flow_version is not None else run.flow_name),
        ("name", run.name),
        ("state", run.state),
        ("message", run.state_message),
        ("version", run.version),
        ("since", _when(connection, run.state_timestamp)),
        ("by", party(run.actor, me=connection.target.actor)),
        ("scheduled", _when(connection, run.scheduled_start_time)),
        ("started", _when(connection, run.start_time)),
        ("ended", _when(connection, run.end_time)),
        ("took", length(took(run, connection.now()))),
        ("key", f"{run.idempotency_key}{life}" if run.idempotency_key else None),
        ("labels", " ".join(run.labels)),
        ("parameters", json.dumps(run.parameters or {}, ensure_ascii=False)),
    ]
