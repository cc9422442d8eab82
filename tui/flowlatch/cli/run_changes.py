"""`flowlatch runs`: the verbs that change something. One run by id, several by ids, many by `--filter`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowlatch.cli.common import Command, Common, pass_common
from flowlatch.errors import BadInput
from flowlatch.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from flowlatch.cli.connect import Connection
    from flowlatch.cli.told import Result
    from flowlatch.model.run import Flow, FlowRun
    from flowlatch.model.state import StateDraft

F = TypeVar("F", bound=Callable[..., Any])

_AT_HELP = "When: now, 'in 20m', 17:30, 'tomorrow 7am', 2026-12-01T09:00Z …"
_ZONE_HELP = "The zone of --at, e.g. Europe/Berlin; without it this machine's."


def _state_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from flowlatch.model.state import StateType

    return [str(state) for state in StateType if state.lower().startswith(incomplete.lower())]


def many(function: F) -> F:
    """Add what every verb takes that can act on many runs."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Only list the runs that are meant."),
        click.option("--filter", "text", metavar="TEXT", help="All runs that match, instead of RUN."),
    ):
        function = option(function)
    return function


@click.command("create", cls=Command)
@click.argument("flow")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter; repeat it.")
@click.option("--at", "when", metavar="WHEN", help=_AT_HELP)
@click.option("--zone", metavar="ZONE", help=_ZONE_HELP)
@click.option("--key", metavar="KEY", help="Idempotency key: a repeat returns the same run. Without it a fresh one.")
@click.option("--no-key", is_flag=True, help="No idempotency key at all.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="A label; repeat it.")
@click.option("--name", metavar="NAME", help="The run's name; without it the server picks one.")
@pass_common
def create(
    common: Common,
    flow: str,
    params: tuple[str, ...],
    when: str | None,
    zone: str | None,
    key: str | None,
    no_key: bool,
    labels: tuple[str, ...],
    name: str | None,
) -> int:
    """Create a run of FLOW (name, PROJECT/NAME or id), now or later. Says `created` or `existing`."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_flow
    from flowlatch.cli.told import told_create
    from flowlatch.live.create import new_key
    from flowlatch.model.run import NewRun

    if key is not None and (no_key or not key):
        raise BadInput("--key: it is empty; --no-key asks for none" if not key else "give --key or --no-key, not both")

    async def body(connection: Connection) -> int:
        found = await find_flow(connection.backend, flow)
        new = NewRun(
            flow_id=found.id,
            parameters=_values(found, params),
            labels=list(labels) or None,
            scheduled_start_time=await _start(connection, when, zone),
            idempotency_key=None if no_key else key or new_key(),
            flow_run_name=name,
        )
        outcome = await connection.desk.create(new, flow=found.name, is_fresh_key=key is None)
        result = told_create(outcome)
        tell_created(connection, result)
        return result.tell(common.out)

    return act(common, body)


def tell_created(connection: Connection, result: Result) -> None:
    """Print a run that was created or found."""
    out = connection.out
    if result.exit_code:
        return
    if out.as_json:
        out.json(result.row)
        return
    flow = result.row.get("flow") or {}
    out.line(f"{result.outcome} {result.row['id']} {flow.get('name', '?')} / {result.row.get('name', '?')}")
    if result.row["mismatch"]:
        out.note("the key is known from other inputs; these differ: " + ", ".join(result.row["mismatch"]))


@click.command("set-state", cls=Command, short_help="Set the state of a run, on the version it was based on.")
@click.argument("words", nargs=-1, metavar="[RUN]... TYPE", shell_complete=_state_names)
@click.option("-m", "--message", metavar="MESSAGE", help="Why, for the history.")
@click.option("--expect-version", type=int, metavar="N", help="Only on this version; without it the one just read.")
@click.option("--at", "when", metavar="WHEN", help="For the scheduled states. " + _AT_HELP)
@click.option("--zone", metavar="ZONE", help=_ZONE_HELP)
@many
@pass_common
def set_state(
    common: Common,
    words: tuple[str, ...],
    message: str | None,
    expect_version: int | None,
    when: str | None,
    zone: str | None,
    text: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Set the state of a run, e.g. `flowlatch runs set-state 7c1f02 Failed -m "stuck on S3"`.

    It is applied only if the run still has the version it was based on; else nothing is written, exit code 5.
    """
    from flowlatch.cli.bulk import Selection, change
    from flowlatch.cli.connect import act
    from flowlatch.cli.told import told_change

    if not words:
        raise BadInput("TYPE: wants the name of a state, e.g. Success")
    *runs, kind = words
    selection = Selection(tuple(runs), text, dry_run, yes, expect_version)
    check_message(message)

    async def body(connection: Connection) -> int:
        draft = await _draft(connection, kind, message, when, zone)

        async def one(run: FlowRun) -> Result:
            base = await base_of(connection, run, expect_version)
            outcome = await connection.desk.set_state(base, draft)
            return told_change(outcome, base, draft, connection.target.actor)

        return await change(connection, selection, f"set {draft.type} on", one)

    return act(common, body)


@click.command("cancel", cls=Command)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--expect-version", type=int, metavar="N", help="Only if the run still has this version.")
@many
@pass_common
def cancel(
    common: Common, runs: tuple[str, ...], expect_version: int | None, text: str | None, dry_run: bool, yes: bool
) -> int:
    """Cancel a run: at once when it waits, through its worker (Cancelling) while it runs."""
    from flowlatch.cli.bulk import Selection, change
    from flowlatch.cli.connect import act
    from flowlatch.cli.told import told_change
    from flowlatch.model.state import StateDraft

    selection = Selection(runs, text, dry_run, yes, expect_version)
    draft = StateDraft(type="Cancelled")

    async def body(connection: Connection) -> int:
        async def one(run: FlowRun) -> Result:
            base = await base_of(connection, run, expect_version)
            is_bound = expect_version is not None or selection.is_many
            outcome = await connection.desk.cancel(base, only_on_base=is_bound)
            return told_change(outcome, base, draft, connection.target.actor)

        return await change(connection, selection, "cancel", one)

    return act(common, body)


@click.command("delete", cls=Command)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--expect-version", type=int, metavar="N", help="Only if the run still has this version.")
@many
@pass_common
def delete(
    common: Common, runs: tuple[str, ...], expect_version: int | None, text: str | None, dry_run: bool, yes: bool
) -> int:
    """Delete a run with its history, task runs and logs. There is no way back."""
    from flowlatch.cli.bulk import Selection, change
    from flowlatch.cli.connect import act
    from flowlatch.cli.told import told_change
    from flowlatch.model.state import StateDraft

    selection = Selection(runs, text, dry_run, yes, expect_version)
    draft = StateDraft(type="(deleted)")

    async def body(connection: Connection) -> int:
        async def one(run: FlowRun) -> Result:
            base = await base_of(connection, run, expect_version)
            return told_change(await connection.desk.delete(base), base, draft, connection.target.actor)

        return await change(connection, selection, "delete", one)

    return act(common, body)


@click.command("retry", cls=Command)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@many
@pass_common
def retry(common: Common, runs: tuple[str, ...], text: str | None, dry_run: bool, yes: bool) -> int:
    """Create a new run with the flow version, parameters and labels of an old one."""
    from flowlatch.cli.bulk import Selection, change
    from flowlatch.cli.connect import act
    from flowlatch.cli.told import Result, told_create
    from flowlatch.live.create import new_key, retry_of

    selection = Selection(runs, text, dry_run, yes, None)

    async def body(connection: Connection) -> int:
        async def one(run: FlowRun) -> Result:
            whole = run if run.parameters is not None else await connection.backend.run(run.id)
            new = retry_of(whole, key=new_key(run))
            result = told_create(await connection.desk.create(new, flow=run.flow_name, is_fresh_key=True))
            return Result(
                result.outcome, result.row | {"retry_of": run.id}, result.exit_code, result.code, result.reason
            )

        return await change(connection, selection, "retry", one)

    return act(common, body)


def _values(flow: Flow, params: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the parameters typed as `NAME=VALUE`, each read as the flow says. Raises `BadInput`."""
    from flowlatch.model.params import read_value
    from flowlatch.model.run import Parameter

    known = {parameter.name: parameter for parameter in flow.parameters}
    values: dict[str, Any] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"--param {one_line(text, 80)!r}: wants NAME=VALUE")
        if name in values:
            raise BadInput(f"--param {one_line(name, 80)}: given twice")
        try:
            values[name] = read_value(known.get(name) or Parameter(name=name), value)
        except BadInput as error:
            raise BadInput(f"--param {one_line(name, 80)}={one_line(value, 80)}: {error}") from error
    return values or None


async def _start(connection: Connection, when: str | None, zone: str | None) -> datetime | None:
    """Return the time that `--at` and `--zone` name, and say on stderr how it was read."""
    from flowlatch.model.schedule import local_text, start_time, zone_problem

    if when is None:
        if zone is not None:
            raise BadInput("--zone: goes with --at")
        return None
    try:
        reading = start_time(when, zone or connection.zone.key, await connection.measured_now())
    except BadInput as error:
        about, _, why = str(error).partition(": ")
        option = "--zone" if about == "zone" and zone and zone_problem(zone) else "--at"
        raise BadInput(f"{option}: {why}") from error
    notes = "".join(f"; {note}" for note in reading.notes)
    connection.out.note(f"starts {local_text(reading.at, reading.zone)} ({reading.wire}){notes}")
    return reading.at


async def _draft(
    connection: Connection, kind: str, message: str | None, when: str | None, zone: str | None
) -> StateDraft:
    """Return the state that was typed; the case of a known name does not matter. Raises `BadInput`."""
    from flowlatch.model.state import SCHEDULED_LIKE, StateDraft, StateType

    names = connection.backend.capabilities.states or tuple(StateType)
    name = {state.lower(): str(state) for state in names}.get(kind.lower())
    if name is None:
        raise BadInput(f"TYPE {one_line(kind, 40)!r}: no state has this name; there are {' '.join(names)}")
    starts = {*SCHEDULED_LIKE, "AwaitingRetry"} & {*names}
    if when is not None and name not in starts:
        raise BadInput(f"--at: goes only with {', '.join(sorted(starts))}")
    return StateDraft(type=name, message=message, start_time=await _start(connection, when, zone))


async def base_of(connection: Connection, run: FlowRun, expected: int | None) -> Any:
    """Return what the change is based on: the run as read, or the version that was expected."""
    from flowlatch.live.edit import Base
    from flowlatch.model.state import State

    base = connection.desk.base_of(run)
    if expected is None or expected == run.version:
        return base
    states = await connection.backend.history(run.id)
    seen = next((state for state in states if state.version == expected), State(name="", version=expected))
    return Base(run.id, seen, run.flow_name, run.name, base.server_id, base.taken_at)


def check_message(text: str | None) -> None:
    """Refuse a `--message` that no server can store. Raises `BadInput`."""
    from flowlatch.model.params import check_text

    try:
        check_text(text or "")
    except BadInput as error:
        raise BadInput(f"--message: {error}") from error
