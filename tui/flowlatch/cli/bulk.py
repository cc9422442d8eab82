"""One verb on one run, on several, or on all that match a filter: listed first, asked about, told run by run.

The list is frozen before the question; each run is changed on the version it was listed with (ux.md rows 53–56).
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

import click

from flowlatch.cli.connect import Connection
from flowlatch.cli.matching import matching, parsed
from flowlatch.cli.named import find_run
from flowlatch.cli.output import SHORT_ID, Column
from flowlatch.cli.rows import Row, run_row
from flowlatch.cli.times import stamp
from flowlatch.cli.told import Result, exit_code_of
from flowlatch.errors import BadInput, NotFound
from flowlatch.model.run import FlowRun
from flowlatch.model.versions import version_label
from flowlatch.text import counted, one_line

AT_ONCE = 8
"""Changes under way at the same time."""
TYPED_OVER = 20
"""Over this many runs the number must be typed to go on."""
NAME_CELLS = 30
"""The results of several runs stand under each other as far as their names are no longer than this."""
_RUNS = [Column("STATE", is_state=True), Column("FLOW / RUN"), Column("VER", right=True), Column("ID", is_whole=True)]


@dataclass(frozen=True)
class Selection:
    """Which runs were asked for. Raises `BadInput` for what cannot go together."""

    names: tuple[str, ...]
    text: str | None
    dry_run: bool
    yes: bool
    expect_version: int | None

    def __post_init__(self) -> None:
        if self.text is not None and self.names:
            raise BadInput("give RUN or --filter, not both")
        if self.text is None and not self.names:
            raise BadInput("which run? give RUN, or --filter TEXT for all that match")
        if self.text is not None and not self.text.strip():
            raise BadInput("--filter: it is empty, which would mean every run; e.g. 'state:failed since:2h'")
        if self.expect_version is not None and self.is_many:
            raise BadInput("--expect-version: goes with exactly one RUN")

    @property
    def is_many(self) -> bool:
        """True when the answer is a list of results."""
        return self.text is not None or len(self.names) > 1


async def change(
    connection: Connection,
    selection: Selection,
    verb: str,
    one: Callable[[FlowRun], Awaitable[Result]],
) -> int:
    """Run `one` on each run of the selection and return the exit code."""
    if not (selection.is_many or selection.dry_run):
        return await _single(connection, selection.names[0], selection.expect_version, one)
    runs = await _chosen(connection, selection)
    if not runs:
        connection.out.note("no run matches")
        return 0
    if selection.dry_run:
        _list(connection, runs)
        return 0
    if selection.text is not None and not selection.yes:
        _ask(connection, verb, runs)
    return await _each(connection, runs, one)


async def _single(
    connection: Connection, name: str, expected: int | None, one: Callable[[FlowRun], Awaitable[Result]]
) -> int:
    run_id = await find_run(connection.backend, name)
    try:
        run = await connection.backend.run(run_id)
    except NotFound as error:
        row: Row = {"outcome": "gone", "id": run_id, "base": None, "theirs": None, "mine": None, "between": []}
        result = Result("gone", row, NotFound.exit_code, NotFound.code, one_line(error))
    else:
        if expected is None and not connection.out.as_json:
            connection.out.line(f"read {version_label(run.version)} {run.state} ({run.flow_name} / {run.name})")
            connection.out.flush()
        result = await one(run)
    _tell_single(connection, result)
    return result.tell(connection.out)


def _tell_single(connection: Connection, result: Result) -> None:
    out = connection.out
    if out.as_json:
        if result.row.get("id"):
            out.json(result.row)
        return
    if "base" not in result.row:
        if not result.exit_code:
            flow = result.row.get("flow") or {}
            out.line(f"{result.outcome} {result.row['id']} {flow.get('name', '?')} / {result.row.get('name', '?')}")
        return
    pairs: list[tuple[str, object]] = [(result.outcome, result.row["id"])]
    zone = connection.zone if out.is_terminal else None
    for name in ("base", "theirs", "mine"):
        if result.row[name] and (name != "base" or result.exit_code):
            pairs.append((name, _side(result.row[name], zone)))
    told = [result.row["theirs"]] if out.is_terminal else []
    pairs += [("between", _side(state, zone)) for state in result.row["between"] if state not in told]
    out.fields(pairs)


def _side(state: Row, zone: tzinfo | None = None) -> str:
    """Return one side of a change; its time as on the wire, for eyes in their zone."""
    version = f"{version_label(state['version'])} " if state["version"] is not None else ""
    message = f": {state['message']}" if state["message"] else ""
    by = f", by {state['actor']}" if state["actor"] else ""
    when = state["timestamp"]
    at = f", {stamp(datetime.fromisoformat(when), zone) if zone else when}" if when else ""
    return f"{version}{state['state'] or '?'}{message}{by}{at}"


async def _chosen(connection: Connection, selection: Selection) -> list[FlowRun]:
    if selection.text is not None:
        reading = await parsed(connection, selection.text)
        return [run async for run in matching(connection, reading, 2**31)]
    runs: dict[str, FlowRun] = {}
    for name in selection.names:
        run = await connection.backend.run(await find_run(connection.backend, name))
        runs[run.id] = run
    return list(runs.values())


def _list(connection: Connection, runs: list[FlowRun]) -> None:
    out = connection.out
    if out.as_json:
        for run in runs:
            out.json(run_row(run))
        return
    out.table(
        _RUNS,
        [
            (run.state, f"{run.flow_name} / {run.name}", version_label(run.version), _id(run.id, out.is_terminal))
            for run in runs
        ],
    )
    counts = Counter(run.state for run in runs)
    states = ", ".join(f"{number} {state}" for state, number in counts.most_common())
    out.flush()
    out.note(counted(len(runs), "run") + (f": {states}" if states else ""))


def _ask(connection: Connection, verb: str, runs: list[FlowRun]) -> None:
    """List and ask before many runs are changed; no is the default. Without a terminal to ask on, `--yes` is needed."""
    number = len(runs)
    if not sys.stdin.isatty() or connection.out.as_json:
        raise BadInput(
            f"--filter matches {counted(number, 'run')}: give --yes to {verb} them, or --dry-run to list only"
        )
    _list(connection, runs)
    if number > TYPED_OVER:
        typed = click.prompt(
            f"{verb} {counted(number, 'run')}? Type the number to go on", default="", show_default=False, err=True
        )
        is_meant = str(typed).strip() == str(number)
    else:
        is_meant = click.confirm(f"{verb} {counted(number, 'run')}?", default=False, err=True)
    if not is_meant:
        raise BadInput("nothing was changed")


async def _each(connection: Connection, runs: list[FlowRun], one: Callable[[FlowRun], Awaitable[Result]]) -> int:
    """Change each run, some at the same time, and print each result when it is there."""
    out = connection.out
    slots = asyncio.Semaphore(AT_ONCE)
    name_cells = min(max(len(f"{run.flow_name} / {run.name}") for run in runs), NAME_CELLS)
    line = [Column("", is_whole=True, least=8), Column("", is_whole=True), Column("", least=name_cells), Column("")]

    async def act(run: FlowRun) -> Result:
        async with slots:
            result = await one(run)
        if out.as_json:
            out.json(result.row | {"id": result.row.get("id", run.id)})
        else:
            out.table(line, [_cells(result, run, out.is_terminal)])
        out.flush()
        return result

    results = await asyncio.gather(*(act(run) for run in runs))
    counts = Counter(result.outcome for result in results)
    out.note(", ".join(f"{number} {outcome}" for outcome, number in counts.most_common()))
    return exit_code_of(results)


def _cells(result: Result, run: FlowRun, is_short: bool) -> tuple[str, str, str, str]:
    """Return the line of one run; for a run that was made, its own id and name, and which it was made from."""
    source = str(result.row.get("retry_of") or "")
    made = str(result.row.get("id") or "") if source else ""
    run_id, name = (made, result.row.get("name") or "?") if made else (run.id, run.name)
    mine = result.row.get("mine")
    detail = result.reason or (f"retry of {_id(source, is_short)}" if made else _side(mine) if mine else "")
    return result.outcome, _id(run_id, is_short), f"{run.flow_name} / {name}", detail


def _id(run_id: str, is_short: bool) -> str:
    return run_id[:SHORT_ID] if is_short else run_id
