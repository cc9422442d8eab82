"""`flowlatch agents`: who asks the server for work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Common, Noun, pass_common
from flowlatch.cli.output import Column

if TYPE_CHECKING:
    from flowlatch.cli.connect import Connection

_COLUMNS = [Column("NAME"), Column("TYPE"), Column("LABELS"), Column("LAST SEEN"), Column("VERSION"), Column("ID")]


@click.group("agents", cls=Noun)
def command() -> None:
    """The agents that ask the server for work."""


@command.command("list")
@pass_common
def list_agents(common: Common) -> int:
    """List the agents, the one last heard of first."""
    from flowlatch.cli.connect import act
    from flowlatch.cli.rows import agent_row, time_text
    from flowlatch.cli.times import stamp

    async def body(connection: Connection) -> None:
        agents = await connection.backend.agents()
        if common.json:
            for agent in agents:
                common.out.json(agent_row(agent))
            return
        zone = connection.zone
        common.out.table(
            _COLUMNS,
            [
                (
                    agent.name,
                    agent.type,
                    " ".join(agent.labels),
                    stamp(agent.last_queried, zone) if common.out.is_terminal else time_text(agent.last_queried),
                    agent.core_version,
                    agent.id,
                )
                for agent in agents
            ],
            "no agent has asked for work",
        )

    return act(common, body)
