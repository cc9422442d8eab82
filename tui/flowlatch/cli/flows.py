"""`flowlatch flows`: list, register and archive flows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Common, Noun, pass_common
from flowlatch.cli.output import Column
from flowlatch.errors import BadInput
from flowlatch.text import one_line

if TYPE_CHECKING:
    from flowlatch.cli.connect import Connection
    from flowlatch.model.run import Flow, FlowVersion, Parameter

PARAMETER_FORM = "wants NAME[:TYPE][=DEFAULT], TYPE one of str int float bool date datetime json or a|b|c"
_PARAMETER = re.compile(r"(?P<name>[^:=]+)(?::(?P<type>[^=]*))?(?:=(?P<default>.*))?", re.DOTALL)
_TYPES = ("str", "int", "float", "bool", "date", "datetime", "json")
_COLUMNS = [
    Column("PROJECT"),
    Column("FLOW"),
    Column("VER", right=True),
    Column("ID"),
    Column("PARAMETERS"),
    Column("SCHEDULE"),
]


@click.group("flows", cls=Noun)
def command() -> None:
    """List, register and archive flows."""


@command.command("list")
@click.argument("text", default="")
@click.option("--archived", is_flag=True, help="The archived ones too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="Flows at most.")
@pass_common
def list_flows(common: Common, text: str, archived: bool, limit: int) -> int:
    """List the newest version of each flow whose name contains TEXT."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.rows import flow_row

    async def body(connection: Connection) -> None:
        flows = await connection.backend.flows(text=text, archived=archived, limit=limit)
        if common.json:
            for flow in flows:
                common.out.json(flow_row(flow))
            return
        common.out.table(
            _COLUMNS,
            [
                (
                    flow.project,
                    flow.name,
                    _version(flow),
                    flow.id,
                    ", ".join(_words(p) for p in flow.parameters),
                    _schedule(flow),
                )
                for flow in flows
            ],
            "no flow matches",
        )

    return act(common, body)


@command.command()
@click.argument("name")
@click.option("--param", "params", multiple=True, metavar="NAME[:TYPE][=DEFAULT]", help="A parameter; repeat it.")
@click.option("--project", default="default", show_default=True, help="Its project, made when there is none.")
@pass_common
def create(common: Common, name: str, params: tuple[str, ...], project: str) -> int:
    """Register a flow called NAME, or a new version of it. A parameter without a default is required.

    TYPE is str, int, float, bool, date, datetime, json, or a choice such as eu|us.
    """
    from flowlatch.cli.connect import act

    if not name.strip():
        raise BadInput("NAME: a flow needs one")
    parameters = [read_parameter(text) for text in params]
    twice = {p.name for p in parameters if sum(q.name == p.name for q in parameters) > 1}
    if twice:
        raise BadInput(f"--param {one_line(min(twice), 60)}: given twice")

    async def body(connection: Connection) -> None:
        flow_id = await connection.backend.create_flow(name, project=project, parameters=parameters)
        _show(common, await connection.backend.flow(flow_id))

    return act(common, body)


@command.command()
@click.argument("flow")
@pass_common
def show(common: Common, flow: str) -> int:
    """Show one flow by name, PROJECT/NAME or id."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_flow

    async def body(connection: Connection) -> None:
        _show(common, await find_flow(connection.backend, flow))

    return act(common, body)


@command.command()
@click.argument("flow")
@pass_common
def archive(common: Common, flow: str) -> int:
    """Archive a flow by name, PROJECT/NAME or id: no new runs, its scheduled ones are cancelled."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.named import find_flow

    async def body(connection: Connection) -> None:
        found = await find_flow(connection.backend, flow)
        await connection.backend.archive_flow(found.id)
        _show(common, await connection.backend.flow(found.id))

    return act(common, body)


def read_parameter(text: str) -> Parameter:
    """Return the parameter that `NAME[:TYPE][=DEFAULT]` describes. Raises `BadInput`."""
    from flowlatch.model.params import read_value
    from flowlatch.model.run import Parameter

    parts = _PARAMETER.fullmatch(text)
    if not parts or not parts["name"].strip():
        raise BadInput(f"--param {one_line(text, 80)!r}: {PARAMETER_FORM}")
    name, kind, default = parts["name"], parts["type"], parts["default"]
    if kind is not None and kind not in _TYPES and not _is_choice(kind):
        raise BadInput(f"--param {one_line(text, 80)!r}: unknown type {one_line(kind, 40)!r}; {PARAMETER_FORM}")
    bare = Parameter(name=name, required=default is None, annotation=kind)
    if default is None:
        return bare
    try:
        return replace(bare, default=read_value(bare, default))
    except BadInput as error:
        raise BadInput(f"--param {one_line(name, 60)}: default: {error}") from error


def _is_choice(kind: str) -> bool:
    return "|" in kind and all(word.strip() for word in kind.split("|"))


def _version(flow: Flow) -> str:
    return f"v{flow.version}" if flow.version is not None else "-"


def _words(parameter: Parameter) -> str:
    """Return a parameter as `--param` reads it."""
    from flowlatch.model.params import show_value

    kind = f":{parameter.annotation}" if parameter.annotation else ""
    return f"{parameter.name}{kind}" + ("" if parameter.required else f"={show_value(parameter.default, parameter)}")


def _schedule(flow: Flow) -> str:
    if flow.schedule is None:
        return "none"
    return ("on" if flow.is_schedule_active else "off") + (", set on the flow group" if flow.is_group_schedule else "")


def _version_words(version: FlowVersion) -> str:
    from flowlatch.cli.rows import time_text

    state = " archived" if version.archived else ""
    return f"v{'?' if version.version is None else version.version}{state} {time_text(version.created)}"


def _show(common: Common, flow: Flow) -> None:
    from flowlatch.cli.rows import flow_row, time_text

    if common.json:
        common.out.json(flow_row(flow))
        return
    common.out.fields(
        [
            ("id", flow.id),
            ("name", flow.name),
            ("version", flow.version),
            ("project", flow.project),
            ("archived", "yes" if flow.archived else "no"),
            ("schedule", _schedule(flow)),
            ("created", time_text(flow.created)),
            ("versions", "\n".join(_version_words(version) for version in flow.versions)),
            ("description", flow.description),
            ("parameters", "\n".join(_words(parameter) for parameter in flow.parameters)),
        ]
    )
